import * as Effect from "effect/Effect"
import { ChatArchived, UnregisteredRoom } from "../domain/Errors.ts"
import type { ChatId } from "../domain/Ids.ts"
import type { IncomingMessage } from "../domain/Message.ts"
import type { ServerRoom } from "../domain/ServerRoom.ts"
import { ChatManager } from "../layers/ChatManager.ts"
import { type Repair, RepairMemory } from "../layers/RepairMemory.ts"
import { reconcileRoom, reconcileSeen } from "./Reconcile.ts"

type Address = Pick<IncomingMessage, "roomId" | "sender">

/**
 * The chat that a message belongs to. A room that nobody knows gets one repair and one more try, and then stays
 * `UnregisteredRoom`: no chat is made up, and no room created, on this path. The type has no `MatrixProvisioning`. `seen`: the room as it
 * was read a moment ago, so that the repair need not.
 *
 * Whoever asks by a command or an invite is always looked for; what is just said waits while a repair is known not to help.
 */
export const resolveChat = (address: Address, seen?: ServerRoom) => resolve(address, repairAndRetry(address, seen))

/** The same, for a message that wants an answer: an archived chat gives none. */
export const resolveOpenChat = Effect.fnUntraced(function*(address: Address) {
  const chat = yield* resolve(address, unlessInVain(address))
  return chat.archived ? yield* new ChatArchived({ chat: chat.id, title: chat.title }) : chat
})

const resolve = Effect.fnUntraced(function*<E, R>({ roomId, sender }: Address, otherwise: Effect.Effect<ChatId, E, R>) {
  const chats = yield* ChatManager
  const id = yield* chats.resolve(roomId, sender).pipe(Effect.catchTag("UnregisteredRoom", () => otherwise))
  yield* (yield* RepairMemory).forget(roomId)
  return yield* chats.get(id).pipe(
    Effect.catchTag("ChatNotFound", () => Effect.fail(new UnregisteredRoom({ room: roomId, user: sender })))
  )
})

const unlessInVain = Effect.fnUntraced(function*({ roomId, sender }: Address) {
  const toldAs = yield* (yield* RepairMemory).standing(roomId)
  if (toldAs !== undefined) return yield* new UnregisteredRoom({ room: roomId, user: sender, toldAs })
  return yield* repairAndRetry({ roomId, sender })
})

const repairAndRetry = Effect.fnUntraced(function*({ roomId, sender }: Address, seen?: ServerRoom) {
  const reconciled = (seen === undefined ? reconcileRoom(roomId) : reconcileSeen(seen)).pipe(
    Effect.map((report): Repair => report.reasons),
    // A server that cannot be read now leaves the room unregistered; the next repair tries again.
    Effect.catchTag("MatrixFailure", (failure) => Effect.succeed({ [`room_not_readable.${failure.reason._tag}`]: 1 }))
  )
  const repair = yield* (yield* RepairMemory).repair(roomId, reconciled)
  yield* Effect.logInfo("room_repair").pipe(Effect.annotateLogs({ room: roomId, user: sender, repair }))
  return yield* (yield* ChatManager).resolve(roomId, sender).pipe(
    Effect.catchTag("UnregisteredRoom", () => Effect.fail(new UnregisteredRoom({ room: roomId, user: sender, repair })))
  )
})
