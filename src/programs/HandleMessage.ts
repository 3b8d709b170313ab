import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { adminName, type AdminReading, parseAdminCommand } from "../domain/AdminCommand.ts"
import { largestFiles, sizeText } from "../domain/Attachment.ts"
import type { Chat } from "../domain/Chat.ts"
import { parseCommand } from "../domain/Command.ts"
import { type EditedMessage, refusalOfEdit } from "../domain/Edit.ts"
import { FilesTooLarge, ResponderFailed, StoreUnavailable } from "../domain/Errors.ts"
import { type IncomingMessage, notice } from "../domain/Message.ts"
import { decidePolicy, readMessage, wordsOf } from "../domain/Policy.ts"
import { answered, ignored } from "../domain/Settlement.ts"
import { closest } from "../domain/Suggestion.ts"
import type { RawEvent } from "../domain/SyncBatch.ts"
import { withoutVocative } from "../domain/Vocative.ts"
import { AppConfig } from "../layers/AppConfig.ts"
import { ChatManager } from "../layers/ChatManager.ts"
import { MatrixRooms, MatrixSession } from "../layers/MatrixClient.ts"
import { answersTo } from "../layers/Rendering.ts"
import { answersToEdit } from "../layers/Rendering/Edits.ts"
import { OfferedResponders, Responder } from "../layers/Responder.ts"
import { type PendingRow, Store } from "../layers/Store.ts"
import { isForAdmins } from "./AdminRoom.ts"
import { runCommand } from "./Commands.ts"
import { runAdminCommand } from "./Commands/Admin.ts"
import { diagnose, diagnoseUnregistered, toldStranger } from "./Diagnose.ts"
import { policyContext } from "./Gate.ts"
import { resolveOpenChat } from "./Resolve.ts"
import { showTyping } from "./Typing.ts"

/**
 * What becomes of one message: event -> policy gate -> resolve (one repair, one retry) -> dispatch -> replies.
 *
 * Whatever goes wrong on the way ends in a diagnostic reply and a warning with the same reference code. Only a store that
 * fails passes through: then nothing is settled, and the message waits for the next start.
 */
export const handleMessage = Effect.fn("handleMessage")(function*(row: PendingRow, event: RawEvent) {
  const reading = readMessage(event, row.roomId, row.provenance)
  if (Result.isFailure(reading)) return ignored(reading.failure)
  const { commandPrefix, handlerTimeout } = yield* AppConfig
  const { userId: self } = yield* (yield* MatrixSession).self
  const behindName = withoutVocative(reading.success, event, self)
  // A responder sees what was written.
  const isCommand = parseCommand(commandPrefix, behindName.body)._tag !== "NotACommand"
  const read = isCommand ? behindName : reading.success
  const edited = yield* editedBy(read, event)
  if (typeof edited === "string") return ignored(edited)
  const message = edited === undefined ? read : { ...read, threadRoot: edited.threadRoot }

  return yield* settled(message, edited).pipe(
    Effect.timeoutOrElse({
      duration: handlerTimeout,
      orElse: () =>
        diagnose(message, { _tag: "TookTooLong", limit: Duration.format(handlerTimeout) }, "the handler timed out")
    }),
    Effect.catchTags({
      UnregisteredRoom: (error) => diagnoseUnregistered(message, error),
      ChatArchived: (error) => diagnose(message, { _tag: "Archived", title: error.title }, error.message),
      FilesTooLarge: (error) =>
        diagnose(message, { _tag: "FilesTooLarge", limit: sizeText(error.limit) }, error.message)
    }),
    Effect.catchCause((cause) => {
      const broken = storeFailureIn(cause)
      // When the bot is stopped, nothing is caught here and the message is left for the next start. An interruption that
      // does arrive is the handler's own, and a failure as any other.
      return broken === undefined
        ? diagnose(message, { _tag: "HandlerFailed" }, Cause.pretty(cause))
        : Effect.fail(broken)
    })
  )
})

/** Gate, resolve, dispatch, replies. An edit of what was answered is said to the bot, as that was. */
const settled = Effect.fnUntraced(function*(message: IncomingMessage, edited: EditedMessage | undefined) {
  const room = yield* (yield* MatrixRooms).view(message.roomId)
  const context = yield* policyContext(message, room)
  const decision = edited === undefined
    ? decidePolicy(message, context)
    : decidePolicy({ ...message, replaces: undefined }, { ...context, repliesToSelf: true })
  if (decision._tag === "Ignore") {
    return ignored(
      decision.reason,
      decision.reason === "sender_not_allowed" ? yield* toldStranger(message, context) : []
    )
  }
  const isCommand = parseCommand(context.commandPrefix, message.body)._tag !== "NotACommand"
  const replies = yield* dispatch(message)
  return edited === undefined
    ? answered(yield* answersTo(message, replies), isCommand)
    : answered(yield* answersToEdit(message, edited.parts, replies))
})

/** The message that an edit changes, with its answer, or why nothing follows the edit; undefined for what is no edit. */
const editedBy = Effect.fnUntraced(function*(message: IncomingMessage, { content }: RawEvent) {
  const { replaces: target, roomId, sender } = message
  if (target === undefined) return undefined
  const words = wordsOf(content)
  // It says what is to be shown without edits, and not what is new.
  if (words === content) return "malformed"
  const { inbox } = yield* Store
  const question = yield* inbox.edited(message.eventId, target)
  // What waits for its key has other words now, which can be read.
  if (question?.state === "pending") yield* inbox.reword({ target, roomId, sender, content: words })
  return refusalOfEdit(message, question, (yield* AppConfig).commandPrefix) ?? question
})

export const storeFailureIn = (cause: Cause.Cause<unknown>): StoreUnavailable | undefined =>
  cause.reasons.filter(Cause.isFailReason).map((reason) => reason.error).find((error) =>
    error instanceof StoreUnavailable
  )

/** A command is carried out; everything else goes to the responder. */
const dispatch = Effect.fnUntraced(function*(message: IncomingMessage) {
  const { commandPrefix } = yield* AppConfig
  const admin = yield* isForAdmins(message)
  const asked: AdminReading = admin ? parseAdminCommand(commandPrefix, message.body) : { _tag: "NotForAdmins" }
  if (asked._tag === "Parsed") return yield* runAdminCommand(asked.command, message)
  if (asked._tag === "Misused") return [notice(asked.problem)]
  const parsed = parseCommand(commandPrefix, message.body, yield* OfferedResponders)
  switch (parsed._tag) {
    case "Parsed":
      return yield* runCommand(parsed.command, message)
    case "Misused":
      return [notice(`${parsed.problem} Type \`${commandPrefix}help ${parsed.name}\` to see how it is used.`)]
    case "Unknown": {
      const suggestion = parsed.suggestion ?? (admin ? closest(parsed.typed.toLowerCase(), [adminName]) : undefined)
      return [notice(
        `I do not know the command \`${parsed.typed}\`.` +
          (suggestion === undefined ? "" : ` Did you mean \`${commandPrefix}${suggestion}\`?`) +
          ` Type \`${commandPrefix}help\` to see them all.`
      )]
    }
    case "NotACommand":
      return yield* respond(yield* resolveOpenChat(message), message)
  }
})

/** A responder that never stops is cut off: nobody reads more than this in one go. */
const mostReplies = 50

const respond = Effect.fnUntraced(function*(chat: Chat, message: IncomingMessage) {
  const responder = yield* Responder
  // Kept before anything is said: whoever looks after a crash sees that the chat was used.
  if (chat.fresh) yield* (yield* ChatManager).used(chat.id)
  let bytes = 0
  const replies = responder.respond(chat, message).pipe(
    Stream.mapError((cause) => new ResponderFailed({ chat: chat.id, cause })),
    Stream.tap((reply) =>
      isReply(reply) ? Effect.void : Effect.fail(new ResponderFailed({ chat: chat.id, cause: noReply(reply) }))
    ),
    // Clients show nothing of it.
    Stream.filter((reply) => reply.kind === "file" || reply.markdown.trim() !== ""),
    Stream.take(mostReplies + 1),
    Stream.tap((reply) => {
      if (reply.kind === "file") bytes += reply.bytes.byteLength
      return bytes > largestFiles ? Effect.fail(new FilesTooLarge({ limit: largestFiles })) : Effect.void
    }),
    Stream.runCollect
  )
  const said = yield* showTyping(message.roomId, replies)
  if (said.length <= mostReplies) return said
  yield* Effect.logWarning("replies_cut").pipe(
    Effect.annotateLogs({ room: message.roomId, event: message.eventId, kept: mostReplies })
  )
  return [
    ...said.slice(0, mostReplies),
    notice(`There was more: I say no more than ${mostReplies} messages in one answer.`)
  ]
})

/** What a responder in JavaScript, or one that was cast, may say instead. */
const isReply = (reply: unknown): boolean =>
  typeof reply === "object" && reply !== null && "kind" in reply &&
  (reply.kind === "file" || "markdown" in reply && typeof reply.markdown === "string")

const noReply = (said: unknown): string =>
  `it said ${
    said === null ? "null" : `a value of type ${typeof said}`
  }, which is no reply: say text(…), notice(…) or file(…)`
