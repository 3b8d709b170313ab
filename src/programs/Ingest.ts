import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import {
  answersWithoutTransaction,
  type Arrivals,
  arrivalsOf,
  type Arrived,
  settledUpTo,
  skippedBacklog
} from "../domain/Arrival.ts"
import { noSettings, rulesOf } from "../domain/ChatSettings.ts"
import { afterFailure } from "../domain/Delivery.ts"
import type { EventId, RoomId, SyncToken, UserId } from "../domain/Ids.ts"
import type { RawEvent, RoomTimeline, SyncBatch } from "../domain/SyncBatch.ts"
import { AnotherSession } from "../layers/AnotherSession.ts"
import { AppConfig } from "../layers/AppConfig.ts"
import { MatrixRooms, MatrixSession } from "../layers/MatrixClient.ts"
import { type InboxRow, Store } from "../layers/Store.ts"
import { wouldAccept } from "./Gate.ts"
import { reconcileChange } from "./Reconcile.ts"

/**
 * Takes one sync answer in: rows and cursor are kept in one transaction, so that the cursor never stands beyond an event
 * that is not in the inbox. The next request goes out when this has returned. `afterAbsence`: the process was not there when
 * these messages came, so that the `backlog` setting speaks.
 */
export const ingest = Effect.fn("ingest")(function*(
  batch: SyncBatch,
  { afterAbsence }: { readonly afterAbsence: boolean }
) {
  const store = yield* Store
  const { userId: self } = yield* (yield* MatrixSession).self
  const registered = batch.since === undefined ? yield* roomsOfChats(batch) : new Set<RoomId>()
  const filled = yield* fillGaps(batch, self, registered)
  const arrivals = arrivalsOf({
    batch,
    self,
    recovered: new Map(filled.map(({ events, roomId }) => [roomId, events])),
    registered: (room) => registered.has(room)
  })
  const skipped = afterAbsence ? yield* skippedOf(arrivals) : new Set<EventId>()
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
  for (const { eventId, roomId } of answersWithoutTransaction(batch, self)) {
    if (!(yield* store.outbox.hasSent(eventId))) yield* (yield* AnotherSession).answers(roomId, eventId)
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

/** Rooms that show a chat, and those whose chat is yet to come: the bot has joined, and its invite is still in hand. */
const roomsOfChats = Effect.fnUntraced(function*({ timelines }: SyncBatch) {
  const { chats, inbox } = yield* Store
  const rooms = new Set((yield* chats.all).flatMap((chat) => chat.binding === null ? [] : [chat.binding.roomId]))
  for (const { roomId } of timelines) {
    if (!rooms.has(roomId) && (yield* inbox.find(`invite:${roomId}`))?.state === "pending") rooms.add(roomId)
  }
  return rooms
})

/** What the `backlog` setting of each chat, or the bot's own, leaves unanswered of the messages that waited at the start. */
const skippedOf = Effect.fnUntraced(function*({ messages }: Arrivals) {
  const { backlog } = yield* AppConfig
  const chats = yield* (yield* Store).chats.byRooms([...new Set(messages.map(({ roomId }) => roomId))])
  const backlogOf = (room: RoomId) => rulesOf(chats.get(room)?.settings ?? noSettings, backlog).backlog
  const candidates = messages.filter(({ roomId }) => backlogOf(roomId) === "newest")
  const accepted = new Set(yield* Effect.filter(candidates, (one) => wouldAccept(one, chats.get(one.roomId))))
  const skipped = skippedBacklog(backlogOf, messages, (message) => accepted.has(message))
  if (skipped.size > 0) {
    yield* Effect.logInfo("backlog_skipped").pipe(Effect.annotateLogs({ backlog, messages: skipped.size }))
  }
  return skipped
})

const pageSize = 100

/** What the server left out of limited timelines. Without a cursor, what it takes to see where a chat was answered last. */
const fillGaps = ({ since, timelines }: SyncBatch, self: UserId, registered: ReadonlySet<RoomId>) => {
  const reaches = (timeline: RoomTimeline, older: ReadonlyArray<RawEvent>) =>
    since === undefined && settledUpTo([...older, ...timeline.events], self) !== undefined
  const gaps = timelines.flatMap((timeline) => {
    const { limited, prevBatch, roomId } = timeline
    if (!limited || prevBatch === undefined || (since === undefined && !registered.has(roomId))) return []
    return reaches(timeline, []) ? [] : [{ roomId, from: prevBatch, to: since, enough: reaches.bind(null, timeline) }]
  })
  return Effect.forEach(gaps, fillGap, { concurrency: 4 })
}

interface GapToFill {
  readonly roomId: RoomId
  readonly from: string
  readonly to: SyncToken | undefined
  /** Whether these events, oldest first, reach back far enough. */
  readonly enough: (events: ReadonlyArray<RawEvent>) => boolean
}

/** The events of one gap, oldest first, and what was left out of it. */
const fillGap = Effect.fn("fillGap")(function*({ enough, from: newest, roomId, to }: GapToFill) {
  const rooms = yield* MatrixRooms
  const { catchUpLimit } = yield* AppConfig
  // The cursor waits here: a server that is away for a while must not cost a message.
  const pageOf = (from: string, limit: number) =>
    rooms.history(roomId, { from, to, limit }).pipe(
      Effect.retry({ schedule: patience, while: ({ reason }) => afterFailure(reason, 1)._tag === "Retry" })
    )
  const newestFirst: Array<RawEvent> = []
  let from: string | undefined = newest
  while (from !== undefined && newestFirst.length < catchUpLimit) {
    const limit = Math.min(pageSize, catchUpLimit - newestFirst.length)
    const page: Effect.Success<ReturnType<typeof pageOf>> = yield* pageOf(from, limit)
    newestFirst.push(...page.events)
    from = enough(newestFirst.toReversed()) ? undefined : page.end
  }
  // The first sight of a room is limited too, with nothing behind it: no gap to tell of.
  const say = newestFirst.length === 0 && from === undefined ? Effect.logDebug : Effect.logInfo
  yield* say("timeline_gap_filled").pipe(
    Effect.annotateLogs({ room: roomId, events: newestFirst.length, complete: from === undefined })
  )
  const leftOut = from === undefined ? undefined : { roomId, from, to, events: newestFirst.length }
  return { roomId, events: newestFirst.reverse(), leftOut }
}, (effect, { from, roomId, to }) =>
  // The room may be closed to us meanwhile. What the answer itself brought is still handled.
  Effect.catchTag(effect, "MatrixFailure", (failure) =>
    Effect.logWarning("timeline_gap_left_open").pipe(
      Effect.annotateLogs({ room: roomId, problem: failure.message }),
      Effect.as({ roomId, events: [], leftOut: { roomId, from, to, events: 0 } })
    )))

/** 1 s, 2 s, 4 s … 30 s, without end. */
export const patience = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")])
