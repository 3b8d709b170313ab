import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { LeaseHeld } from "../../src/domain/Errors.ts"
import { endingOf } from "../../src/programs/ReportFailure.ts"

describe("the end of a program", () => {
  it("says what a typed error says, with its exit code", () => {
    const error = new LeaseHeld({ path: "/var/lib/homing/homing.db", holder: "process 7" })
    assert.deepStrictEqual(endingOf(Exit.fail(error)), { code: 75, message: `homing: ${error.message}` })
  })

  it.effect("is a success when it was told to stop", () =>
    Effect.sync(() => {
      assert.deepStrictEqual(endingOf(Exit.interrupt(1)), { code: 0, message: undefined })
      assert.deepStrictEqual(endingOf(Exit.void), { code: 0, message: undefined })
    }))

  it("calls what nobody foresaw a bug, with one reference for one bug", () => {
    const bug = new TypeError("x is undefined")
    const { code, message } = endingOf(Exit.die(bug))
    assert.strictEqual(code, 70)
    assert.match(message ?? "", /^homing: x is undefined\nThis is a bug in Homing.* reference [0-9A-HJKMNP-TV-Z]{8};/)
    assert.notMatch(message ?? "", /\n\s+at /, "no stack")
    assert.match(endingOf(Exit.die(bug), { debug: true }).message ?? "", /\n\s+at /, "unless asked")
    assert.deepStrictEqual(endingOf(Exit.die(bug)).message, message)
    const referenceIn = (words: string | undefined) => /reference (\w{8})/.exec(words ?? "")?.[1]
    assert.notStrictEqual(
      referenceIn(endingOf(Exit.die(new TypeError("y is undefined"))).message),
      referenceIn(message)
    )
  })

  it("prefers the typed error when the clean-up after it breaks too", () => {
    const error = new LeaseHeld({ path: "a", holder: "b" })
    const cause = Cause.combine(Cause.die(new Error("bug")), Cause.fail(error))
    assert.strictEqual(endingOf(Exit.failCause(cause)).code, 75)
  })
})
