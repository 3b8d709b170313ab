/**
 * `node bench/Backlog.ts [messages]`: a bot that finds so many messages (100,000) in its inbox, of 20 rooms, and answers them all: its
 * memory on the way, and what of it is alive. Sends are answered at once and kept nowhere, so that the homeserver takes no part in it.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Deferred, Effect, FileSystem } from "effect"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { type RoomId, SyncToken, type UserId } from "../src/domain/Ids.ts"
import { Homeserver } from "../src/layers/Homeserver.ts"
import { openDataDir } from "../src/layers/Store/Live.ts"
import { startHoming, usage } from "./Process.ts"
import { median, type Row, table } from "./Report.ts"
import { row } from "./StoreSamples.ts"
import { freshAccount, type Interceptor, world } from "./World.ts"

const messages = Number(process.argv[2] ?? 100_000)
const roomCount = 20
const perBatch = 1_000

/** Answers every send in the place of the homeserver, once it is told to. */
const makeCounter = Effect.gen(function*() {
  const all = yield* Deferred.make<number>()
  let sent: number | undefined
  const intercept: Interceptor = (request, next) => {
    if (sent === undefined || request.method !== "PUT" || !request.path.includes("/send/")) return next(request)
    if (++sent === messages) Deferred.doneUnsafe(all, Effect.succeed(performance.now()))
    return Effect.succeed({ status: 200, body: { event_id: `$sent${sent}` } })
  }
  const begin = Effect.sync(() => {
    sent = 0
  })
  return { all: Deferred.await(all), begin, intercept }
})

const drain = Effect.gen(function*() {
  const counter = yield* makeCounter
  return yield* Effect.gen(function*() {
    const account = yield* freshAccount
    const dataDir = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "homing-bench-" })
    const you = yield* (yield* Homeserver).as("you")
    const first = yield* startHoming(account, dataDir)
    const rooms: Array<RoomId> = []
    for (let n = 0; n < roomCount; n++) {
      const room = yield* you.createRoom({ name: `Room ${n}`, invite: [account.userId] })
      yield* you.waitFor(room, (event) => event.sender === account.userId && event.type === "m.room.message")
      rooms.push(room)
    }
    yield* first.stop
    yield* fill(dataDir, rooms, you.userId)
    yield* counter.begin
    const started = performance.now()
    const liveHeap = join(dataDir, "live-heap.txt")
    const bot = yield* startHoming(account, dataDir, {
      preload: "LiveHeap.mjs",
      environment: { BENCH_LIVE_HEAP: liveHeap }
    })
    const memory: Array<number> = []
    yield* Effect.sync(() => memory.push(usage(bot.pid)?.rss ?? 0)).pipe(
      Effect.andThen(Effect.sleep("500 millis")),
      Effect.forever,
      Effect.forkScoped
    )
    const ended = yield* counter.all
    const cpu = usage(bot.pid)?.cpu ?? 0
    yield* bot.stop
    const live = (yield* (yield* FileSystem.FileSystem).readFileString(liveHeap)).trim().split("\n").map(Number)
    const result: Row = {
      benchmark: `${messages} messages in the inbox of ${roomCount} rooms`,
      subject: "Homing",
      figures: {
        "answered/s": messages / (ended - started) * 1000,
        "CPU ms/message": cpu / messages * 1000,
        "live MB, second tenth": median(tenthOf(live, 1)),
        "live MB, last tenth": median(tenthOf(live, 9)),
        "RSS MB, second tenth": median(tenthOf(memory, 1)),
        "RSS MB, last tenth": median(tenthOf(memory, 9)),
        "RSS MB at most": Math.max(...memory)
      }
    }
    return result
  }).pipe(Effect.provide(world(counter.intercept)))
}).pipe(Effect.scoped)

const tenthOf = (samples: ReadonlyArray<number>, n: number): ReadonlyArray<number> => {
  const from = Math.min(Math.floor(samples.length * n / 10), samples.length - 1)
  return samples.slice(from, Math.max(from + 1, Math.floor(samples.length * (n + 1) / 10)))
}

/** Puts the messages where an earlier life would have left them. */
const fill = Effect.fnUntraced(function*(dataDir: string, rooms: ReadonlyArray<RoomId>, sender: UserId) {
  const store = yield* openDataDir(dataDir)
  const cursor = (yield* store.cursor) ?? SyncToken.make("none")
  for (let from = 0; from < messages; from += perBatch) {
    const rows = Array.from({ length: Math.min(perBatch, messages - from) }, (_, i) => {
      const sample = row(from + i)
      const event = sample.event && { ...sample.event, sender }
      return { ...sample, roomId: rooms[(from + i) % roomCount] ?? sample.roomId, sender, event }
    })
    yield* store.inbox.ingest({
      rows,
      ignored: [],
      echoes: [],
      edits: [],
      redactions: [],
      reactions: [],
      answered: [],
      gaps: [],
      encrypted: [],
      cursor
    })
  }
}, Effect.scoped)

const bench = Effect.gen(function*() {
  const rows = [yield* drain]
  yield* Console.log(table(rows))
  yield* Console.log(JSON.stringify({ node: process.version, cpus: availableParallelism(), rows }))
})

NodeRuntime.runMain(bench.pipe(Effect.provide(NodeServices.layer)))
