import * as Effect from "effect/Effect"
import type { Chat } from "../domain/Chat.ts"
import { markerOf } from "../domain/Marker.ts"
import { ChatManager } from "../layers/ChatManager.ts"
import { MatrixProvisioning, MatrixSession } from "../layers/MatrixClient.ts"

/** Writes the marker of a chat to its room, and notes that it stands there. */
export const writeMarker = Effect.fn("writeMarker")(function*(chat: Chat) {
  const { userId: account } = yield* (yield* MatrixSession).self
  const marker = markerOf(account, chat)
  if (marker === undefined) return
  yield* (yield* MatrixProvisioning).writeMarker(marker.room_id, marker)
  // Chats are never deleted: one that is gone here would be a bug.
  yield* (yield* ChatManager).markerWritten(chat.id, chat.revision).pipe(Effect.catchTag("ChatNotFound", Effect.die))
})

/** The same where a marker that cannot be written now must not spoil what was done: the next round writes it. */
export const writeMarkerOrLater = (chat: Chat) =>
  writeMarker(chat).pipe(
    Effect.catchTag("MatrixFailure", (failure) =>
      Effect.logWarning("marker_not_written").pipe(
        Effect.annotateLogs({ chat: chat.id, room: chat.binding?.roomId, problem: failure.message })
      ))
  )

/**
 * Writes every marker that is missing or behind: what a crash, an unreachable server or a repair left open. Runs after the
 * gate, as unfinished business of the commands and invites that made the chats; reconciliation itself only reads.
 */
export const writeOpenMarkers = Effect.fn("writeOpenMarkers")(function*() {
  const open = yield* (yield* ChatManager).unmarked
  yield* Effect.forEach(open, writeMarkerOrLater, { concurrency: 4, discard: true })
})
