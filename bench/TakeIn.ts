import { Effect, FileSystem, Layer } from "effect"
import { RoomId, SyncToken } from "../src/domain/Ids.ts"
import { AnotherSession } from "../src/layers/AnotherSession.ts"
import { AppConfig } from "../src/layers/AppConfig.ts"
import { ChatManager } from "../src/layers/ChatManager.ts"
import { Homeserver } from "../src/layers/Homeserver.ts"
import * as MatrixClient from "../src/layers/MatrixClient.ts"
import { MatrixSession } from "../src/layers/MatrixClient.ts"
import { readSyncResponse } from "../src/layers/MatrixClient/SyncResponse.ts"
import { RepairMemory } from "../src/layers/RepairMemory.ts"
import { Store } from "../src/layers/Store.ts"
import { openDataDir } from "../src/layers/Store/Live.ts"
import { ingest } from "../src/programs/Ingest.ts"
import type { Row } from "./Report.ts"

const rooms = Array.from({ length: 20 }, (_, n) => RoomId.make(`!room${n}:bench.test`))
const answers = 50
const perRoom = 50
const total = answers * rooms.length * perRoom

/** An answer to `/sync` as it comes over the wire. */
const answerOf = (n: number): string =>
  JSON.stringify({
    next_batch: `s${n}`,
    rooms: {
      join: Object.fromEntries(rooms.map((room, r) => [room, {
        timeline: {
          limited: false,
          prev_batch: `p${n}`,
          events: Array.from({ length: perRoom }, (_, i) => ({
            event_id: `$${n}-${r}-${i}-abcdefghijklmnopqrstuvwxyz0123456789`,
            type: "m.room.message",
            sender: "@you:bench.test",
            origin_server_ts: 1_700_000_000_000 + i,
            content: {
              msgtype: "m.text",
              body: `message ${n} ${i}, about as long as people write them`,
              "m.mentions": {}
            },
            unsigned: { age: 120 }
          }))
        }
      }]))
    }
  })

const services = (dataDir: string) =>
  Layer.mergeAll(MatrixClient.layerMemory, ChatManager.layer, RepairMemory.layer, AnotherSession.layer).pipe(
    Layer.provideMerge(Layer.effect(Store, openDataDir(dataDir))),
    Layer.provideMerge(AppConfig.layerTest()),
    Layer.provideMerge(Homeserver.layer({ users: [{ name: "bot", password: "password" }] }))
  )

/** Taking in alone: from the text of an answer to its events and the cursor on the disk, in one transaction an answer. */
export const takeIn = Effect.gen(function*() {
  const dataDir = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "homing-bench-" })
  return yield* Effect.gen(function*() {
    const { userId: self } = yield* (yield* MatrixSession).authenticate
    const texts = Array.from({ length: answers }, (_, n) => answerOf(n))
    const cpu = process.cpuUsage()
    const begun = performance.now()
    for (const [n, text] of texts.entries()) {
      const batch = readSyncResponse(JSON.parse(text), { self, since: SyncToken.make(`s${n - 1}`), initial: false })
      if (batch === undefined) return yield* Effect.die("an answer that cannot be read")
      yield* ingest(batch, { afterAbsence: false })
    }
    const seconds = (performance.now() - begun) / 1000
    const { system, user } = process.cpuUsage(cpu)
    const row: Row = {
      benchmark: `${total} events, ${rooms.length * perRoom} an answer`,
      subject: "Homing, taking in alone",
      figures: { "events/s": total / seconds, "CPU µs/event": (user + system) / total }
    }
    return [row]
  }).pipe(Effect.provide(services(dataDir)))
}).pipe(Effect.scoped, Effect.orDie)
