import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { EventId, ReferenceCode, RoomId, TransactionId } from "../../../src/domain/Ids.ts"
import { answered, type Settlement } from "../../../src/domain/Settlement.ts"
import { type PendingRow, Store } from "../../../src/layers/Store.ts"
import { batch, message, reply } from "./Samples.ts"

const Room = Schema.Literals(["!a:example.org", "!b:example.org", "!c:example.org"])
const below = (n: number) => Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: n - 1 })))

/** What lanes, the sync loop and the sender do to the store, in any order. Message n stands in the room n modulo three. */
const Step = Schema.Union([
  Schema.Struct({ do: Schema.Literal("ingest"), messages: Schema.Array(below(18)) }),
  Schema.Struct({ do: Schema.Literal("begin"), room: Room }),
  Schema.Struct({
    do: Schema.Literal("settle"),
    message: below(18),
    as: Schema.Literals(["Answered", "Ignored", "Failed"]),
    replies: below(3),
    andBegin: Schema.Boolean
  }),
  Schema.Struct({ do: Schema.Literal("redact"), message: below(18) }),
  Schema.Struct({ do: Schema.Literal("prune"), keep: below(6) }),
  Schema.Struct({ do: Schema.Literal("send"), room: Room })
])
type Step = typeof Step.Type

const Steps = Schema.Array(Step).pipe(Schema.check(Schema.isMaxLength(60)))

const keyOf = (n: number) => `$m${n}`
const roomOf = (n: number) => RoomId.make(Room.literals[n % 3] ?? Room.literals[0])

/** Replies are named after the step that made them, so that a second settlement of a message would show. */
const settlementOf = (step: Extract<Step, { do: "settle" }>, at: number): Settlement => {
  const replies = Array.from(
    { length: step.replies },
    (_, n) => reply(`m${step.message}.s${at}.r${n}`, roomOf(step.message))
  )
  switch (step.as) {
    case "Answered":
      return answered(replies)
    case "Ignored":
      return { _tag: "Ignored", reason: "notice", replies: [] }
    case "Failed":
      return { _tag: "Failed", code: ReferenceCode.make("ABCDEFGH"), problem: "broke", replies }
  }
}

/** The message that a reply of `settlementOf` answers. */
const messageOf = (transactionId: string) => Number(/^m(\d+)/.exec(transactionId)?.[1])

/** Sends everything that waits for a room and answers the transaction ids in the order of sending. */
const drain = Effect.fnUntraced(function*(store: Store["Service"], room: RoomId) {
  const sent: Array<string> = []
  for (let row = yield* store.outbox.next(room); row !== undefined; row = yield* store.outbox.next(room)) {
    sent.push(row.message.transactionId)
    yield* store.outbox.sent(row.message.transactionId, EventId.make(`$${row.message.transactionId}`))
  }
  return sent
})

/** Many runs take their time on a machine that is busy with other tests. */
const timeout = 60_000

describe("whatever the order of ingest, begin, settle, redact, forget and send", () => {
  it.effect.prop("the store does what a list in memory would", [Steps], ([steps]) =>
    Effect.gen(function*() {
      const store = yield* Store
      /** Messages in the order of arrival; replies in the order of settling; both by what the interface says. */
      const inbox = new Map<number, { attempts: number; state: string; arrival: number }>()
      let arrivals = 0
      const outbox = new Map<RoomId, Array<string>>()
      const begun = (room: string) => {
        const expected = [...inbox].find(([n, row]) => roomOf(n) === room && row.state === "pending")
        if (expected !== undefined) expected[1].attempts++
        return expected && { key: keyOf(expected[0]), attempts: expected[1].attempts }
      }
      const same = (row: PendingRow | undefined, expected: ReturnType<typeof begun>) => {
        assert.strictEqual(row?.key, expected?.key)
        assert.strictEqual(row?.attempts, expected?.attempts)
      }
      const redact = (n: number) => {
        const row = inbox.get(n)
        if (row?.state === "pending") row.state = "ignored"
      }

      for (const [at, step] of steps.entries()) {
        switch (step.do) {
          case "ingest": {
            yield* store.inbox.ingest(batch(step.messages.map((n) => message(keyOf(n), roomOf(n)))))
            for (const n of step.messages) {
              arrivals++
              if (!inbox.has(n)) inbox.set(n, { attempts: 0, state: "pending", arrival: arrivals })
            }
            break
          }
          case "begin": {
            same(yield* store.inbox.begin(RoomId.make(step.room)), begun(step.room))
            break
          }
          case "settle": {
            const settlement = settlementOf(step, at)
            const row = inbox.get(step.message)
            const room = roomOf(step.message)
            if (row?.state === "pending") {
              row.state = settlement._tag.toLowerCase()
              const replies = settlement._tag === "Ignored" ? [] : settlement.replies.map((_) => _.transactionId)
              outbox.set(room, [...outbox.get(room) ?? [], ...replies])
            }
            if (step.andBegin) {
              const next = yield* store.inbox.settleAndBegin(keyOf(step.message), settlement)
              same(next, row && begun(room))
            } else yield* store.inbox.settle(keyOf(step.message), settlement)
            break
          }
          case "redact": {
            const redaction = {
              redaction: EventId.make(`$r${at}`),
              roomId: roomOf(step.message),
              target: EventId.make(keyOf(step.message)),
              follow: false
            }
            yield* store.inbox.ingest(batch([], { redactions: [redaction] }))
            redact(step.message)
            break
          }
          case "prune": {
            yield* store.prune({ before: 0, keep: step.keep })
            const waits = new Set([...outbox.values()].flat().map(messageOf))
            const newest = Math.max(0, ...[...inbox.values()].map(({ arrival }) => arrival))
            for (const [n, row] of inbox) {
              if (row.state !== "pending" && row.arrival <= newest - step.keep && !waits.has(n)) inbox.delete(n)
            }
            break
          }
          case "send": {
            const room = RoomId.make(step.room)
            const row = yield* store.outbox.next(room)
            const [expected, ...rest] = outbox.get(room) ?? []
            assert.strictEqual(row?.message.transactionId, expected)
            if (expected === undefined) break
            yield* store.outbox.sent(TransactionId.make(expected), EventId.make(`$${expected}`))
            outbox.set(room, rest)
          }
        }
      }

      for (let n = 0; n < 18; n++) assert.strictEqual((yield* store.inbox.find(keyOf(n)))?.state, inbox.get(n)?.state)
      for (const room of Room.literals.map((_) => RoomId.make(_))) {
        assert.deepStrictEqual(yield* drain(store, room), outbox.get(room) ?? [])
      }
    }).pipe(Effect.provide(Store.layerMemory)), { arbitrary: { runs: 100 }, timeout })

  it.effect.prop(
    "nothing is lost or settled twice when all of it happens at once",
    [Steps],
    ([steps]) =>
      Effect.gen(function*() {
        const store = yield* Store
        yield* store.inbox.ingest(batch(Array.from({ length: 18 }, (_, n) => message(keyOf(n), roomOf(n)))))
        yield* Effect.forEach([...steps.entries()], ([at, step]) => {
          switch (step.do) {
            case "ingest":
              return store.inbox.ingest(batch(step.messages.map((n) => message(keyOf(n), roomOf(n)))))
            case "begin":
              return store.inbox.begin(RoomId.make(step.room))
            case "settle":
              return step.andBegin
                ? store.inbox.settleAndBegin(keyOf(step.message), settlementOf(step, at))
                : store.inbox.settle(keyOf(step.message), settlementOf(step, at))
            case "redact":
            case "prune":
              return Effect.void
            case "send":
              return store.outbox.pendingRooms
          }
        }, { concurrency: "unbounded", discard: true })

        const counts = yield* store.inbox.counts
        const asked = new Set(steps.flatMap((step) => step.do === "settle" ? [step.message] : []))
        assert.strictEqual(counts.pending, 18 - asked.size)
        assert.strictEqual(counts.answered + counts.ignored + counts.failed, asked.size)
        for (const room of Room.literals.map((_) => RoomId.make(_))) {
          // Every message has the replies of one settlement, all of them and side by side.
          const settlements = (yield* drain(store, room)).map((id) => id.slice(0, id.lastIndexOf(".r")))
          const runs = settlements.filter((id, n) => id !== settlements[n - 1])
          assert.strictEqual(new Set(runs.map((id) => id.split(".")[0])).size, runs.length)
        }
      }).pipe(Effect.provide(Store.layerMemory)),
    { arbitrary: { runs: 50 }, timeout }
  )
})
