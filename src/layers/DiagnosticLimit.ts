import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { RoomId, UserId } from "../domain/Ids.ts"
import { elapsed } from "./Elapsed.ts"
import { makeGrowingLimit } from "./GrowingLimit.ts"

/** Somebody whom the bot may not talk to is told so once a day in each room, in milliseconds. */
const strangerTime = 24 * 60 * 60_000

/** More strangers than these are not told: whoever sends many of them gets silence, not memory. */
const mostStrangers = 1_000

/** Keeps the bot from repeating the same diagnostic for every message of a busy room, or every minute for ever. */
export class DiagnosticLimit extends Context.Service<DiagnosticLimit, {
  /** Whether the room may be told now: again after 1 min, then 2 min … 1 h. Counts as told when it answers true. */
  admit(room: RoomId): Effect.Effect<boolean>
  /** The same, once a day, for somebody who is not allowed to talk to the bot, and is told so. */
  admitStranger(room: RoomId, user: UserId): Effect.Effect<boolean>
}>()("homing/DiagnosticLimit") {
  static readonly layer = Layer.sync(DiagnosticLimit, () => {
    const strangers = onceIn(strangerTime, mostStrangers)
    return DiagnosticLimit.of({
      admit: makeGrowingLimit<RoomId>().admit,
      admitStranger: (room, user) => strangers(`${room} ${user}`)
    })
  })
}

/** Admits each key once in a time, in milliseconds, and no more than `most` keys at all. */
const onceIn = (time: number, most: number) => {
  const toldAt = new Map<string, number>()
  return (key: string): Effect.Effect<boolean> =>
    Effect.map(elapsed, (now) => {
      // Oldest first, as told ones are put at the end: what has expired is dropped, so the map stays small.
      for (const [known, at] of toldAt) {
        if (now - at < time) break
        toldAt.delete(known)
      }
      if (toldAt.has(key) || toldAt.size >= most) return false
      toldAt.set(key, now)
      return true
    })
}
