import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { diagnosticText, type Problem, referenceCode, referenceCodeOf } from "../../src/domain/Diagnostic.ts"
import { ReferenceCode } from "../../src/domain/Ids.ts"

describe("diagnostics", () => {
  it("reference codes are eight letters and digits that cannot be confused", () => {
    for (const random of [0, 1, 31, 32, 2 ** 40 - 1, 123_456_789_012]) {
      assert.isTrue(Schema.is(ReferenceCode)(referenceCode(random)), String(random))
    }
    assert.notStrictEqual(referenceCode(1), referenceCode(2))
    assert.strictEqual(referenceCode(2 ** 40 - 1), "ZZZZZZZZ")
  })

  it("the code of an event is told from its id, and differs from that of any other", () => {
    const codes = Array.from({ length: 10_000 }, (_, i) => referenceCodeOf(`$event-${i}`))
    assert.strictEqual(new Set(codes).size, codes.length)
    assert.strictEqual(referenceCodeOf("$event-1"), codes[1])
    assert.isTrue(codes.every(Schema.is(ReferenceCode)))
  })

  it("every diagnostic holds its code and says what to do", () => {
    const code = referenceCode(42)
    const problems: ReadonlyArray<readonly [Problem, string]> = [
      [{ _tag: "Unregistered", offer: undefined }, "!register"],
      [{ _tag: "Unregistered", offer: "Type `!move Tea`." }, "!move Tea"],
      [{ _tag: "Space" }, "Invite me to a room"],
      [{ _tag: "Archived", title: "Tea" }, "!unarchive"],
      [{ _tag: "HandlerFailed" }, "send it again"],
      [{ _tag: "TookTooLong", limit: "5m" }, "send it again"],
      [{ _tag: "TriedTooOften", attempts: 5 }, "send it again"]
    ]
    for (const [problem, remedy] of problems) {
      const text = diagnosticText(problem, "!", code)
      assert.include(text, code, problem._tag)
      assert.include(text, remedy, problem._tag)
      assert.isBelow(text.length, 400, problem._tag)
    }
  })
})
