import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { encryptedType } from "../domain/Arrival.ts"
import { lockedText } from "../domain/Diagnostic.ts"
import { notice } from "../domain/Message.ts"
import { joinedCount } from "../domain/ServerRoom.ts"
import type { RawEvent } from "../domain/SyncBatch.ts"
import { Health } from "../layers/Health.ts"
import { MatrixCrypto, MatrixRooms } from "../layers/MatrixClient.ts"
import { statement } from "../layers/Rendering.ts"
import type { PendingRow } from "../layers/Store.ts"
import { drawReferenceCode } from "./Diagnose.ts"

/** A key comes with its message or within seconds of it. Whoever writes behind it waits as long, for the sake of the order. */
const keyPatience = Duration.seconds(20)
const lookAgain = 500

/** An event for the handler: in clear, still waiting for its key, or one whose key may never come. */
export type Opened =
  | { readonly _tag: "Clear"; readonly event: RawEvent }
  | { readonly _tag: "Later"; readonly waitMillis: number }
  | { readonly _tag: "Locked"; readonly reason: string }

/** Opens what was encrypted. Remembers since when each event has been waiting in this life of the process. */
export const makeOpener = Effect.sync(() => {
  const waitingSince = new Map<string, number>()
  return Effect.fn("open")(function*(row: PendingRow, event: RawEvent) {
    if (event.type !== encryptedType) return { _tag: "Clear", event } satisfies Opened
    return yield* (yield* MatrixCrypto).decrypt(row.roomId, event).pipe(
      Effect.tap((yield* Health).decrypted(true)),
      Effect.map((clear): Opened => {
        waitingSince.delete(row.key)
        return { _tag: "Clear", event: clear }
      }),
      Effect.catch(Effect.fnUntraced(function*({ reason }) {
        const now = yield* Clock.currentTimeMillis
        const since = waitingSince.get(row.key) ?? now
        if (!row.takenUp && now - since < Duration.toMillis(keyPatience)) {
          waitingSince.set(row.key, since)
          return { _tag: "Later", waitMillis: lookAgain } satisfies Opened
        }
        waitingSince.delete(row.key)
        // What came before this life, or was counted before, says nothing about how it is now.
        if (row.provenance === "live" && !row.takenUp) yield* (yield* Health).decrypted(false)
        return { _tag: "Locked", reason } satisfies Opened
      }))
    )
  })
})

/**
 * What the room is told of an event that cannot be read, once: in a room of two it was meant for the bot, so that the bot speaks up; in
 * larger ones it keeps quiet.
 */
export const tellLocked = Effect.fn("tellLocked")(function*(row: PendingRow, reason: string) {
  const code = yield* drawReferenceCode
  yield* Effect.logWarning("message_not_decrypted").pipe(
    Effect.annotateLogs({ code, room: row.roomId, user: row.sender, event: row.key, reason })
  )
  const room = yield* (yield* MatrixRooms).view(row.roomId)
  // The key names the room, not the message: the outbox takes a transaction id once.
  return room === undefined || joinedCount(room) > 2
    ? []
    : [yield* statement(row.roomId, `locked.${row.roomId}`, notice(lockedText))]
})
