import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { type Arrived, encryptedType } from "../domain/Arrival.ts"
import type { Chat } from "../domain/Chat.ts"
import { noSettings, rulesOf } from "../domain/ChatSettings.ts"
import type { IncomingMessage } from "../domain/Message.ts"
import { decidePolicy, readMessage } from "../domain/Policy.ts"
import { joinedCount, type ServerRoom } from "../domain/ServerRoom.ts"
import { AppConfig } from "../layers/AppConfig.ts"
import { MatrixRooms, MatrixSession } from "../layers/MatrixClient.ts"
import { Store } from "../layers/Store.ts"

/** What the policy gate has to know besides the message itself. */
export const policyContext = Effect.fnUntraced(function*(message: IncomingMessage, room: ServerRoom | undefined) {
  return yield* contextIn(yield* (yield* Store).chats.byRoom(message.roomId), message, room)
})

/** The same where the chat of the room is known: what its owner set counts. */
const contextIn = Effect.fnUntraced(function*(
  chat: Chat | undefined,
  message: IncomingMessage,
  room: ServerRoom | undefined
) {
  const { admins, allowedServers, allowedUsers, backlog, commandPrefix } = yield* AppConfig
  const { userId: self } = yield* (yield* MatrixSession).self
  const repliesToSelf = message.replyTo !== undefined && (yield* (yield* Store).outbox.hasSent(message.replyTo))
  const joinedMembers = room === undefined ? 0 : joinedCount(room)
  const rules = rulesOf(chat?.settings ?? noSettings, backlog)
  return {
    self,
    admins,
    allowedUsers,
    allowedServers,
    commandPrefix,
    joinedMembers,
    repliesToSelf,
    owner: chat?.owner,
    rules
  }
})

/** Whether the gate lets a message through, before anything is done about it. `chat` is what its room shows. */
export const wouldAccept = Effect.fnUntraced(function*(
  { event, provenance, roomId }: Arrived,
  chat: Chat | undefined
) {
  // What it says is not known yet: it may well be accepted.
  if (event.type === encryptedType) return true
  const reading = readMessage(event, roomId, provenance)
  if (Result.isFailure(reading)) return false
  const room = yield* (yield* MatrixRooms).view(roomId)
  return decidePolicy(reading.success, yield* contextIn(chat, reading.success, room))._tag === "Accept"
})
