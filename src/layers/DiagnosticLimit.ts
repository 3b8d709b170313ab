import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { RoomId } from "../domain/Ids.ts"
import { elapsed } from "./Elapsed.ts"

/** A busy room without a chat is told so once in this time, in milliseconds. */
const quietTime = 60_000

/** Keeps the bot from repeating the same diagnostic for every message of a busy room. */
export class DiagnosticLimit extends Context.Service<DiagnosticLimit, {
  /** Whether the room may be told now. Counts as told when it answers true. */
  admit(room: RoomId): Effect.Effect<boolean>
}>()("homing/DiagnosticLimit") {
  static readonly layer = Layer.sync(DiagnosticLimit, () => {
    const toldAt = new Map<RoomId, number>()
    return DiagnosticLimit.of({
      admit: (room) =>
        Effect.map(elapsed, (now) => {
          // Oldest first, as told rooms are put at the end: what has expired is dropped, so the map stays small.
          for (const [known, at] of toldAt) {
            if (now - at < quietTime) break
            toldAt.delete(known)
          }
          if (toldAt.has(room)) return false
          toldAt.set(room, now)
          return true
        })
    })
  })
}
