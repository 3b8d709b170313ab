/** `node bench/Store.ts [messages]`: what the store alone costs a message, on a file, by the steps of the hot path. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { EventId, SyncToken, TransactionId } from "../src/domain/Ids.ts"
import { answered } from "../src/domain/Settlement.ts"
import type { OutboxRow } from "../src/layers/Store.ts"
import { openDataDir } from "../src/layers/Store/Live.ts"
import { type Row, table } from "./Report.ts"
import { reply, roomOf, rooms, row } from "./StoreSamples.ts"

const messages = Number(process.argv[2] ?? 20_000)
const perBatch = 100
const rows: Array<Row> = []

/** Runs `work` for every number below `times` and notes what one of `units` took. */
const measured = <E>(step: string, times: number, units: number, work: (n: number) => Effect.Effect<unknown, E>) =>
  Effect.gen(function*() {
    const cpu = process.cpuUsage()
    const start = performance.now()
    for (let n = 0; n < times; n++) yield* work(n)
    const seconds = (performance.now() - start) / 1000
    const { system, user } = process.cpuUsage(cpu)
    rows.push({
      benchmark: `store, ${messages} messages`,
      subject: step,
      figures: { "a second": units / seconds, "CPU µs each": (user + system) / units }
    })
  })

const program = Effect.gen(function*() {
  const dir = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "homing-bench-"))),
    (dir) => Effect.sync(() => rmSync(dir, { recursive: true }))
  )
  const store = yield* openDataDir(dir)
  yield* measured("ingest, 100 a batch", messages / perBatch, messages, (n) =>
    store.inbox.ingest({
      rows: Array.from({ length: perBatch }, (_, i) => row(n * perBatch + i)),
      ignored: [],
      echoes: [],
      edits: [],
      redactions: [],
      reactions: [],
      answered: [],
      gaps: [],
      encrypted: [],
      cursor: SyncToken.make(`s${n}`)
    }))
  const half = messages / 2
  yield* measured("begin and settle", half, half, (n) =>
    Effect.flatMap(
      store.inbox.begin(roomOf(n)),
      (row) => store.inbox.settle(row?.key ?? "", answered([reply(n)]))
    ))
  const begun = yield* Effect.forEach(rooms, (room) => store.inbox.begin(room))
  const keys = begun.map((row) => row?.key ?? "")
  yield* measured("settle and begin the next", half, half, (n) => {
    const room = n % rooms.length
    return Effect.map(store.inbox.settleAndBegin(keys[room] ?? "", answered([reply(half + n)])), (next) => {
      keys[room] = next?.key ?? ""
    })
  })
  const sent = (row: OutboxRow | undefined, n: number) => ({
    transactionId: row?.message.transactionId ?? TransactionId.make("none"),
    eventId: EventId.make(`$sent-${n}-abcdefghijklmnopqrstuvwxyz0123`)
  })
  yield* measured("next and sent", half, half, (n) =>
    Effect.flatMap(store.outbox.next(roomOf(n)), (row) => {
      const { eventId, transactionId } = sent(row, n)
      return store.outbox.sent(transactionId, eventId)
    }))
  yield* measured("next, and sent eight at once", half / 8, half, (n) =>
    Effect.flatMap(
      Effect.forEach(Array.from({ length: 8 }, (_, i) => roomOf(n * 8 + i)), (room, i) =>
        Effect.map(store.outbox.next(room), (row) => sent(row, half + n * 8 + i))),
      store.outbox.sentMany
    ))
  yield* Console.log(table(rows))
  yield* Console.log(`${(statSync(join(dir, "homing.db")).size / messages).toFixed(0)} bytes a message`)
})

NodeRuntime.runMain(Effect.scoped(program))
