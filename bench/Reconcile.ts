/**
 * `node bench/Reconcile.ts`: what a large account costs the gate and the operator, on a file: 5,000 rooms, 10,000 chats, of which half have
 * a room, and 100,000 remembered messages. `on top` is the most memory that the process ever took more than before. Prints a table for people
 * and one line of JSON for programs.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Chat } from "../src/domain/Chat.ts"
import { ChatId, DeviceId, RoomId, UserId } from "../src/domain/Ids.ts"
import { markerOf } from "../src/domain/Marker.ts"
import type { ServerRoom } from "../src/domain/ServerRoom.ts"
import { AppConfig } from "../src/layers/AppConfig.ts"
import { ChatManager } from "../src/layers/ChatManager.ts"
import { MatrixRooms, MatrixSession } from "../src/layers/MatrixClient.ts"
import { Store } from "../src/layers/Store.ts"
import { openDataDir } from "../src/layers/Store/Live.ts"
import { allChats } from "../src/programs/Commands/Admin.ts"
import { listChats } from "../src/programs/Commands/ListChats.ts"
import { reconcileAll } from "../src/programs/Reconcile.ts"
import { readChats, renderedChats } from "../src/programs/ShowChats.ts"
import { median, type Row, table } from "./Report.ts"

const roomCount = 5_000
const chatCount = 10_000
const messageCount = 100_000

const account = UserId.make("@homing:bench.test")
const owner = UserId.make("@you:bench.test")
const roomOf = (i: number) => RoomId.make(`!room${i}:bench.test`)

const chats = Array.from({ length: chatCount }, (_, i) =>
  new Chat({
    id: ChatId.make(`chat${i}`),
    owner,
    ownerName: "You",
    title: `Chat ${i}, about as long as titles are`,
    archived: i % 10 === 0,
    revision: 1,
    createdAt: i,
    binding: i < roomCount ? { roomId: roomOf(i), boundAt: i } : null,
    detached: i < roomCount ? null : "left",
    markerRevision: 1
  }))

const rooms = chats.slice(0, roomCount).map((chat, i): ServerRoom => ({
  roomId: roomOf(i),
  membership: "join",
  isSpace: false,
  name: chat.title,
  encrypted: false,
  marker: markerOf(account, chat),
  tombstone: undefined,
  predecessor: undefined,
  origin: undefined,
  children: new Set(),
  listed: new Set(),
  members: new Map([account, owner].map((user) => [user, { membership: "join", displayName: undefined }]))
}))

/** Straight into the file, since this is not what is measured. */
const fill = (file: string) => {
  const db = new DatabaseSync(file)
  db.exec("BEGIN")
  const insert = db.prepare(
    `INSERT INTO inbox (key, kind, room_id, sender, provenance, state, attempts, received_at, settled_at)
      VALUES (?, 'message', ?, ?, 'live', 'answered', 1, ?, ?)`
  )
  for (let i = 0; i < messageCount; i++) {
    insert.run(
      `$${Math.imul(i, 0x9e3779b1) >>> 0}-${i}-abcdefghijklmnopqrstuvwxyz0123`,
      roomOf(i % roomCount),
      owner,
      i,
      i
    )
  }
  db.exec("COMMIT")
  db.close()
}

const matrix = Layer.mergeAll(
  Layer.mock(MatrixRooms, { snapshot: Effect.succeed(rooms) }),
  Layer.mock(MatrixSession, {
    self: Effect.succeed({ userId: account, deviceId: DeviceId.make("BENCH"), homeserverUrl: "http://bench.test" })
  })
)

/** The most memory that the process has taken since `forgetPeak`, in MB. Of Linux. */
const peak = (): number => Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024

/** proc(5), `clear_refs`: the peak is from now on what is taken now. */
const forgetPeak = (): number => {
  writeFileSync("/proc/self/clear_refs", "5")
  return peak()
}

/** The best of a few, because the machine does other things too, and the most memory of all of them. */
const measured = Effect.fnUntraced(function*<E, R>(
  subject: string,
  rounds: number,
  prepare: Effect.Effect<unknown, E, R>,
  work: Effect.Effect<unknown, E, R>
) {
  const times: Array<number> = []
  const costs: Array<number> = []
  yield* prepare
  globalThis.gc?.()
  const before = forgetPeak()
  for (let round = 0; round < rounds; round++) {
    if (round > 0) yield* prepare
    const started = performance.now()
    const cpu = process.cpuUsage()
    yield* work
    const { system, user } = process.cpuUsage(cpu)
    costs.push((system + user) / 1000)
    times.push(performance.now() - started)
  }
  return {
    benchmark: `${roomCount} rooms, ${chatCount} chats`,
    subject,
    figures: {
      "best ms": Math.min(...times),
      "worst ms": Math.max(...times),
      "CPU ms": median(costs),
      "MB on top": peak() - before
    }
  } satisfies Row
})

const program = Effect.gen(function*() {
  const dir = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "homing-bench-"))),
    (dir) => Effect.sync(() => rmSync(dir, { recursive: true }))
  )
  const filled = yield* openDataDir(dir)
  fill(join(dir, "homing.db"))
  yield* filled.transaction(Effect.forEach(chats, filled.chats.put, { discard: true }))
  const reconciled = reconcileAll().pipe(
    Effect.provide(Layer.merge(ChatManager.layer, matrix)),
    Effect.provideService(Store, filled)
  )
  const readOnly = Layer.fresh(Store.layerReadOnly).pipe(Layer.provide(AppConfig.layerTest({ dataDir: dir })))
  const listed = Effect.map(readChats, (all) => renderedChats(all, 0)).pipe(Effect.provide(readOnly))

  const asked = Layer.mergeAll(ChatManager.layer, matrix, AppConfig.layerTest())
  const chatsCommand = listChats(owner, { archived: true, page: 1 }).pipe(
    Effect.provide(asked),
    Effect.provideService(Store, filled)
  )
  const adminCommand = allChats(1).pipe(Effect.provideService(Store, filled))

  const rows = [
    yield* measured("homing chats", 5, Effect.void, listed),
    yield* measured("!chats all", 5, Effect.void, chatsCommand),
    yield* measured("!admin chats", 5, Effect.void, adminCommand),
    yield* measured("reconcile, nothing changed", 5, Effect.void, reconciled),
    yield* measured("reconcile, all restored from markers", 5, filled.forget("session"), reconciled)
  ]
  yield* Console.log(table(rows))
  yield* Console.log(JSON.stringify({ node: process.version, cpus: availableParallelism(), rows }))
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)
