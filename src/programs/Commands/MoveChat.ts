import * as Effect from "effect/Effect"
import type { Chat } from "../../domain/Chat.ts"
import { chooseChat, nameOf } from "../../domain/ChatChoice.ts"
import { codeSpan } from "../../domain/CodeSpan.ts"
import { type IncomingMessage, notice } from "../../domain/Message.ts"
import { AppConfig } from "../../layers/AppConfig.ts"
import { ChatManager } from "../../layers/ChatManager.ts"
import { MatrixRooms } from "../../layers/MatrixClient.ts"
import { clearMarker, newerChatText, showsNewerChat, writeMarkerAndLeave } from "../Markers.ts"
import { resolveChat } from "../Resolve.ts"
import { linkTo } from "./RoomLink.ts"

/**
 * `!move`: this room shows a chat of the person who asks from now on. Room cleared -> chat moved, here -> its marker -> the marker of
 * before taken away. In this order the chat is never without a marker that speaks for it, and done again it does nothing twice.
 */
export const moveChat = Effect.fnUntraced(function*(message: IncomingMessage, typed: string) {
  const { commandPrefix } = yield* AppConfig
  const chats = yield* ChatManager
  const all = yield* chats.list(message.sender)
  const choice = chooseChat(all, typed, message.roomId)
  if (choice._tag === "None") {
    return [notice(`You have no chat of this title or id. ${codeSpan(`${commandPrefix}chats all`)} lists all of them.`)]
  }
  if (choice._tag === "Several") return [notice(whichOne(choice.chats, commandPrefix))]
  const { chat } = choice

  const here = yield* resolveChat(message).pipe(Effect.catchTag("UnregisteredRoom", () => Effect.succeed(undefined)))
  const room = yield* (yield* MatrixRooms).view(message.roomId)
  if (room?.isSpace === true) return [notice("This is a Space: it lists rooms, and shows no chat itself.")]
  if (showsNewerChat(room)) return [notice(newerChatText)]
  const again = codeSpan(`${commandPrefix}move ${nameOf(chat, all)}`)
  const inTheWay = here !== undefined && here.id !== chat.id && (here.owner !== message.sender || !here.fresh)
  if (inTheWay) return [notice(taken(here, message, again, codeSpan(`${commandPrefix}new`)))]

  // What stood there for another chat must not speak once that is gone.
  if (here?.id !== chat.id) yield* clearMarker(message.roomId)
  const moved = yield* chats.move(chat.id, { room: message.roomId, roomName: room?.name })
  yield* writeMarkerAndLeave(moved)
  const before = chat.binding === null || chat.binding.roomId === message.roomId
    ? "."
    : `; [the room of before](${linkTo(chat.binding.roomId)}) shows no chat any more.`
  const closed = moved.archived ? ` It is archived: ${codeSpan(`${commandPrefix}unarchive`)} opens it again.` : ""
  return [notice(`${codeSpan(moved.title)} goes on in this room${before}${closed}`)]
}, (effect) =>
  Effect.catchTags(effect, {
    MatrixFailure: (failure) =>
      Effect.succeed([
        notice(`The homeserver does not let me do this now, and nothing was changed: ${failure.detail}`)
      ]),
    // Both were asked a moment ago: somebody was faster.
    RoomTaken: () => Effect.succeed([notice("This room shows another chat since a moment ago. Nothing was changed.")]),
    ChatNotFound: () => Effect.succeed([notice("This chat is gone since a moment ago. Nothing was changed.")])
  }))

const taken = (here: Chat, { sender }: IncomingMessage, again: string, makeRoom: string): string =>
  here.owner === sender
    ? `This room shows the chat ${codeSpan(here.title)}, and a room shows one chat. ` +
      `Type ${again} in a room without one; ${makeRoom} makes a room where you can.`
    : "This room shows the chat of somebody else, and a room shows one chat."

const whichOne = (chats: ReadonlyArray<Chat>, prefix: string): string =>
  [
    `You have several chats of this title. Type ${
      codeSpan(`${prefix}move <id>`)
    } with the id of the one that you mean:`,
    "",
    ...chats.slice(0, mostListed).map(({ binding, id }) =>
      `- ${codeSpan(id)}${binding === null ? " (no room)" : ` – [open](${linkTo(binding.roomId)})`}`
    )
  ].join("\n")

const mostListed = 20
