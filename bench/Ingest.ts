import { Deferred, Effect } from "effect"
import { Homeserver } from "../src/layers/Homeserver.ts"
import { usage } from "./Process.ts"
import type { Row } from "./Report.ts"
import { bare, type Contestant, homing, type Interceptor, serverName, world } from "./World.ts"

const roomCount = 20
const batches = 30
const eventsPerRoomAndBatch = 5
const total = roomCount * batches * eventsPerRoomAndBatch

/** Sync answers made beforehand, so that the homeserver costs both bots the same: next to nothing. */
const makeScript = Effect.gen(function*() {
  const begun = yield* Deferred.make<number>()
  const takenIn = yield* Deferred.make<number>()
  const answered = yield* Deferred.make<number>()
  const polling = yield* Deferred.make<void>()
  let pending: Array<unknown> = []
  let realSince = ""
  let answers = 0
  let counting = false

  const mark = (deferred: Deferred.Deferred<number>) => Deferred.doneUnsafe(deferred, Effect.succeed(performance.now()))

  const intercept: Interceptor = (request, next) => {
    if (request.method === "PUT" && request.path.includes("/send/m.room.message/")) {
      if (counting && ++answers === total) mark(answered)
      return next(request)
    }
    const since = request.query["since"]
    if (!request.path.endsWith("/sync") || request.query["timeout"] === "0" || since === undefined) return next(request)
    Deferred.doneUnsafe(polling, Effect.void)
    const batch = pending.shift()
    if (batch !== undefined) {
      if (!since.startsWith("bench-")) {
        realSince = since
        counting = true
        mark(begun)
      }
      return Effect.succeed({ status: 200, body: batch })
    }
    if (!since.startsWith("bench-")) return next(request)
    // It asks for more: everything before is taken in.
    mark(takenIn)
    return next({ ...request, query: { ...request.query, since: realSince } })
  }

  const load = (rooms: ReadonlyArray<string>) => {
    pending = Array.from({ length: batches }, (_, batch) => ({
      next_batch: `bench-${batch}`,
      // As every server says; without it a client with keys makes fifty new ones for each answer.
      device_one_time_keys_count: { signed_curve25519: 50 },
      device_unused_fallback_key_types: ["signed_curve25519"],
      rooms: {
        join: Object.fromEntries(rooms.map((room, roomIndex) => [room, {
          timeline: {
            limited: false,
            prev_batch: `before-${batch}`,
            events: Array.from({ length: eventsPerRoomAndBatch }, (_, i) => ({
              event_id: `$bench-${batch}-${roomIndex}-${i}`,
              type: "m.room.message",
              sender: `@you:${serverName}`,
              origin_server_ts: Date.now(),
              content: { msgtype: "m.text", body: `message ${batch} ${i}` }
            }))
          }
        }]))
      }
    }))
  }
  return { answered, begun, intercept, load, polling, takenIn }
})

const flood = Effect.fn("flood")(function*(contestant: Contestant) {
  const script = yield* makeScript
  return yield* Effect.gen(function*() {
    const { rooms, start } = yield* contestant.prepare(roomCount)
    const you = yield* (yield* Homeserver).as("you")
    const bot = yield* start
    yield* Deferred.await(script.polling)
    const before = usage(bot.pid)
    script.load(rooms)
    // Wakes the poll that is being held; the next one gets what was loaded.
    yield* you.say(rooms[0] ?? "", "here it comes")
    const begun = yield* Deferred.await(script.begun)
    const takenIn = yield* Deferred.await(script.takenIn)
    const answered = yield* Deferred.await(script.answered)
    const after = usage(bot.pid)
    yield* bot.stop
    const row: Row = {
      benchmark: `${total} messages in ${roomCount} rooms`,
      subject: contestant.name,
      figures: {
        "taken in/s": total / (takenIn - begun) * 1000,
        "answered/s": total / (answered - begun) * 1000,
        ...(before === undefined || after === undefined ? {} : {
          "CPU ms/message": (after.cpu - before.cpu) / total * 1000,
          "RSS MB": after.rss
        })
      }
    }
    return row
  }).pipe(Effect.provide(world(script.intercept)), Effect.timeout("3 minutes"))
}, Effect.scoped)

export const ingest = Effect.forEach([homing, bare], flood)
