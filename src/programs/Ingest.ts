import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { type Arrivals, arrivalsOf, type Arrived, skippedBacklog } from "../domain/Arrival.ts"
import { afterFailure } from "../domain/Delivery.ts"
import type { EventId, RoomId, SyncToken } from "../domain/Ids.ts"
import type { RawEvent, RoomTimeline, SyncBatch } from "../domain/SyncBatch.ts"
import { AppConfig } from "../layers/AppConfig.ts"
import { MatrixRooms, MatrixSession } from "../layers/MatrixClient.ts"
import { type InboxRow, Store } from "../layers/Store.ts"
import { wouldAccept } from "./Gate.ts"
import { reconcileChange } from "./Reconcile.ts"

/**
 * Takes one sync answer in: rows and cursor are kept in one transaction, so that the cursor never stands beyond an event
 * that is not in the inbox. The next request goes out when this has returned.
 */
export const ingest = Effect.fn("ingest")(function*(batch: SyncBatch) {
  const store = yield* Store
  const { userId: self } = yield* (yield* MatrixSession).self
  const registered = batch.since === undefined ? yield* roomsWithChats : new Set<RoomId>()
  const filled = yield* fillGaps(batch)
  const arrivals = arrivalsOf({
    batch,
    self,
    recovered: new Map(filled.map(({ events, roomId }) => [roomId, events])),
    registered: (room) => registered.has(room)
  })
  const skipped = batch.initial ? yield* skippedOf(arrivals) : new Set<EventId>()
  const messages = arrivals.messages.map(messageRow)
  const rows = [
    ...batch.invites.map(({ roomId, sender }): InboxRow => ({
      key: `invite:${roomId}`,
      kind: "invite",
      roomId,
      sender,
      event: undefined,
      provenance: batch.initial ? "missed" : "live"
    })),
    ...messages.filter(({ event }) => !skipped.has(event.event_id))
  ]
  yield* store.inbox.ingest({
    rows,
    ignored: messages.flatMap((row) => skipped.has(row.event.event_id) ? [{ row, reason: "backlog" }] : []),
    echoes: arrivals.echoes,
    edits: arrivals.edits,
    redactions: arrivals.redactions,
    answered: arrivals.answered,
    gaps: filled.flatMap(({ leftOut }) => leftOut === undefined ? [] : [leftOut]),
    cursor: batch.nextBatch
  })
  if (batch.unreadable > 0) {
    yield* Effect.logWarning("sync_events_unreadable").pipe(Effect.annotateLogs({ count: batch.unreadable }))
  }
  // The initial batch was reconciled as a whole, inside the gate.
  if (!batch.initial) {
    const changed = new Set([...batch.departures.map(({ roomId }) => roomId), ...batch.reshaped])
    yield* Effect.forEach(changed, reconcileChange, { discard: true })
  }
  return new Set(rows.map(({ roomId }) => roomId))
})

const messageRow = ({ event, provenance, roomId }: Arrived) => ({
  key: event.event_id,
  kind: "message" as const,
  roomId,
  sender: event.sender,
  event,
  provenance
})

const roomsWithChats = Effect.gen(function*() {
  const chats = yield* (yield* Store).chats.all
  return new Set(chats.flatMap((chat) => chat.binding === null ? [] : [chat.binding.roomId]))
})

/** What the `backlog` setting leaves unanswered of the messages that waited at the start. */
const skippedOf = Effect.fnUntraced(function*({ messages }: Arrivals) {
  const { backlog } = yield* AppConfig
  if (backlog === "answer") return new Set<EventId>()
  const accepted = new Set(yield* Effect.filter(messages, wouldAccept))
  const skipped = skippedBacklog(backlog, messages, (message) => accepted.has(message))
  if (skipped.size > 0) {
    yield* Effect.logInfo("backlog_skipped").pipe(Effect.annotateLogs({ backlog, messages: skipped.size }))
  }
  return skipped
})

const pageSize = 100

/** What the server left out of limited timelines. */
const fillGaps = (batch: SyncBatch) => {
  const { since } = batch
  if (since === undefined) return Effect.succeed([])
  const gaps = batch.timelines.filter(({ limited, prevBatch }) => limited && prevBatch !== undefined)
  return Effect.forEach(gaps, (timeline) => fillGap(timeline, since), { concurrency: 4 })
}

/** The events of one gap, oldest first, and what was left out of it. */
const fillGap = Effect.fn("fillGap")(function*({ prevBatch, roomId }: RoomTimeline, since: SyncToken) {
  const rooms = yield* MatrixRooms
  const { catchUpLimit } = yield* AppConfig
  const newestFirst: Array<RawEvent> = []
  let from = prevBatch
  while (from !== undefined && newestFirst.length < catchUpLimit) {
    const limit = Math.min(pageSize, catchUpLimit - newestFirst.length)
    // The cursor waits here: a server that is away for a while must not cost a message.
    const page = yield* rooms.history(roomId, { from, to: since, limit }).pipe(
      Effect.retry({ schedule: patience, while: ({ reason }) => afterFailure(reason, 1)._tag === "Retry" })
    )
    newestFirst.push(...page.events)
    from = page.end
  }
  // The first sight of a room is limited too, with nothing behind it: no gap to tell of.
  const say = newestFirst.length === 0 && from === undefined ? Effect.logDebug : Effect.logInfo
  yield* say("timeline_gap_filled").pipe(
    Effect.annotateLogs({ room: roomId, events: newestFirst.length, complete: from === undefined })
  )
  const leftOut = from === undefined ? undefined : { roomId, from, to: since, events: newestFirst.length }
  return { roomId, events: newestFirst.reverse(), leftOut }
}, (effect, { prevBatch, roomId }, since) =>
  // The room may be closed to us meanwhile. What the answer itself brought is still handled.
  Effect.catchTag(effect, "MatrixFailure", (failure) =>
    Effect.logWarning("timeline_gap_left_open").pipe(
      Effect.annotateLogs({ room: roomId, problem: failure.message }),
      Effect.as({ roomId, events: [], leftOut: { roomId, from: prevBatch ?? since, to: since, events: 0 } })
    )))

/** 1 s, 2 s, 4 s … 30 s, without end. */
const patience = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")])
