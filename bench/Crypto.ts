/**
 * `node bench/Crypto.ts`: what keys cost a bot: at its start, in memory, for each message of an encrypted room, and when it
 * keeps many. Prints a table for people and one line of JSON for programs. About two minutes.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, FileSystem, Schedule, Schema } from "effect"
import { existsSync, readFileSync, rmSync, statSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { signInEncrypting } from "../chaos/Encryption.ts"
import { repliesTo } from "../chaos/Verdict.ts"
import { Homeserver } from "../src/layers/Homeserver.ts"
import { Door } from "../src/layers/Homeserver/Door.ts"
import { type Account, startHoming, usage } from "./Process.ts"
import { median, type Row, table } from "./Report.ts"
import { storeRoomKeys } from "./RoomKeys.ts"
import { freshAccount, password, person, world } from "./World.ts"

const rounds = 5
const messages = 300
const storedKeys = 20_000

const dataDirectory = Effect.flatMap(
  FileSystem.FileSystem,
  (fs) => Effect.orDie(fs.makeTempDirectoryScoped({ prefix: "homing-bench-" }))
)

/** A bot that has greeted in a plain room. */
const prepare = Effect.fn("prepare")(function*(preload?: string) {
  const account = yield* freshAccount
  const dataDir = yield* dataDirectory
  const you = yield* (yield* Homeserver).as("you")
  const room = yield* you.createRoom({ name: "Bench", invite: [account.userId] })
  const first = yield* startHoming(account, dataDir, preload === undefined ? {} : { preload })
  yield* you.waitFor(room, ({ sender, type }) => sender === account.userId && type === "m.room.message")
  // What a first start does beside the answers: keys go up, the device is verified.
  yield* Effect.sleep("2 seconds")
  yield* first.stop
  return { account, dataDir, room, preload }
})
type Prepared = Effect.Success<ReturnType<typeof prepare>>

/** From the start of the process to its first answer, and its memory five seconds later. */
const oneStart = Effect.fn("oneStart")(function*({ account, dataDir, preload, room }: Prepared) {
  const you = yield* (yield* Homeserver).as("you")
  const question = yield* you.say(room, "are you there?")
  const started = performance.now()
  const bot = yield* startHoming(account, dataDir, preload === undefined ? {} : { preload })
  yield* you.waitFor(room, ({ sender, type }) => sender === account.userId && type === "m.room.message", {
    after: question
  })
  const took = performance.now() - started
  yield* Effect.sleep("3 seconds")
  const rss = usage(bot.pid)?.rss ?? Number.NaN
  yield* bot.stop
  return { took, rss }
}, Effect.scoped)

const start = Effect.gen(function*() {
  const contestants = [
    { subject: "without keys", prepared: yield* prepare("WithoutCrypto.mjs") },
    { subject: "with keys", prepared: yield* prepare() },
    { subject: `with ${storedKeys} room keys`, prepared: yield* prepare() }
  ]
  const rich = contestants[2]?.prepared
  if (rich !== undefined) yield* storeRoomKeys(rich.account, rich.dataDir, storedKeys)
  const measured = contestants.map(({ prepared, subject }) => ({
    subject,
    prepared,
    times: [] as Array<number>,
    sizes: [] as Array<number>
  }))
  // Turn by turn, so that what else the machine does befalls all.
  for (let round = 0; round < rounds; round++) {
    for (const { prepared, sizes, times } of measured) {
      const { rss, took } = yield* oneStart(prepared)
      times.push(took)
      sizes.push(rss)
    }
  }
  return measured.map(({ prepared, sizes, subject, times }): Row => {
    const file = join(prepared.dataDir, "crypto.db")
    return {
      benchmark: "start to first answer",
      subject,
      figures: {
        "median ms": median(times),
        "best ms": Math.min(...times),
        "median RSS MB": median(sizes),
        "crypto.db MB": existsSync(file) ? statSync(file).size / 1e6 : 0
      }
    }
  })
})

const Totals = Schema.fromJsonString(Schema.Struct({
  commits: Schema.Number,
  commitMillis: Schema.Number,
  statements: Schema.Number,
  statementMillis: Schema.Number,
  writes: Schema.Number
}))

const totalsOf = Effect.fn("totalsOf")(function*(pid: number, file: string) {
  rmSync(file, { force: true })
  yield* Effect.sync(() => process.kill(pid, "SIGUSR2"))
  const text = yield* Effect.sync(() => existsSync(file) ? readFileSync(file, "utf8") : "").pipe(
    Effect.repeat({ until: (text) => text.endsWith("}"), schedule: Schedule.spaced("10 millis") })
  )
  return yield* Effect.orDie(Schema.decodeUnknownEffect(Totals)(text))
})

/** What the file of keys takes for a question that is read and an answer that is encrypted, both with keys that are known. */
const perMessage = Effect.gen(function*() {
  const { url } = yield* Door
  const account: Account = yield* freshAccount
  const dataDir = yield* dataDirectory
  const file = join(dataDir, "times.json")
  const ada = yield* signInEncrypting(url, person, password)
  const bot = yield* startHoming(account, dataDir, {
    preload: "CommitTimes.mjs",
    environment: { BENCH_COMMIT_TIMES: file }
  })
  const room = yield* ada.createRoom({ name: "Bench", invite: [account.userId] })
  yield* ada.sees(room, account.userId)
  const ask = Effect.fnUntraced(function*(count: number, name: string) {
    const asked = yield* Effect.forEach(
      Array.from({ length: count }, (_, n) => n),
      (n) => ada.write(room, `${name}-${n}`, { msgtype: "m.text", body: `message ${n}` })
    )
    yield* ada.record(room).pipe(
      Effect.map((events) => new Set(events.map(repliesTo))),
      Effect.repeat({
        until: (replied) => asked.every((id) => replied.has(id)),
        schedule: Schedule.spaced("250 millis")
      })
    )
  })
  yield* ask(20, "warm")
  // The device is verified meanwhile, and the first keys are backed up.
  yield* Effect.sleep("15 seconds")
  const before = yield* totalsOf(bot.pid, file)
  yield* ask(messages, "measured")
  const after = yield* totalsOf(bot.pid, file)
  yield* bot.stop
  const each = (what: keyof typeof before) => (after[what] - before[what]) / messages
  const row: Row = {
    benchmark: `${messages} questions and answers in an encrypted room`,
    subject: "crypto.db, for each pair",
    figures: {
      "ms in all": each("commitMillis") + each("statementMillis"),
      "ms of commits": each("commitMillis"),
      commits: each("commits"),
      statements: each("statements")
    }
  }
  return row
}).pipe(Effect.scoped)

const bench = Effect.gen(function*() {
  const rows = [yield* perMessage, ...yield* start]
  yield* Console.log(table(rows))
  yield* Console.log(JSON.stringify({ node: process.version, cpus: availableParallelism(), rows }))
}).pipe(Effect.scoped, Effect.provide(world()))

NodeRuntime.runMain(bench.pipe(Effect.provide(NodeServices.layer)), {
  // Timers of the person's SDK would keep the process for two more minutes.
  teardown: (exit) => process.exit(exit._tag === "Success" ? 0 : 1)
})
