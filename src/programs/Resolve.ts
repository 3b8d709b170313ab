import * as Effect from "effect/Effect"
import { ChatArchived, UnregisteredRoom } from "../domain/Errors.ts"
import type { IncomingMessage } from "../domain/Message.ts"
import type { ServerRoom } from "../domain/ServerRoom.ts"
import { ChatManager } from "../layers/ChatManager.ts"
import { reconcileRoom, reconcileSeen } from "./Reconcile.ts"

type Address = Pick<IncomingMessage, "roomId" | "sender">

/**
 * The chat that a message belongs to. A room that nobody knows gets one repair and one more try, and then stays
 * `UnregisteredRoom`: no chat is made up, and no room created, on this path. The type has no `MatrixProvisioning`. `seen`: the room as it
 * was read a moment ago, so that the repair need not.
 */
export const resolveChat = Effect.fnUntraced(function*({ roomId, sender }: Address, seen?: ServerRoom) {
  const chats = yield* ChatManager
  const id = yield* chats.resolve(roomId, sender).pipe(
    Effect.catchTag("UnregisteredRoom", () => repairAndRetry({ roomId, sender }, seen))
  )
  return yield* chats.get(id).pipe(
    Effect.catchTag("ChatNotFound", () => Effect.fail(new UnregisteredRoom({ room: roomId, user: sender })))
  )
})

/** The same, for a message that wants an answer: an archived chat gives none. */
export const resolveOpenChat = Effect.fnUntraced(function*(address: Address) {
  const chat = yield* resolveChat(address)
  return chat.archived ? yield* new ChatArchived({ chat: chat.id, title: chat.title }) : chat
})

const repairAndRetry = Effect.fnUntraced(function*({ roomId, sender }: Address, seen: ServerRoom | undefined) {
  const repair = yield* (seen === undefined ? reconcileRoom(roomId) : reconcileSeen(seen)).pipe(
    Effect.map((report) => report.reasons),
    // A server that cannot be read now leaves the room unregistered; the next message tries again.
    Effect.catchTag("MatrixFailure", (failure) => Effect.succeed({ [`room_not_readable.${failure.reason._tag}`]: 1 }))
  )
  yield* Effect.logInfo("room_repair").pipe(Effect.annotateLogs({ room: roomId, user: sender, repair }))
  return yield* (yield* ChatManager).resolve(roomId, sender).pipe(
    Effect.catchTag("UnregisteredRoom", () => Effect.fail(new UnregisteredRoom({ room: roomId, user: sender, repair })))
  )
})
