import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type AdminCommand, adminHelpText } from "../../domain/AdminCommand.ts"
import { codeBlock, codeSpan } from "../../domain/CodeSpan.ts"
import type { RoomId, TransactionId } from "../../domain/Ids.ts"
import { type IncomingMessage, notice, type Reply } from "../../domain/Message.ts"
import { plural } from "../../domain/Plural.ts"
import { AppConfig } from "../../layers/AppConfig.ts"
import { ChatManager } from "../../layers/ChatManager.ts"
import { Health } from "../../layers/Health.ts"
import { MatrixProvisioning, MatrixRooms, MatrixSession } from "../../layers/MatrixClient.ts"
import { Store } from "../../layers/Store.ts"
import { status } from "../Commands.ts"
import { previewOf, renderedPreview } from "../Preview.ts"
import { type ListedChat, readChats, stateOf } from "../ShowChats.ts"
import { renderedOutbox } from "../ShowOutbox.ts"
import { ago } from "./ListChats.ts"
import { linkTo } from "./RoomLink.ts"

/** Carries out what an operator typed in a room with nobody but the bot: what the command line shows, and a little more. Needs no chat. */
export const runAdminCommand = Effect.fn("runAdminCommand")(function*(command: AdminCommand, message: IncomingMessage) {
  switch (command._tag) {
    case "Help":
      return [notice(adminHelpText((yield* AppConfig).commandPrefix))]
    case "Status":
      return yield* adminStatus
    case "Chats":
      return yield* allChats(command.page)
    case "Reconcile":
      return yield* wouldReconcile
    case "Outbox":
      return yield* showOutbox
    case "Retry":
      return yield* retry(command.id)
    case "Drop":
      return yield* drop(command.id)
    case "Leave":
      return yield* leave(command.room, message)
  }
})

/** What everybody can ask for, and how the process is. */
const adminStatus = Effect.gen(function*() {
  const { lastSyncAt, phase } = yield* (yield* Health).get
  const now = yield* Clock.currentTimeMillis
  const synced = lastSyncAt === undefined ? "no sync answer yet" : `last sync answer ${ago(now - lastSyncAt)}`
  const told = yield* status
  return told.map((reply): Reply => ({ ...reply, markdown: `${reply.markdown}\n- ${phase}, ${synced}` }))
})

/** More than this nobody reads in one message. */
const pageLength = 20

/** A page of everybody's chats, those first where somebody wrote last. */
export const allChats = Effect.fnUntraced(function*(page: number) {
  const chats = yield* readChats
  if (chats.length === 0) return [notice("There are no chats.")]
  const pages = Math.ceil(chats.length / pageLength)
  if (page > pages) return [notice(`There is no page ${page}: the last one is ${pages}.`)]
  const now = yield* Clock.currentTimeMillis
  return [notice([
    `${plural(chats.length, "chat")}${pages === 1 ? "" : `, page ${page} of ${pages}`}:`,
    "",
    ...chats.slice((page - 1) * pageLength, page * pageLength).map((chat) => lineOf(chat, now))
  ].join("\n"))]
})

const lineOf = (chat: ListedChat, now: number): string =>
  `- ${codeSpan(chat.title)} of ${codeSpan(chat.owner)}, ${stateOf(chat)}` +
  (chat.room === null ? "" : `, [${codeSpan(chat.room)}](${linkTo(chat.room)})`) +
  (chat.lastMessageAt === null ? "" : `, last message ${ago(now - chat.lastMessageAt)}`)

const wouldReconcile = Effect.gen(function*() {
  const { userId: account } = yield* (yield* MatrixSession).self
  const preview = yield* previewOf(account, yield* (yield* MatrixRooms).snapshot)
  return [notice(codeBlock(renderedPreview(preview, (yield* AppConfig).commandPrefix)))]
})

const mostRows = 20

const showOutbox = Effect.gen(function*() {
  const { outbox } = yield* Store
  const { dead, pending } = yield* outbox.counts
  const rows = yield* outbox.list({ states: ["pending", "dead"], limit: mostRows })
  // The answer to this very question is not among them.
  if (rows.length === 0) return [notice("Everything was delivered.")]
  const more = dead + pending - rows.length
  return [notice(codeBlock(renderedOutbox(rows)) + (more > 0 ? `\n\nand ${more} more` : ""))]
})

const retry = Effect.fnUntraced(function*(id: TransactionId) {
  return (yield* (yield* Store).outbox.retry(id))
    ? [notice(`${codeSpan(id)} will be sent again within a minute.`)]
    : [notice(`There is no message ${codeSpan(id)} that could not be delivered.`)]
})

const drop = Effect.fnUntraced(function*(id: TransactionId) {
  return (yield* (yield* Store).outbox.drop(id))
    ? [notice(`${codeSpan(id)} will not be sent.`)]
    : [notice(`There is no message ${codeSpan(id)} that was not sent.`)]
})

/** First the server: ended in between, the sync answer that tells of it detaches the chat, for the same reason. */
const leave = Effect.fnUntraced(
  function*(room: RoomId, message: IncomingMessage) {
    if (room === message.roomId) return [notice("I would have no room to tell you that I did: leave it yourself.")]
    if ((yield* (yield* MatrixRooms).view(room))?.membership !== "join") {
      return [notice(`I am not in ${codeSpan(room)}.`)]
    }
    yield* (yield* MatrixProvisioning).leave(room)
    const chat = yield* (yield* Store).chats.byRoom(room)
    if (chat !== undefined) {
      yield* (yield* ChatManager).detach(chat.id, "left").pipe(Effect.catchTag("ChatNotFound", () => Effect.void))
    }
    yield* Effect.logInfo("room_left_for_admin").pipe(Effect.annotateLogs({ room, user: message.sender }))
    return [notice(
      `I have left ${codeSpan(room)}.` +
        (chat === undefined
          ? ""
          : ` Its chat ${codeSpan(chat.title)} is kept without a room; an invite brings it back.`)
    )]
  },
  (effect, room) =>
    Effect.catchTag(
      effect,
      "MatrixFailure",
      (failure) =>
        Effect.succeed([notice(`The homeserver does not let me leave ${codeSpan(room)}: ${codeSpan(failure.detail)}`)])
    )
)
