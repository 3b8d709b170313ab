import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { type Chat, cleanTitle } from "../../domain/Chat.ts"
import { codeSpan } from "../../domain/CodeSpan.ts"
import { afterFailure } from "../../domain/Delivery.ts"
import type { MatrixFailure } from "../../domain/Errors.ts"
import type { RoomId } from "../../domain/Ids.ts"
import { type IncomingMessage, notice } from "../../domain/Message.ts"
import { ChatManager } from "../../layers/ChatManager.ts"
import { MatrixProvisioning, MatrixRooms } from "../../layers/MatrixClient.ts"
import { writeMarkerOrLater } from "../Markers.ts"
import { notForYou, ownChat } from "./OwnChat.ts"

/** `!rename`: the chat of this room and the room itself, for the owner only. */
export const renameChat = Effect.fnUntraced(function*(message: IncomingMessage, title: string) {
  const { chat, problem } = yield* renamed((yield* ownChat(message)).id, title)
  return [notice(`This chat is now called ${codeSpan(chat.title)}.${problem}`)]
}, Effect.catchTag("NotTheOwner", notForYou))

/**
 * Chat -> room -> marker. The name of the room is noted as seen when the room has it, and not before: whatever ends this in between, the
 * title stands, and a room that kept its name is not taken for one that was renamed. `problem`: a sentence, or nothing.
 */
export const renamed = Effect.fnUntraced(function*(id: Chat["id"], title: string) {
  const chats = yield* ChatManager
  const chat = yield* chats.rename(id, title)
  const problem = chat.binding === null ? "" : yield* roomRenamed(chat.binding.roomId, chat)
  yield* writeMarkerOrLater(chat)
  return { chat, problem }
})

const roomRenamed = Effect.fnUntraced(function*(roomId: RoomId, { id, title }: Chat) {
  const room = yield* (yield* MatrixRooms).view(roomId)
  if (title === "" || cleanTitle(room?.name ?? "") === title) return ""
  return yield* (yield* MatrixProvisioning).setName(roomId, title).pipe(
    Effect.retry({ schedule: shortly, while: ({ reason }) => afterFailure(reason, 1)._tag === "Retry" }),
    Effect.andThen((yield* ChatManager).roomNamed(id, title)),
    Effect.as(""),
    Effect.catchTag("MatrixFailure", (failure) => Effect.succeed(` ${notRenamed(failure)}`))
  )
})

const notRenamed = ({ detail, reason }: MatrixFailure): string =>
  reason._tag === "Forbidden"
    ? "I may not rename the room, so it keeps its name."
    : `The room keeps its name: the homeserver does not let me change it now (${detail}).`

/** Somebody waits for the answer. */
const shortly = Schedule.max([Schedule.exponential("1 second"), Schedule.recurs(3)])
