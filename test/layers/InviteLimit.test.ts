import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { UserId } from "../../src/domain/Ids.ts"
import { InviteLimit } from "../../src/layers/InviteLimit.ts"

const someone = (n: number) => UserId.make(`@u${n}:example.org`)

describe("invites that may be declined", () => {
  it.effect("are three of one sender at once, and one more in ten minutes", () =>
    Effect.gen(function*() {
      const { admit } = yield* InviteLimit
      const five = Effect.forEach([1, 2, 3, 4, 5], () => admit(someone(1)))
      assert.deepStrictEqual(yield* five, [true, true, true, false, false])
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(yield* five, [true, false, false, false, false])
    }).pipe(Effect.provide(InviteLimit.layer)))

  it.effect("are twenty of all senders at once, and one more in half a minute", () =>
    Effect.gen(function*() {
      const { admit } = yield* InviteLimit
      const admitted = (from: number) =>
        Effect.map(
          Effect.forEach(Array.from({ length: 50 }, (_, n) => someone(from + n)), admit),
          (answers) => answers.filter((answer) => answer).length
        )
      assert.strictEqual(yield* admitted(0), 20)
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* admitted(100), 1)
    }).pipe(Effect.provide(InviteLimit.layer)))
})
