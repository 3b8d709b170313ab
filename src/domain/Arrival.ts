import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { EventId, type RoomId, TransactionId, type UserId } from "./Ids.ts"
import type { Provenance } from "./Message.ts"
import type { RawEvent, RoomTimeline, SyncBatch } from "./SyncBatch.ts"

/** What is answered of the messages that came while the bot was away: all of them, the newest of each room, or none. */
export type Backlog = "answer" | "newest" | "skip"

/** A message of somebody else, for the inbox. */
export interface Arrived {
  readonly roomId: RoomId
  readonly event: RawEvent
  readonly provenance: Provenance
}

/** What a sync answer brings for the inbox and the outbox, oldest first. */
export interface Arrivals {
  readonly messages: ReadonlyArray<Arrived>
  /** Our own messages, come back with the transaction id that they were sent with. */
  readonly echoes: ReadonlyArray<{ readonly transactionId: TransactionId; readonly eventId: EventId }>
  /** New words for messages that may still wait (`m.replace`). */
  readonly edits: ReadonlyArray<
    { readonly target: EventId; readonly sender: UserId; readonly content: RawEvent["content"] }
  >
  /** Messages that were taken back. */
  readonly redactions: ReadonlyArray<{ readonly target: EventId }>
  /** Messages that the room shows an answer of ours to. */
  readonly answered: ReadonlyArray<EventId>
}

const messageTypes = new Set(["m.room.message", "m.room.encrypted"])

/**
 * Sorts the events of a sync answer. `recovered` are those fetched to fill a limited timeline. Provenance is what the sync
 * says, never what a clock says.
 */
export const arrivalsOf = (options: {
  readonly batch: SyncBatch
  readonly self: UserId
  readonly recovered: ReadonlyMap<RoomId, ReadonlyArray<RawEvent>>
  /** Rooms that show a chat. */
  readonly registered: (room: RoomId) => boolean
}): Arrivals => {
  const { batch, registered, self } = options
  const provenance = batch.initial ? "missed" : "live"
  const messages: Array<Arrived> = []
  const echoes: Array<Arrivals["echoes"][number]> = []
  const edits: Array<Arrivals["edits"][number]> = []
  const redactions: Array<Arrivals["redactions"][number]> = []
  const answered: Array<EventId> = []

  const sort = (event: RawEvent) => {
    if (event.type === "m.room.redaction") {
      const target = readEventId(event.content["redacts"] ?? event.redacts)
      if (Option.isSome(target)) redactions.push({ target: target.value })
    } else if (event.sender === self) {
      const transactionId = readTransactionId(event.unsigned?.["transaction_id"])
      if (Option.isSome(transactionId)) echoes.push({ transactionId: transactionId.value, eventId: event.event_id })
      const question = questionOf(event)
      if (question !== undefined) answered.push(question)
    } else {
      const edit = readEdit(event.content)
      if (Option.isSome(edit)) {
        const { "m.new_content": content, "m.relates_to": { event_id: target } } = edit.value
        edits.push({ target, sender: event.sender, content })
      }
    }
  }

  for (const timeline of batch.timelines) {
    const { roomId } = timeline
    const recovered = options.recovered.get(roomId) ?? []
    for (const event of recovered) {
      sort(event)
      if (isMessageOfOthers(event, self)) messages.push({ roomId, event, provenance: "recovered" })
    }
    for (const event of timeline.events) sort(event)
    const open = batch.since !== undefined
      ? timeline.events
      : registered(roomId)
      ? afterLastAnswer(timeline, self)
      : []
    for (const event of open) if (isMessageOfOthers(event, self)) messages.push({ roomId, event, provenance })
  }
  return { messages, echoes, edits, redactions, answered }
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
  Schema.Struct({ "m.relates_to": Schema.Struct({ "m.in_reply_to": Schema.Struct({ event_id: EventId }) }) })
)

/** The message that one of ours answers. */
const questionOf = (event: RawEvent): EventId | undefined => {
  if (event.type !== "m.room.message") return undefined
  const reply = readInReplyTo(event.content)
  return Result.isSuccess(reply) ? reply.success["m.relates_to"]["m.in_reply_to"].event_id : undefined
}

/**
 * Without a cursor (a first start, or a lost database) nobody knows what was answered but the room itself: a room is
 * answered in order, so what stands after the message that the bot answered last is still open. Only restored chats are
 * asked this way; in any other room what came before the first start stays unanswered.
 */
export const afterLastAnswer = (timeline: RoomTimeline, self: UserId): ReadonlyArray<RawEvent> => {
  const positions = new Map(timeline.events.map((event, index) => [event.event_id, index]))
  let answeredUpTo = -1
  for (const [index, event] of timeline.events.entries()) {
    if (event.sender !== self || event.type !== "m.room.message") continue
    const question = questionOf(event)
    // A message of the bot that answers nothing (a greeting) was sent when everything before it was settled.
    const upTo = question === undefined ? index : positions.get(question) ?? -1
    answeredUpTo = Math.max(answeredUpTo, upTo)
  }
  return timeline.events.slice(answeredUpTo + 1)
}

/**
 * Which of the messages that waited at the start are not answered, as the setting wants it. `accepted` are the messages that
 * would be answered: the newest of a room is the newest of these, not a notice that stands behind it.
 */
export const skippedBacklog = (
  backlog: Backlog,
  messages: ReadonlyArray<Arrived>,
  accepted: (message: Arrived) => boolean
): ReadonlySet<EventId> => {
  if (backlog === "answer") return new Set()
  const newest = new Map<RoomId, EventId>()
  if (backlog === "newest") {
    for (const message of messages) if (accepted(message)) newest.set(message.roomId, message.event.event_id)
  }
  return new Set(
    messages.filter(({ event, roomId }) => newest.get(roomId) !== event.event_id).map(({ event }) => event.event_id)
  )
}
