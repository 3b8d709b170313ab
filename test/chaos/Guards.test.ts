import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { join } from "node:path"
import { runChaos } from "../../chaos/Chaos.ts"
import { makePlan, type Plan } from "../../chaos/Plan.ts"
import { passed, tableOf } from "../../chaos/Report.ts"
import { sandbox } from "../../chaos/Target.ts"
import { temporaryDirectory } from "../layers/Store/Samples.ts"

/** Runs lives of nothing but words that end at these places, one after the other. */
const rehearsal = Effect.fnUntraced(function*(places: ReadonlyArray<string>, unguarded?: string) {
  const options = { kills: places.length, messages: 4 * places.length, rooms: 1, seed: 1, encrypted: false }
  const { rooms, rounds } = yield* makePlan(options)
  const plan: Plan = {
    rooms,
    rounds: places.map((place, n) => ({
      messages: (rounds[n]?.messages ?? []).map((message) => ({ ...message, said: "words", expected: "echo" })),
      faults: [],
      first: undefined,
      stopped: false,
      calm: true,
      kill: { _tag: "At", place, times: 1 }
    }))
  }
  const directory = yield* temporaryDirectory
  const report = yield* runChaos(options, directory, {
    plan,
    rest: Duration.seconds(4),
    ...(unguarded === undefined ? {} : { program: join(import.meta.dirname, "unguarded", unguarded) })
  }).pipe(Effect.provide(sandbox(options)))
  assert.sameMembers(Object.keys(report.killedAt), [...places], tableOf(report))
  return report
}, Effect.scoped)

const afterSend = "send message:after"
const afterSettling = "Store.inbox.settleAndBegin:after"
const afterIngest = "Store.inbox.ingest:after"

describe("A chaos run", () => {
  it.live("passes with every guard in its place", () =>
    Effect.gen(function*() {
      const report = yield* rehearsal([afterSend, afterSettling, afterIngest])
      assert.isTrue(passed(report), tableOf(report))
    }), 120_000)

  it.live(
    "goes red when a repetition has another transaction id: something is said twice",
    () =>
      Effect.gen(function*() {
        const report = yield* rehearsal([afterSend], "AnyTransaction.ts")
        assert.isFalse(passed(report))
        assert.isAbove(report.duplicated, 0, tableOf(report))
        assert.strictEqual(report.lost, 0, tableOf(report))
      }),
    60_000
  )

  it.live(
    "goes red when a message is settled before its answer is kept: an answer is lost",
    () =>
      Effect.gen(function*() {
        const report = yield* rehearsal([afterSettling], "SettledFirst.ts")
        assert.isFalse(passed(report))
        assert.isAbove(report.lost, 0, tableOf(report))
        assert.strictEqual(report.duplicated, 0, tableOf(report))
      }),
    60_000
  )

  it.live("goes red when the cursor moves before what came is kept: messages are lost", () =>
    Effect.gen(function*() {
      const report = yield* rehearsal([afterIngest], "CursorFirst.ts")
      assert.isFalse(passed(report))
      assert.isAbove(report.lost, 0, tableOf(report))
      assert.strictEqual(report.duplicated, 0, tableOf(report))
    }), 120_000)
})
