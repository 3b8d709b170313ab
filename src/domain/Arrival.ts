import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Part, partKey, transactionIdOf } from "./Delivery.ts"
import { EventId, type RoomId, TransactionId, type UserId } from "./Ids.ts"
import type { Provenance } from "./Message.ts"
import { confirmedBy, reactionType } from "./Prompt.ts"
import type { RawEvent, SyncBatch } from "./SyncBatch.ts"

/** What is answered of the messages that came while the bot was away: all of them, the newest of each room, or none. */
export type Backlog = "answer" | "newest" | "skip"

/** A message of somebody else, for the inbox. */
export interface Arrived {
  readonly roomId: RoomId
  readonly event: RawEvent
  readonly provenance: Provenance
}

/**
 * A message of our own that stands in a room. The server tells the transaction id to the device that sent it and for some time (Client-Server
 * API, "Transaction identifiers"); that of an answer can always be told from what it answers.
 */
export interface Echo {
  readonly transactionId: TransactionId
  readonly eventId: EventId
  readonly roomId: RoomId
  /** What it answers. */
  readonly question: EventId | undefined
}

/** What a sync answer brings for the inbox and the outbox, oldest first. */
export interface Arrivals {
  readonly messages: ReadonlyArray<Arrived>
  /** Messages in clear of rooms that were encrypted by then: the homeserver can write such in the name of anybody. */
  readonly inClear: ReadonlyArray<Arrived>
  /** Our own messages, come back. */
  readonly echoes: ReadonlyArray<Echo>
  /** New words for messages that may still wait (`m.replace`). */
  readonly edits: ReadonlyArray<{
    readonly edit: EventId
    readonly target: EventId
    readonly roomId: RoomId
    readonly sender: UserId
    readonly content: RawEvent["content"]
  }>
  /** Messages that were taken back. */
  readonly redactions: ReadonlyArray<
    { readonly redaction: EventId; readonly roomId: RoomId; readonly target: EventId }
  >
  /** Reactions that may say yes to a question of the bot: `target`. */
  readonly reactions: ReadonlyArray<Arrived & { readonly target: EventId }>
  /** Messages that the room shows a whole answer of ours to. */
  readonly answered: ReadonlyArray<EventId>
}

/** A message of an encrypted room, as long as nobody has opened it. */
export const encryptedType = "m.room.encrypted"

const messageTypes = new Set(["m.room.message", encryptedType])

/**
 * Sorts the events of a sync answer. `recovered` are those fetched to fill a limited timeline. Provenance is what the sync
 * says, never what a clock says.
 */
export const arrivalsOf = (options: {
  readonly batch: SyncBatch
  readonly self: UserId
  readonly recovered: ReadonlyMap<RoomId, ReadonlyArray<RawEvent>>
  /** Rooms that show a chat, or will when the invite in hand is settled. */
  readonly registered: (room: RoomId) => boolean
  /** Rooms that were known to be encrypted before this answer. */
  readonly encrypted: ReadonlySet<RoomId>
}): Arrivals => {
  const { batch, registered, self } = options
  const provenance = batch.initial ? "missed" : "live"
  const messages: Array<Arrived> = []
  const inClear: Array<Arrived> = []
  const echoes: Array<Arrivals["echoes"][number]> = []
  const edits: Array<Arrivals["edits"][number]> = []
  const redactions: Array<Arrivals["redactions"][number]> = []
  const reactions: Array<Arrivals["reactions"][number]> = []
  const answered: Array<EventId> = []

  const sort = (event: RawEvent, roomId: RoomId, mustBeEncrypted: boolean) => {
    if (event.type === "m.room.redaction") {
      const target = readEventId(event.redacts ?? event.content["redacts"])
      if (Option.isSome(target)) redactions.push({ redaction: event.event_id, roomId, target: target.value })
    } else if (event.sender === self) {
      const answer = answerIn(event)
      const transactionId = Option.getOrElse(
        readTransactionId(event.unsigned?.["transaction_id"]),
        () => answer && transactionIdOf(answer.question, answer.part.number - 1)
      )
      if (transactionId !== undefined) {
        echoes.push({ transactionId, eventId: event.event_id, roomId, question: answer?.question })
      }
      if (answer !== undefined && isLast(answer)) answered.push(answer.question)
    } else if (event.type === reactionType) {
      const target = confirmedBy(event)
      if (target !== undefined) reactions.push({ roomId, event, provenance, target })
    } else if (!mustBeEncrypted) {
      const edit = readEdit(event.content)
      if (Option.isSome(edit)) {
        const { "m.new_content": content, "m.relates_to": { event_id: target } } = edit.value
        edits.push({ edit: event.event_id, target, roomId, sender: event.sender, content })
      }
    }
  }

  for (const timeline of batch.timelines) {
    const { roomId } = timeline
    const recovered = options.recovered.get(roomId) ?? []
    const events = [...recovered, ...timeline.events]
    const encrypted = encryptedFrom(events, {
      before: options.encrypted.has(roomId),
      now: batch.encrypted.includes(roomId)
    })
    for (const [index, event] of events.entries()) sort(event, roomId, index >= encrypted)
    const settled = batch.since !== undefined
      ? 1 + events.findLastIndex((event) => isOwnComing(event, self))
      : registered(roomId)
      ? settledUpTo(events, self) ?? 0
      : events.length
    for (const [index, event] of events.entries()) {
      if (index < settled || !isMessageOfOthers(event, self)) continue
      const arrived: Arrived = { roomId, event, provenance: index < recovered.length ? "recovered" : provenance }
      if (index >= encrypted && event.type !== encryptedType) inClear.push(arrived)
      else messages.push(arrived)
    }
  }
  return { messages, inClear, echoes, edits, redactions, reactions, answered }
}

/**
 * From which event on the room is encrypted, by the order of its timeline and no clock. What switched it on and is not among the events came
 * before them, and so did the first of several.
 */
const encryptedFrom = (
  events: ReadonlyArray<RawEvent>,
  room: { readonly before: boolean; readonly now: boolean }
): number => {
  if (room.before) return 0
  if (!room.now) return events.length
  const at = events.findIndex(({ state_key, type }) => type === "m.room.encryption" && state_key === "")
  return at === -1 || events[at]?.unsigned?.["prev_content"] !== undefined ? 0 : at
}

const isMessageOfOthers = (event: RawEvent, self: UserId): boolean =>
  event.sender !== self && event.state_key === undefined && messageTypes.has(event.type)

const readTransactionId = Schema.decodeUnknownOption(TransactionId)
const readEventId = Schema.decodeUnknownOption(EventId)

/** `m.replace` (Client-Server API, "Event replacements"). */
const readEdit = Schema.decodeUnknownOption(Schema.Struct({
  "m.new_content": Schema.Record(Schema.String, Schema.Unknown),
  "m.relates_to": Schema.Struct({ rel_type: Schema.Literal("m.replace"), event_id: EventId })
}))

const readInReplyTo = Schema.decodeUnknownResult(
  Schema.Struct({
    "m.relates_to": Schema.Struct({
      "m.in_reply_to": Schema.Struct({ event_id: EventId }),
      [partKey]: Schema.optionalKey(Schema.Unknown)
    })
  })
)
const readPart = Schema.decodeUnknownOption(Part)

/** What a message of ours answers, and which part of the answer it is. */
interface Answer {
  readonly question: EventId
  readonly part: Part
}

/** The relation stands outside of what is encrypted (Client-Server API, "Megolm"). */
const answerIn = (event: RawEvent): Answer | undefined => {
  if (!messageTypes.has(event.type)) return undefined
  const reply = readInReplyTo(event.content)
  if (Result.isFailure(reply)) return undefined
  const { "m.in_reply_to": { event_id: question }, [partKey]: part } = reply.success["m.relates_to"]
  return { question, part: Option.getOrElse(readPart(part), () => ({ number: 1, of: 1 })) }
}

/** Parts are sent in order: with the last one the answer is whole. */
const isLast = ({ part }: Answer): boolean => part.number >= part.of

/**
 * Answers that came while the bot runs and that are its account's, but not this session's: the server gives an event its transaction id
 * only for the session that sent it (Client-Server API, "Transaction identifiers"). Old ones prove nothing: servers forget those ids.
 */
export const answersWithoutTransaction = (
  { initial, timelines }: SyncBatch,
  self: UserId
): ReadonlyArray<{ readonly roomId: RoomId; readonly eventId: EventId }> =>
  initial
    ? []
    : timelines.flatMap(({ events, roomId }) =>
      events.filter((event) =>
        event.sender === self && answerIn(event) !== undefined &&
        Option.isNone(readTransactionId(event.unsigned?.["transaction_id"]))
      ).map((event) => ({ roomId, eventId: event.event_id }))
    )

/**
 * The bot was invited, or came uninvited: what stands before was said among others. Its join after an invite, and a new name or
 * picture of it, are events of the same kind: `prev_content` tells. A server may leave that out, and then what replaces another is taken
 * for a new name: to answer too much is better than to lose a message.
 */
const isOwnComing = ({ content, state_key, type, unsigned }: RawEvent, self: UserId): boolean => {
  if (type !== "m.room.member" || state_key !== self || !isIn(content)) return false
  const before = unsigned?.["prev_content"]
  return before === undefined ? unsigned?.["replaces_state"] === undefined : !isIn(before)
}

const isIn = (content: unknown): boolean => ["invite", "join"].includes(String(membershipOf(content)))

const membershipOf = (content: unknown): unknown =>
  typeof content === "object" && content !== null && "membership" in content ? content.membership : undefined

/**
 * Without a cursor (a first start, a lost database, a server that has forgotten it) nobody knows what was answered but the room
 * itself: a room is answered in order, so what stands after the message that the bot answered last, or after its coming, is
 * still open. A greeting answers nothing: people may have written before it. Only rooms of chats are asked this way; in any
 * other what came before the first start stays unanswered.
 *
 * The number of events that are settled; undefined when none of these shows it, and only older ones can.
 */
export const settledUpTo = (events: ReadonlyArray<RawEvent>, self: UserId): number | undefined => {
  const positions = new Map(events.map((event, index) => [event.event_id, index]))
  let last: number | undefined
  for (const [index, event] of events.entries()) {
    const answer = event.sender === self ? answerIn(event) : undefined
    const settled = isOwnComing(event, self)
      ? index
      : answer !== undefined && isLast(answer)
      ? positions.get(answer.question)
      : undefined
    if (settled !== undefined) last = Math.max(last ?? 0, settled + 1)
  }
  return last
}

/**
 * Which of the messages that waited at the start are not answered, as each room's chat wants it. `accepted` are the messages that
 * would be answered, asked of rooms with `newest` only: the newest of a room is the newest of these, not a notice that stands behind it.
 */
export const skippedBacklog = (
  backlogOf: (room: RoomId) => Backlog,
  messages: ReadonlyArray<Arrived>,
  accepted: (message: Arrived) => boolean
): ReadonlySet<EventId> => {
  const newest = new Map<RoomId, EventId>()
  for (const message of messages) {
    const { event, roomId } = message
    if (backlogOf(roomId) === "newest" && accepted(message)) newest.set(roomId, event.event_id)
  }
  const skipped = messages.filter(({ event, roomId }) =>
    backlogOf(roomId) !== "answer" && newest.get(roomId) !== event.event_id
  )
  return new Set(skipped.map(({ event }) => event.event_id))
}
