/**
 * `node bench/Retention.ts [messages]`: how large the database of a bot becomes that handles this many (a million) and
 * forgets as `homing run` does, and how long forgetting holds everybody else up.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Clock, Console, Effect } from "effect"
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { EventId, SyncToken } from "../src/domain/Ids.ts"
import { answered } from "../src/domain/Settlement.ts"
import { openDataDir } from "../src/layers/Store/Live.ts"
import { keptDays, keptMessages } from "../src/programs/Retention.ts"
import { type Row, table } from "./Report.ts"
import { reply, row } from "./StoreSamples.ts"

const messages = Number(process.argv[2] ?? 1_000_000)
const perBatch = 1_000
/** What a busy bot handles between two rounds of forgetting: 500 a second for a minute. */
const perRound = 30_000

const program = Effect.gen(function*() {
  const dir = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "homing-bench-"))),
    (dir) => Effect.sync(() => rmSync(dir, { recursive: true }))
  )
  const size = () => readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0) / 1e6
  const store = yield* openDataDir(dir)
  let [largest, pruning, held] = [0, 0, 0]
  for (let n = 0; n < messages; n += perBatch) {
    const numbers = Array.from({ length: perBatch }, (_, i) => n + i)
    // One transaction a batch, so that a million takes minutes: how the rows came there does not matter to their size.
    yield* store.transaction(Effect.gen(function*() {
      yield* store.inbox.ingest({
        rows: numbers.map(row),
        ignored: [],
        edits: [],
        redactions: [],
        reactions: [],
        answered: [],
        echoes: [],
        gaps: [],
        encrypted: [],
        cursor: SyncToken.make(`s${n}`)
      })
      for (const n of numbers) yield* store.inbox.settle(row(n).key, answered([reply(n)]))
      yield* store.outbox.sentMany(numbers.map((n) => ({
        transactionId: reply(n).transactionId,
        eventId: EventId.make(`$sent-${n}-abcdefghijklmnopqrstuvwxyz0123`)
      })))
    }))
    if ((n + perBatch) % perRound === 0) {
      const delay = monitorEventLoopDelay({ resolution: 1 })
      delay.enable()
      const start = performance.now()
      const before = (yield* Clock.currentTimeMillis) - keptDays * 24 * 3_600_000
      yield* store.prune({ before, keep: keptMessages })
      pruning += performance.now() - start
      delay.disable()
      held = Math.max(held, delay.max / 1e6)
    }
    largest = Math.max(largest, size())
  }
  const rows: ReadonlyArray<Row> = [{
    benchmark: `${messages} messages handled`,
    subject: "homing.db",
    figures: {
      "largest MB": largest,
      "MB at the end": size(),
      "forgetting, µs a message": pruning / messages * 1000,
      "others held up for ms at most": held
    }
  }]
  yield* Console.log(table(rows))
  yield* Console.log(JSON.stringify({ rows }))
})

NodeRuntime.runMain(Effect.scoped(program))
