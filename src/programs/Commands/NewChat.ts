import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { cleanTitle } from "../../domain/Chat.ts"
import { codeSpan } from "../../domain/CodeSpan.ts"
import { serverOf } from "../../domain/Ids.ts"
import { type IncomingMessage, notice } from "../../domain/Message.ts"
import { isAllowed } from "../../domain/Policy.ts"
import { AppConfig } from "../../layers/AppConfig.ts"
import { newChatId } from "../../layers/ChatManager.ts"
import { MatrixRooms, MatrixSession } from "../../layers/MatrixClient.ts"
import { provisionChat } from "../Provision.ts"
import { linkTo } from "./RoomLink.ts"

/** `!new`: a room for a new chat of the person who asks. */
export const newChat = Effect.fnUntraced(function*(message: IncomingMessage, title: string | undefined) {
  const config = yield* AppConfig
  const { userId: self } = yield* (yield* MatrixSession).self
  // An owner may share a room with people whom the operator has not named: that is no leave to have rooms made.
  if (!isAllowed(message.sender, { ...config, self })) {
    return [notice("Only people whom my operator allows to talk to me can open new chats.")]
  }
  const room = yield* (yield* MatrixRooms).view(message.roomId)
  const ownerName = cleanTitle(room?.members.get(message.sender)?.displayName ?? "") || cleanTitle(message.sender)
  const made = yield* provisionChat({
    version: 1,
    kind: "chat",
    request: message.eventId,
    owner: message.sender,
    owner_name: ownerName,
    title: title ?? cleanTitle(`Chat with ${ownerName}`),
    chat_id: yield* newChatId,
    created_at: yield* Clock.currentTimeMillis
  })
  const link = linkTo(made.roomId, serverOf(self))
  return [notice(
    `${codeSpan(made.title)} has a room now: [open](${link}). You are invited to it, and to your Space, which lists it.`
  )]
}, (effect, message) =>
  Effect.catchTag(effect, "MatrixFailure", (failure) =>
    Effect.logWarning("room_not_made").pipe(
      Effect.annotateLogs({ user: message.sender, event: message.eventId, problem: failure.message }),
      Effect.as([notice(`The homeserver does not let me make this room: ${failure.detail}`)])
    )))
