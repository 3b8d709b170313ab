import * as Effect from "effect/Effect"
import { type Command, helpText } from "../domain/Command.ts"
import { NotTheOwner } from "../domain/Errors.ts"
import type { RoomId, UserId } from "../domain/Ids.ts"
import { readMarker } from "../domain/Marker.ts"
import { type IncomingMessage, notice } from "../domain/Message.ts"
import { AppConfig } from "../layers/AppConfig.ts"
import { ChatManager } from "../layers/ChatManager.ts"
import { MatrixRooms, MatrixSession } from "../layers/MatrixClient.ts"
import { Store } from "../layers/Store.ts"
import { writeMarkerOrLater } from "./Markers.ts"
import { resolveChat } from "./Resolve.ts"
import { whatBecameOf } from "./Why.ts"

/** Carries out a command that somebody typed in a room. What it needs a chat for fails with `UnregisteredRoom` where there is none. */
export const runCommand = Effect.fn("runCommand")(function*(command: Command, message: IncomingMessage) {
  switch (command._tag) {
    case "Help":
      return [notice(helpText((yield* AppConfig).commandPrefix, command.topic))]
    case "Chats":
      return yield* listChats(message.sender, command.archived)
    case "Status":
      return yield* status
    case "Register":
      return yield* register(message, command.title)
    case "Rename":
      return yield* rename(message, command.title)
    case "Archive":
      return yield* archive(message)
    case "Why":
      return yield* why(message, command.about ?? message.replyTo)
  }
})

const notForYou = () => Effect.succeed([notice("Only the owner of this chat can change it.")])

/** Titles are other people's words: shown in a code span, where nothing is markup, fenced by more backticks than they hold. */
const quoted = (title: string): string => {
  const fence = "`".repeat(1 + Math.max(0, ...Array.from(title.matchAll(/`+/g), ([run]) => run.length)))
  return title.includes("`") ? `${fence} ${title} ${fence}` : `${fence}${title}${fence}`
}

const linkTo = (room: RoomId): string => `https://matrix.to/#/${encodeURIComponent(room)}`

const listChats = Effect.fnUntraced(function*(owner: UserId, archived: boolean) {
  const { commandPrefix } = yield* AppConfig
  const chats = (yield* (yield* ChatManager).list(owner)).filter((chat) => archived || !chat.archived)
  if (chats.length === 0) {
    return [
      notice(
        `You have no chats${
          archived ? "" : " that are open"
        }. Invite me to a room, or type \`${commandPrefix}register\` in this one.`
      )
    ]
  }
  const lines = chats.slice(0, longestList).map((chat) =>
    `- ${quoted(chat.title)}${chat.archived ? " (archived)" : ""} ` +
    (chat.binding === null ? `(no room: ${chat.detached ?? "unbound"})` : `– [open](${linkTo(chat.binding.roomId)})`)
  )
  const more = chats.length > longestList ? [`- … and ${chats.length - longestList} more`] : []
  return [notice([`Your chats:`, "", ...lines, ...more].join("\n"))]
})

const longestList = 50

const status = Effect.gen(function*() {
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
    `- ${inbox.pending} messages in hand, ${inbox.answered} answered, ${inbox.ignored} ignored, ${inbox.failed} failed`,
    `- ${outbox.pending} replies to send, ${outbox.sent} sent, ${outbox.dead} that could not be delivered`,
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
    const chat = title === undefined || opened.owner !== message.sender ? opened : yield* chats.rename(opened.id, title)
    yield* writeMarkerOrLater(chat)
    return [notice(
      chat.archived
        ? `This room shows ${quoted(chat.title)}, which its owner has archived. Only the owner can open it again.`
        : known.archived
        ? `${quoted(chat.title)} is open again.`
        : `This room already shows the chat ${quoted(chat.title)}.`
    )]
  }
  const room = yield* (yield* MatrixRooms).view(message.roomId)
  // A newer Homing knows this chat: what it wrote is not ours to overwrite.
  if (readMarker(room?.marker)._tag === "NewerVersion") {
    return [notice("This room shows a chat of a newer version of me. Ask the operator to update Homing.")]
  }
  const ownerName = room?.members.get(message.sender)?.displayName ?? message.sender
  const chat = yield* chats.register({
    room: message.roomId,
    owner: message.sender,
    ownerName,
    title: title ?? room?.name ?? `Chat with ${ownerName}`
  })
  yield* writeMarkerOrLater(chat)
  return [notice(`This room now shows the chat ${quoted(chat.title)}. Just write to me.`)]
})

/** The chat of this room, for its owner to change. */
const ownChat = Effect.fnUntraced(function*(message: IncomingMessage) {
  const chat = yield* resolveChat(message)
  return chat.owner === message.sender ? chat : yield* new NotTheOwner({ chat: chat.id, user: message.sender })
})

const rename = Effect.fnUntraced(function*(message: IncomingMessage, title: string) {
  const chat = yield* (yield* ChatManager).rename((yield* ownChat(message)).id, title)
  yield* writeMarkerOrLater(chat)
  return [notice(`This chat is now called ${quoted(chat.title)}.`)]
}, Effect.catchTag("NotTheOwner", notForYou))

const archive = Effect.fnUntraced(function*(message: IncomingMessage) {
  const chat = yield* (yield* ChatManager).setArchived((yield* ownChat(message)).id, true)
  yield* writeMarkerOrLater(chat)
  const { commandPrefix } = yield* AppConfig
  return [notice(`${quoted(chat.title)} is archived. Type \`${commandPrefix}register\` here to open it again.`)]
}, Effect.catchTag("NotTheOwner", notForYou))
