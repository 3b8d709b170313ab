import * as Effect from "effect/Effect"
import { transactionIdOf } from "../../domain/Delivery.ts"
import type { ChatId, RoomId, UserId } from "../../domain/Ids.ts"
import { leaveType, notice, type TextReply } from "../../domain/Message.ts"
import { ChatManager } from "../../layers/ChatManager.ts"
import { statement } from "../../layers/Rendering.ts"
import { Store } from "../../layers/Store.ts"

const nothingToSay: ReadonlyArray<TextReply> = []

/**
 * Deletes a chat for good. The chat is gone in the transaction that puts the goodbye and the leaving of its room into the outbox, where
 * they are carried out in this order: a crash leaves either all of it to be done or none. Its marker is emptied before the bot leaves; as long
 * as it stands, the chat is known to be deleted and is not restored from it.
 *
 * Undefined when it may not be deleted: it is too late, or the chat is another's or shown elsewhere by now. Done twice, it is done once.
 */
export const deleteChat = Effect.fn("deleteChat")(function*(
  id: ChatId,
  { asker, roomId }: { readonly asker: UserId; readonly roomId: RoomId },
  isOver: boolean
) {
  const store = yield* Store
  const chats = yield* ChatManager
  const chat = yield* store.chats.byId(id)
  if (chat === undefined) return nothingToSay
  if (isOver || chat.owner !== asker || chat.binding?.roomId !== roomId) return undefined

  const about = `deleted.${id}`
  const goodbye = yield* statement(roomId, about, notice("This chat is deleted. Goodbye!"))
  const leave = { roomId, transactionId: transactionIdOf(about, 1), type: leaveType, content: {} }
  yield* store.transaction(Effect.gen(function*() {
    yield* chats.delete(id)
    yield* store.outbox.announce(goodbye, { about, sender: asker })
    yield* store.outbox.announce(leave, { about: `${about}.leave`, sender: asker })
  }))
  yield* Effect.logInfo("chat_deleted").pipe(Effect.annotateLogs({ chat: id, room: roomId, user: asker }))
  return nothingToSay
})
