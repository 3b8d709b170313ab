import * as Effect from "effect/Effect"
import { NotTheOwner } from "../../domain/Errors.ts"
import { type IncomingMessage, notice } from "../../domain/Message.ts"
import { resolveChat } from "../Resolve.ts"

/** The chat of this room, for its owner to change. */
export const ownChat = Effect.fnUntraced(function*(message: IncomingMessage) {
  const chat = yield* resolveChat(message)
  return chat.owner === message.sender ? chat : yield* new NotTheOwner({ chat: chat.id, user: message.sender })
})

/** What anybody else is told. */
export const notForYou = () => Effect.succeed([notice("Only the owner of this chat can change it.")])
