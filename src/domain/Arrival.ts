import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { EventId, type RoomId, TransactionId, type UserId } from "./Ids.ts"
import type { Provenance } from "./Message.ts"
import type { RawEvent, RoomTimeline, SyncBatch } from "./SyncBatch.ts"

/** What a sync answer brings for the inbox and the outbox, oldest first. */
export interface Arrivals {
  readonly messages: ReadonlyArray<
    { readonly roomId: RoomId; readonly event: RawEvent; readonly provenance: Provenance }
  >
  /** Our own messages, come back with the transaction id that they were sent with. */
  readonly echoes: ReadonlyArray<{ readonly transactionId: TransactionId; readonly eventId: EventId }>
}

const messageTypes = new Set(["m.room.message", "m.room.encrypted"])

const asTransactionId = Schema.decodeUnknownResult(TransactionId)

/**
 * Sorts the events of a sync answer: messages of others to handle, and echoes of our own. `recovered` are the events
 * fetched to fill a limited timeline. Provenance is what the sync says, never what a clock says.
 */
export const arrivalsOf = (options: {
  readonly batch: SyncBatch
  readonly self: UserId
  readonly recovered: ReadonlyMap<RoomId, ReadonlyArray<RawEvent>>
  /** Rooms that show a chat. */
  readonly registered: (room: RoomId) => boolean
}): Arrivals => {
  const messages: Array<Arrivals["messages"][number]> = []
  const echoes: Array<Arrivals["echoes"][number]> = []
  for (const timeline of options.batch.timelines) {
    const recovered = options.recovered.get(timeline.roomId) ?? []
    for (const event of recovered) {
      if (isMessageOfOthers(event, options.self)) {
        messages.push({ roomId: timeline.roomId, event, provenance: "recovered" })
      }
    }
    const unanswered = options.batch.since === undefined
      ? options.registered(timeline.roomId) ? afterLastAnswer(timeline, options.self) : []
      : timeline.events
    for (const event of unanswered) {
      if (isMessageOfOthers(event, options.self)) {
        messages.push({ roomId: timeline.roomId, event, provenance: options.batch.initial ? "missed" : "live" })
      }
    }
    for (const event of timeline.events) {
      if (event.sender !== options.self) continue
      const transactionId = asTransactionId(event.unsigned?.["transaction_id"])
      if (Result.isSuccess(transactionId)) {
        echoes.push({ transactionId: transactionId.success, eventId: event.event_id })
      }
    }
  }
  return { messages, echoes }
}

const isMessageOfOthers = (event: RawEvent, self: UserId): boolean =>
  event.sender !== self && event.state_key === undefined && messageTypes.has(event.type)

const InReplyTo = Schema.Struct({
  "m.relates_to": Schema.Struct({ "m.in_reply_to": Schema.Struct({ event_id: EventId }) })
})
const readInReplyTo = Schema.decodeUnknownResult(InReplyTo)

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
    const reply = readInReplyTo(event.content)
    // A message of the bot that answers nothing (a greeting) was sent when everything before it was settled.
    const upTo = Result.isSuccess(reply)
      ? positions.get(reply.success["m.relates_to"]["m.in_reply_to"].event_id) ?? -1
      : index
    answeredUpTo = Math.max(answeredUpTo, upTo)
  }
  return timeline.events.slice(answeredUpTo + 1)
}
