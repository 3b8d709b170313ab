import * as Effect from "effect/Effect"
import { adminHelpText } from "../domain/AdminCommand.ts"
import type { Chat } from "../domain/Chat.ts"
import { codeSpan } from "../domain/CodeSpan.ts"
import { type Command, helpText } from "../domain/Command.ts"
import { decryptionLine } from "../domain/Encryption.ts"
import { type IncomingMessage, notice } from "../domain/Message.ts"
import { plural } from "../domain/Plural.ts"
import { AppConfig } from "../layers/AppConfig.ts"
import { ChatManager } from "../layers/ChatManager.ts"
import { Health } from "../layers/Health.ts"
import { MatrixRooms, MatrixSession } from "../layers/MatrixClient.ts"
import { OfferedResponders } from "../layers/Responder.ts"
import { Store } from "../layers/Store.ts"
import { isForAdmins } from "./AdminRoom.ts"
import { askToDelete } from "./Commands/AskToDelete.ts"
import { listChats } from "./Commands/ListChats.ts"
import { moveChat } from "./Commands/MoveChat.ts"
import { newChat } from "./Commands/NewChat.ts"
import { notForYou, ownChat } from "./Commands/OwnChat.ts"
import { renameChat, renamed } from "./Commands/RenameChat.ts"
import { changeSetting, showSettings } from "./Commands/Settings.ts"
import { newerChatText, showsNewerChat, writeMarkerOrLater } from "./Markers.ts"
import { resolveChat } from "./Resolve.ts"
import { whatBecameOf } from "./Why.ts"

/** Carries out a command that somebody typed in a room. What it needs a chat for fails with `UnregisteredRoom` where there is none. */
export const runCommand = Effect.fn("runCommand")(function*(command: Command, message: IncomingMessage) {
  switch (command._tag) {
    case "Help":
      return [notice(yield* help(message, command.topic))]
    case "Chats":
      return yield* listChats(message.sender, command)
    case "Status":
      return yield* status
    case "Register":
      return yield* register(message, command.title)
    case "New":
      return yield* newChat(message, command.title)
    case "Rename":
      return yield* renameChat(message, command.title)
    case "Move":
      return yield* moveChat(message, command.chat)
    case "Archive":
      return yield* archive(message)
    case "Unarchive":
      return yield* unarchive(message)
    case "Delete":
      return yield* askToDelete(message, command.confirmed)
    case "Settings":
      return yield* showSettings(message)
    case "Set":
      return yield* changeSetting(message, command.name, command.value)
    case "Why":
      return yield* why(message, command.about ?? message.replyTo)
  }
})

const help = Effect.fnUntraced(function*(message: IncomingMessage, topic: string | undefined) {
  const { commandPrefix } = yield* AppConfig
  const text = helpText(commandPrefix, topic, yield* OfferedResponders)
  return topic === undefined && (yield* isForAdmins(message)) ? `${text}\n\n${adminHelpText(commandPrefix)}` : text
})

/** `!status`: the same for everybody. */
export const status = Effect.gen(function*() {
  const session = yield* (yield* MatrixSession).self
  const store = yield* Store
  const chats = yield* (yield* ChatManager).list()
  const inbox = yield* store.inbox.counts
  const outbox = yield* store.outbox.counts
  const [report] = yield* store.reports.latest(1)
  const withoutRoom = chats.filter((chat) => chat.binding === null).length
  const lines = [
    `- account ${session.userId}, device ${session.deviceId}`,
    `- ${chats.length === 1 ? "1 chat" : `${chats.length} chats`}, ${withoutRoom} of them without a room`,
    `- ${
      plural(inbox.pending, "message")
    } in hand, ${inbox.answered} answered, ${inbox.ignored} ignored, ${inbox.failed} failed`,
    `- ${outbox.pending} replies to send, ${outbox.sent} sent, ${outbox.dead} that could not be delivered`,
    `- ${decryptionLine(yield* (yield* Health).decryptions)}`,
    ...(report === undefined ? [] : [
      `- last reconciliation: ${report.rooms} rooms, ${report.restored} restored, ${report.updated} updated, ` +
      `${report.moved} moved, ${report.detached} detached, ${report.skipped} skipped, ${report.conflicts} conflicts`
    ])
  ]
  return [notice(["I am running.", "", ...lines].join("\n"))]
})

/** What became of a message of this room. What was said elsewhere is nobody's business here. */
const why = Effect.fnUntraced(function*(message: IncomingMessage, about: string | undefined) {
  if (about === undefined) return [notice("Reply to the message that you mean, or give me its reference code.")]
  const told = yield* whatBecameOf(about, message.roomId).pipe(
    Effect.catchTag("NothingKnown", () => Effect.succeed(["I know nothing of this message in this room."]))
  )
  return [notice(told.join("\n"))]
})

/** Makes this room show a chat: the one it had, if the server remembers one, else a new one of the person who asks. */
const register = Effect.fnUntraced(function*(message: IncomingMessage, title: string | undefined) {
  const chats = yield* ChatManager
  const known = yield* resolveChat(message).pipe(Effect.catchTag("UnregisteredRoom", () => Effect.succeed(undefined)))
  if (known !== undefined) {
    const opened = known.archived && known.owner === message.sender ? yield* chats.setArchived(known.id, false) : known
    const { chat, problem } = opened.owner === message.sender ? yield* titled(opened, title) : asItIs(opened)
    yield* writeMarkerOrLater(chat)
    return [notice(
      chat.archived
        ? `This room shows ${codeSpan(chat.title)}, which its owner has archived. Only the owner can open it again.`
        : known.archived
        ? `${codeSpan(chat.title)} is open again.${problem}`
        : chat.title === known.title
        ? `This room already shows the chat ${codeSpan(chat.title)}.${problem}`
        : `The chat of this room is now called ${codeSpan(chat.title)}.${problem}`
    )]
  }
  const room = yield* (yield* MatrixRooms).view(message.roomId)
  if (room?.isSpace === true) return [notice("This is a Space: it lists rooms, and shows no chat itself.")]
  if (showsNewerChat(room)) return [notice(newerChatText)]
  const ownerName = room?.members.get(message.sender)?.displayName ?? message.sender
  const registered = yield* chats.register({
    room: message.roomId,
    owner: message.sender,
    ownerName,
    title: title ?? room?.name ?? `Chat with ${ownerName}`,
    roomName: room?.name
  })
  const { chat, problem } = yield* titled(registered, title)
  yield* writeMarkerOrLater(chat)
  return [notice(`This room now shows the chat ${codeSpan(chat.title)}. Just write to me.${problem}`)]
})

/** The chat, and its room, get the title that was typed, if one was. */
const titled = (chat: Chat, title: string | undefined) =>
  title === undefined ? Effect.succeed(asItIs(chat)) : renamed(chat.id, title)

const asItIs = (chat: Chat) => ({ chat, problem: "" })

const archive = Effect.fnUntraced(function*(message: IncomingMessage) {
  const chat = yield* (yield* ChatManager).setArchived((yield* ownChat(message)).id, true)
  yield* writeMarkerOrLater(chat)
  const howBack = codeSpan(`${(yield* AppConfig).commandPrefix}unarchive`)
  return [notice(`${codeSpan(chat.title)} is archived. Type ${howBack} here to open it again.`)]
}, Effect.catchTag("NotTheOwner", notForYou))

const unarchive = Effect.fnUntraced(function*(message: IncomingMessage) {
  const before = yield* ownChat(message)
  const chat = yield* (yield* ChatManager).setArchived(before.id, false)
  yield* writeMarkerOrLater(chat)
  return [notice(`${codeSpan(chat.title)} is ${before.archived ? "open again" : "not archived"}.`)]
}, Effect.catchTag("NotTheOwner", notForYou))
