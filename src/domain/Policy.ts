import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { captionOf, isAttachmentType, readAttachment } from "./Attachment.ts"
import type { ChatRules } from "./ChatSettings.ts"
import { parseCommand } from "./Command.ts"
import { EventId, type RoomId, type ServerName, serverOf, UserId } from "./Ids.ts"
import type { IncomingMessage, Provenance } from "./Message.ts"
import { relationOf } from "./Relation.ts"
import type { RawEvent } from "./SyncBatch.ts"

/** Why an event was not answered. Stored with the event, so that one can ask. */
export const IgnoreReason = Schema.Literals([
  "own_message",
  "sender_not_allowed",
  "not_the_owner",
  "notice",
  "edit",
  "edited_too_often",
  "not_addressed",
  "malformed",
  "redacted",
  "backlog",
  "not_a_text_message",
  "encrypted",
  "not_encrypted",
  "replayed",
  "forged_sender",
  "before_first_start",
  "answered_before_database_loss",
  "invite_not_allowed",
  "space_invite",
  "not_asked"
])
export type IgnoreReason = typeof IgnoreReason.Type

// --- reading a message

/** Events are at most 65,536 bytes (Client-Server API, "Size limits"): a longer body comes from a broken server. */
const maximumBodyLength = 65_536

/** More mentions than this are not read: nobody means so many. */
const maximumMentions = 1000

const textual = new Set(["m.text", "m.emote", "m.notice"])

/** An edit has its words in `m.new_content`; what stands beside that is for clients that know no edits (Client-Server API, "Event replacements"). */
export const wordsOf = (content: RawEvent["content"]): RawEvent["content"] => {
  const words = content["m.new_content"]
  return relationOf(content).replaces !== undefined && isRecord(words) ? words : content
}

/**
 * Reads an event as a message. Its content is whatever the sender's client put there, so each part is decoded by itself: a
 * relation that makes no sense is no relation, a message without a body is `malformed` (as one that was redacted is), and so is an
 * attachment that does not say where its file is.
 */
export const readMessage = (
  event: RawEvent,
  roomId: RoomId,
  provenance: Provenance
): Result.Result<IncomingMessage, IgnoreReason> => {
  if (event.type === "m.room.encrypted") return Result.fail("encrypted")
  if (event.type !== "m.room.message") return Result.fail("not_a_text_message")
  if (event.unsigned?.["redacted_because"] !== undefined) return Result.fail("redacted")
  const words = wordsOf(event.content)
  const { body, msgtype } = words
  if (event.state_key !== undefined || typeof msgtype !== "string") return Result.fail("malformed")
  const carries = isAttachmentType(msgtype)
  if (!textual.has(msgtype) && !carries) return Result.fail("not_a_text_message")
  if (typeof body !== "string" || body.length > maximumBodyLength) return Result.fail("malformed")
  const attachment = carries ? readAttachment(words, body) : undefined
  if (carries && attachment === undefined) return Result.fail("malformed")
  const said = carries ? captionOf(words, body) : body

  const relation = recordIn(event.content, "m.relates_to")
  const target = eventIdIn(relation, "event_id")
  const inThread = relation["rel_type"] === "m.thread"
  const inReplyTo = eventIdIn(recordIn(relation, "m.in_reply_to"), "event_id")
  return Result.succeed({
    eventId: event.event_id,
    roomId,
    sender: event.sender,
    sentAt: event.origin_server_ts,
    msgtype,
    body: inReplyTo === undefined ? said : withoutReplyFallback(said),
    attachment,
    mentions: mentionsIn(words),
    // In a thread every message replies to the one before it, for clients without threads: that is no reply to anybody.
    replyTo: inThread && relation["is_falling_back"] === true ? undefined : inReplyTo,
    threadRoot: inThread ? target : undefined,
    replaces: relation["rel_type"] === "m.replace" ? target : undefined,
    provenance
  })
}

const decodeEventId = Schema.decodeUnknownOption(EventId)
const isUserId = Schema.is(UserId)

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const recordIn = (record: Readonly<Record<string, unknown>>, key: string): Readonly<Record<string, unknown>> => {
  const value = record[key]
  return isRecord(value) ? value : {}
}

const eventIdIn = (record: Readonly<Record<string, unknown>>, key: string): EventId | undefined =>
  Option.getOrUndefined(decodeEventId(record[key]))

const mentionsIn = (content: RawEvent["content"]): ReadonlyArray<UserId> | undefined => {
  const mentions = content["m.mentions"]
  if (!isRecord(mentions)) return undefined
  const ids = mentions["user_ids"]
  return Array.isArray(ids) ? ids.slice(0, maximumMentions).filter(isUserId) : []
}

/** `> <@user:server> text`, or `> * <@user:server> text` for an emote: how clients quoted what they replied to until spec 1.13. */
const fallbackStart = /^> (?:\* )?<@[^>\n]*>/

/** Only a body that begins as the fallback does is shortened: in anything else a line with `>` is the sender's own quote. */
const withoutReplyFallback = (body: string): string => {
  if (!fallbackStart.test(body)) return body
  const lines = body.split("\n")
  const first = lines.findIndex((line) => !line.startsWith(">"))
  if (first === -1) return ""
  return lines.slice(lines[first]?.trim() === "" ? first + 1 : first).join("\n")
}

// --- the gate

/** Who may talk to the bot. */
export interface Admission {
  readonly self: UserId
  readonly allowedUsers: ReadonlyArray<UserId>
  /** `*` allows every server. */
  readonly allowedServers: ReadonlyArray<ServerName | "*">
  /** They may always. */
  readonly admins: ReadonlyArray<UserId>
}

/** Whether `user` may talk to the bot and invite it: named, or of a named server; with nothing named, of the bot's own server. */
export const isAllowed = (user: UserId, { admins, allowedServers, allowedUsers, self }: Admission): boolean => {
  if (admins.includes(user)) return true
  if (allowedUsers.length === 0 && allowedServers.length === 0) return serverOf(user) === serverOf(self)
  return allowedUsers.includes(user) || allowedServers.includes("*") || allowedServers.includes(serverOf(user))
}

/** What the gate has to know besides the message. */
export interface PolicyContext extends Admission {
  readonly commandPrefix: string
  /** How many have joined the room, the bot included. */
  readonly joinedMembers: number
  /** Whether the message replies to one of the bot's own. */
  readonly repliesToSelf: boolean
  /** Who owns the chat that the room shows; undefined where none is known. */
  readonly owner: UserId | undefined
  /** What the owner set, or the defaults. */
  readonly rules: Pick<ChatRules, "mention" | "members">
}

export type PolicyDecision =
  | { readonly _tag: "Accept" }
  | { readonly _tag: "Ignore"; readonly reason: IgnoreReason }

const accept: PolicyDecision = { _tag: "Accept" }
const ignore = (reason: IgnoreReason): PolicyDecision => ({ _tag: "Ignore", reason })

/**
 * Whether a message is to be answered; the same for live, missed and recovered ones. The first check that fails gives the
 * reason, in this order: the bot's own message; a notice (bots must not answer bots: Client-Server API, "m.notice"); an
 * edit; a sender who is not allowed, or not by the owner of the chat; a message to somebody else.
 */
export const decidePolicy = (message: IncomingMessage, context: PolicyContext): PolicyDecision => {
  if (message.sender === context.self) return ignore("own_message")
  if (message.msgtype === "m.notice") return ignore("notice")
  if (message.replaces !== undefined) return ignore("edit")
  if (!isAdmitted(message.sender, context)) return ignore("sender_not_allowed")
  if (context.rules.members === "owner" && message.sender !== context.owner) return ignore("not_the_owner")
  return isAddressed(message, context) ? accept : ignore("not_addressed")
}

/**
 * Whoever is allowed; and everybody in a room whose owner lets them. Nobody can share what they do not have: an owner who is not
 * allowed any more lets nobody in.
 */
const isAdmitted = (sender: UserId, context: PolicyContext): boolean => {
  if (isAllowed(sender, context)) return true
  const { owner, rules } = context
  return rules.members === "room" && owner !== undefined && isAllowed(owner, context)
}

/**
 * Whether somebody who is not answered waits for an answer: who is alone with the bot, or named it. Others' small talk is none of its
 * business, whatever the owner has set.
 */
export const expectsAnswer = (message: IncomingMessage, context: PolicyContext): boolean =>
  isAddressed(message, { ...context, rules: { ...context.rules, mention: "group" } })

/** Where the owner has set nothing: in a room of two everything is for the bot; in a larger one a mention, a reply to it, or a command. */
const isAddressed = (message: IncomingMessage, context: PolicyContext): boolean =>
  context.rules.mention === "never" ||
  (context.rules.mention === "group" && context.joinedMembers <= 2) ||
  context.repliesToSelf ||
  // Clients that say whom they mention mean it so; of the others the full user id is the surest sign.
  (message.mentions?.includes(context.self) ?? holdsWord(message.body, context.self)) ||
  parseCommand(context.commandPrefix, message.body)._tag !== "NotACommand"

/** What continues a user id to the left or, after any punctuation, to the right. */
const continuesBefore = /[\p{L}\p{N}_@.=/+-]$/u
const continuesAfter = /^[.:_-]*[\p{L}\p{N}]/u

/** Whether `id` stands in `body` for itself: `@bot:example.org.` does, `@bot:example.org.evil` is somebody else. */
const holdsWord = (body: string, id: UserId): boolean => {
  for (let at = body.indexOf(id); at !== -1; at = body.indexOf(id, at + 1)) {
    const before = body.slice(Math.max(0, at - 2), at)
    // A window, so that a body of nothing but dots costs no more than its length.
    const after = body.slice(at + id.length, at + id.length + 16)
    if (!continuesBefore.test(before) && !continuesAfter.test(after)) return true
  }
  return false
}
