import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { encryptedType } from "../domain/Arrival.ts"
import { lockedInCompanyText, lockedText, referenceCodeOf } from "../domain/Diagnostic.ts"
import type { UserId } from "../domain/Ids.ts"
import { notice } from "../domain/Message.ts"
import { isAllowed } from "../domain/Policy.ts"
import { joinedCount } from "../domain/ServerRoom.ts"
import type { RawEvent } from "../domain/SyncBatch.ts"
import { AppConfig } from "../layers/AppConfig.ts"
import { elapsed } from "../layers/Elapsed.ts"
import { Health } from "../layers/Health.ts"
import { MatrixCrypto, MatrixRooms, MatrixSession } from "../layers/MatrixClient.ts"
import { statement } from "../layers/Rendering.ts"
import { type PendingRow, Store } from "../layers/Store.ts"

/**
 * A key comes with its message or within seconds of it. Whoever writes behind it waits as long, for the sake of the order; but no key is
 * waited for twice, none for longer since its message came, so that many wait together, and none of somebody whom the bot does not answer.
 */
const keyPatience = Duration.seconds(20)
const lookAgain = 500

/** An event for the handler: in clear, still waiting for its key, one whose key may never come, or one under a false name. */
export type Opened =
  | { readonly _tag: "Clear"; readonly event: RawEvent }
  | { readonly _tag: "Later"; readonly waitMillis: number }
  | { readonly _tag: "Locked"; readonly reason: string }
  | { readonly _tag: "Forged" }

/** Of more keys that are missing, those are forgotten that have been waited for: each of the others keeps its beginning. */
const mostKeys = 1_000

/** What opens an event: the key of its session (Client-Server API, `m.megolm.v1.aes-sha2`). */
const keyOf = ({ roomId, sender }: PendingRow, { content }: RawEvent): string =>
  [roomId, sender, String(content["session_id"])].join(" ")

/** Opens what was encrypted. Remembers since when each key has been missing in this life of the process. */
export const makeOpener = Effect.sync(() => {
  const missingSince = new Map<string, number>()
  const noteMissing = (key: string, now: number): number => {
    const since = missingSince.get(key) ?? now
    missingSince.set(key, since)
    for (const [oldest, from] of missingSince) {
      if (missingSince.size <= mostKeys || now - from < Duration.toMillis(keyPatience)) break
      if (oldest !== key) missingSince.delete(oldest)
    }
    return since
  }
  return Effect.fn("open")(function*(row: PendingRow, event: RawEvent) {
    if (event.type !== encryptedType) return { _tag: "Clear", event } satisfies Opened
    // What came before this life, or was counted before, says nothing about how it is now.
    const count = (couldRead: boolean) =>
      row.provenance === "live" && !row.takenUp
        ? Effect.flatMap(Health, ({ decrypted }) => decrypted(couldRead))
        : Effect.void
    return yield* (yield* MatrixCrypto).decrypt(row.roomId, event).pipe(
      Effect.tap(count(true)),
      Effect.map((clear): Opened => {
        missingSince.delete(keyOf(row, event))
        return { _tag: "Clear", event: clear }
      }),
      Effect.catchTag("ForgedSender", () => Effect.succeed<Opened>({ _tag: "Forged" })),
      Effect.catchTag(
        "Undecryptable",
        Effect.fnUntraced(function*({ reason }) {
          const now = yield* elapsed
          const since = noteMissing(keyOf(row, event), now)
          const waited = Math.max(now - since, (yield* Clock.currentTimeMillis) - row.receivedAt)
          if (!row.takenUp && waited < Duration.toMillis(keyPatience) && (yield* isHeard(row.sender))) {
            return { _tag: "Later", waitMillis: lookAgain } satisfies Opened
          }
          yield* count(false)
          return { _tag: "Locked", reason } satisfies Opened
        })
      )
    )
  })
})

/** Whether its key is there by now. */
export const isReadable = Effect.fnUntraced(function*({ event, roomId }: PendingRow) {
  return event !== undefined && (yield* Effect.isSuccess((yield* MatrixCrypto).decrypt(roomId, event)))
})

/**
 * What the room is told of an event that cannot be read, once. In a room of two it was meant for the bot, so that the bot speaks up at once. In a
 * larger one it may be talk among others: the bot speaks up when several came that it should have been able to read, and the one in hand is
 * of somebody whom it would answer.
 */
export const tellLocked = Effect.fn("tellLocked")(function*(row: PendingRow, reason: string) {
  const code = referenceCodeOf(row.key)
  yield* Effect.logWarning("message_not_decrypted").pipe(
    Effect.annotateLogs({ code, room: row.roomId, user: row.sender, event: row.key, reason })
  )
  const room = yield* (yield* MatrixRooms).view(row.roomId)
  if (room === undefined || (joinedCount(room) > 2 && !(yield* isTroubleInCompany(row)))) return []
  const text = joinedCount(room) > 2 ? lockedInCompanyText : lockedText
  // The key names the room, not the message: the outbox takes a transaction id once.
  return [yield* statement(row.roomId, `locked.${row.roomId}`, notice(text))]
})

/** One such message in a larger room says something about its sender's client, so many about what the bot can read there. */
const trouble = 3

/** Whether the operator has allowed this person to talk to the bot. */
const isHeard = Effect.fnUntraced(function*(user: UserId) {
  const { admins, allowedServers, allowedUsers } = yield* AppConfig
  const { userId: self } = yield* (yield* MatrixSession).self
  return isAllowed(user, { self, admins, allowedServers, allowedUsers })
})

const isTroubleInCompany = Effect.fnUntraced(function*({ provenance, roomId, sender, takenUp }: PendingRow) {
  if (provenance !== "live" || !(yield* isHeard(sender))) return false
  // The one in hand is among them if it was set aside before.
  return (yield* (yield* Store).inbox.asideIn(roomId)) + (takenUp ? 0 : 1) >= trouble
})
