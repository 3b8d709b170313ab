import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { afterFailure, backoff, transactionIdOf } from "../../src/domain/Delivery.ts"
import type { FailureReason } from "../../src/domain/Errors.ts"
import { EventId, TransactionId } from "../../src/domain/Ids.ts"

describe("a message that the homeserver did not take", () => {
  it("waits as long as the server asks, and with it the whole account", () => {
    assert.deepStrictEqual(afterFailure({ _tag: "RateLimited", retryAfter: 4_500 }, 1), {
      _tag: "Retry",
      after: 4_500,
      all: true
    })
  })

  it("waits a moment when the server names no time", () => {
    assert.deepStrictEqual(afterFailure({ _tag: "RateLimited", retryAfter: 3_600_000 }, 1), {
      _tag: "Retry",
      after: 600_000,
      all: true
    })
    assert.deepStrictEqual(afterFailure({ _tag: "RateLimited", retryAfter: 0 }, 1), {
      _tag: "Retry",
      after: 500,
      all: true
    })
  })

  it("waits longer with every failure, but never longer than a minute", () => {
    assert.deepStrictEqual([1, 2, 3, 6, 7, 1000].map(backoff), [1_000, 2_000, 4_000, 32_000, 60_000, 60_000])
  })

  it("is dead when it can never be taken, and only then", () => {
    const dead: ReadonlyArray<FailureReason> = [
      { _tag: "Forbidden" },
      { _tag: "NotFound" },
      { _tag: "TooLarge" },
      { _tag: "Rejected", status: 400, errcode: "M_BAD_JSON" }
    ]
    const alive: ReadonlyArray<FailureReason> = [
      { _tag: "RateLimited", retryAfter: 1 },
      { _tag: "Unreachable", detail: "connection refused" },
      { _tag: "NotMatrix", detail: "HTML" },
      { _tag: "UnknownToken", softLogout: true }
    ]
    for (const reason of dead) assert.strictEqual(afterFailure(reason, 1)._tag, "Dead", reason._tag)
    for (const reason of alive) assert.strictEqual(afterFailure(reason, 1_000)._tag, "Retry", reason._tag)
  })
})

describe("transaction ids", () => {
  it.prop("are valid whatever the event id holds", [Arbitrary.schema(Schema.String)], ([key]) => {
    assert.isTrue(Schema.is(TransactionId)(transactionIdOf(key, 3)))
  })

  it("tell long keys apart that differ only at their end", () => {
    const long = (end: string) => transactionIdOf(`$${"x".repeat(240)}${end}`, 0)
    assert.notStrictEqual(long("a"), long("b"))
    assert.strictEqual(long("a"), long("a"))
  })

  it("stay what they are over versions: an answer that was given must not be given again under another id", () => {
    assert.strictEqual(
      transactionIdOf("$YlbeRZ_Uo9mD-x:example.org", 1),
      "homing.~24YlbeRZ_Uo9mD-x~3aexample~2eorg.1"
    )
    const whole = "x".repeat(200)
    assert.strictEqual(transactionIdOf(whole, 0), `homing.${whole}.0`)
    assert.strictEqual(transactionIdOf(`${whole}😀`, 0), `homing.${"x".repeat(183)}.77a7a65c64236c68.0`)
  })

  it("are the same for the same question and part, and different for any other", () => {
    const ids = [["$a", 0], ["$a", 1], ["$b", 0], ["$a:x", 0], ["$a_x", 0]] as const
    const made = ids.map(([event, part]) => transactionIdOf(EventId.make(event), part))
    assert.strictEqual(new Set(made).size, ids.length)
    assert.strictEqual(transactionIdOf(EventId.make("$a"), 0), made[0])
  })
})
