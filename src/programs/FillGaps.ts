import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { settledUpTo } from "../domain/Arrival.ts"
import { afterFailure, backoff } from "../domain/Delivery.ts"
import { MatrixFailure } from "../domain/Errors.ts"
import type { RoomId, SyncToken, UserId } from "../domain/Ids.ts"
import type { RawEvent, RoomTimeline, SyncBatch } from "../domain/SyncBatch.ts"
import { AppConfig } from "../layers/AppConfig.ts"
import { MatrixRooms } from "../layers/MatrixClient.ts"
import { type Gap, type HeldRoom, Store } from "../layers/Store.ts"

/** The timelines of a sync answer without their gaps, as far as the server could fill them. */
export interface WholeTimelines {
  readonly timelines: ReadonlyArray<RoomTimeline>
  /** What was fetched for a room, oldest first: it stands before what the answer brought. */
  readonly recovered: ReadonlyMap<RoomId, ReadonlyArray<RawEvent>>
  /** What was given up. */
  readonly leftOut: ReadonlyArray<Omit<Gap, "noticedAt">>
  /** Rooms of which nothing is taken in for now. */
  readonly holds: ReadonlyArray<HeldRoom>
  /** Rooms that were held, and are taken in with this answer. */
  readonly released: ReadonlyArray<HeldRoom>
}

/**
 * Fetches what the server left out of limited timelines. A room whose history cannot be fetched just now is held: nothing of it is taken in,
 * so that its order stands, and later answers try again from where it stopped. The others go on.
 */
export const fillGaps = Effect.fn("fillGaps")(function*(
  batch: SyncBatch,
  options: {
    readonly self: UserId
    readonly registered: ReadonlySet<RoomId>
    readonly afterAbsence: boolean
    /** Rooms that were known to be encrypted before this answer. */
    readonly encrypted: ReadonlySet<RoomId>
  }
) {
  const now = yield* Clock.currentTimeMillis
  const held = new Map((yield* (yield* Store).inbox.heldRooms).map((room) => [room.roomId, room]))
  const resting = new Set([...held.values()].filter((room) => rests(room, now)).map(({ roomId }) => roomId))
  const told = new Map(batch.timelines.map((timeline) => [timeline.roomId, timeline]))
  for (const room of held.keys()) {
    if (told.get(room)?.prevBatch === undefined) told.set(room, nothingNew(room, batch))
  }
  const timelines = [...told.values()].filter(({ roomId }) => !resting.has(roomId))

  const gaps = timelines.flatMap((timeline) => gapOf(batch, timeline, held.get(timeline.roomId), options) ?? [])
  const filled = yield* Effect.forEach(gaps, fillGap, { concurrency: 4 })

  const holds = filled.flatMap(({ gap, notNow }): ReadonlyArray<HeldRoom> => {
    if (!notNow || gap.to === undefined) return []
    const known = held.get(gap.roomId)
    const failures = (known?.failures ?? 0) + 1
    const afterAbsence = known?.afterAbsence ?? options.afterAbsence
    const wasEncrypted = known?.wasEncrypted ?? options.encrypted.has(gap.roomId)
    return [{ roomId: gap.roomId, since: gap.to, afterAbsence, wasEncrypted, failures, triedAt: now }]
  })
  const heldNow = new Set(holds.map(({ roomId }) => roomId))
  const whole: WholeTimelines = {
    timelines: timelines.filter(({ roomId }) => !heldNow.has(roomId)),
    recovered: new Map(filled.map(({ events, gap }) => [gap.roomId, events])),
    leftOut: filled.flatMap(({ leftOut }) => leftOut === undefined ? [] : [leftOut]),
    holds,
    released: [...held.values()].filter(({ roomId }) => !resting.has(roomId) && !heldNow.has(roomId))
  }
  return whole
})

/** A clock that was put back keeps no room waiting. */
const rests = ({ failures, triedAt }: HeldRoom, now: number): boolean =>
  now >= triedAt && now < triedAt + backoff(failures)

/** A held room of which the answer tells nothing that it could be tied to: what it missed ends where the answer does. */
const nothingNew = (roomId: RoomId, { nextBatch }: SyncBatch): RoomTimeline => ({
  roomId,
  events: [],
  limited: true,
  prevBatch: nextBatch
})

interface GapToFill {
  readonly roomId: RoomId
  readonly from: string
  readonly to: SyncToken | undefined
  /** Whether these events, oldest first, reach back far enough. */
  readonly enough: (events: ReadonlyArray<RawEvent>) => boolean
  /** How often it is tried before the next sync answer. */
  readonly tries: number
}

/** Without a cursor a gap ends where one sees which message of the chat was answered last. */
const gapOf = (
  { since }: SyncBatch,
  timeline: RoomTimeline,
  held: HeldRoom | undefined,
  { registered, self }: { readonly self: UserId; readonly registered: ReadonlySet<RoomId> }
): GapToFill | undefined => {
  const { limited, prevBatch, roomId } = timeline
  if (prevBatch === undefined || !(limited || held !== undefined)) return undefined
  const to = held?.since ?? since
  if (to !== undefined) return { roomId, from: prevBatch, to, enough: () => false, tries: held === undefined ? 4 : 1 }
  const enough = (older: ReadonlyArray<RawEvent>) => settledUpTo([...older, ...timeline.events], self) !== undefined
  // Nothing can be held that has no beginning: it is waited for two minutes.
  return registered.has(roomId) && !enough([]) ? { roomId, from: prevBatch, to, enough, tries: 9 } : undefined
}

const pageSize = 100
const pagePatience = "10 seconds"
const slow = "no answer came within 10 s"
const tooSlow = new MatrixFailure({
  request: "read history",
  reason: { _tag: "Unreachable", detail: slow },
  detail: slow
})

/** The events of one gap, oldest first, and what was left out of it. `notNow`: the server may fill it later. */
const fillGap = Effect.fn("fillGap")(function*(gap: GapToFill) {
  const { enough, from: newest, roomId, to, tries } = gap
  const rooms = yield* MatrixRooms
  const { catchUpLimit } = yield* AppConfig
  const pageOf = (from: string, limit: number) => {
    const page = rooms.history(roomId, { from, to, limit }).pipe(
      Effect.retry({
        schedule: patience,
        times: tries - 1,
        while: ({ reason }) => afterFailure(reason, 1)._tag === "Retry"
      })
    )
    // A server may fetch history from another that is slow, or gone. Where the room can be held, the others do not wait for that.
    return to === undefined
      ? page
      : Effect.timeoutOrElse(page, { duration: pagePatience, orElse: () => Effect.fail(tooSlow) })
  }
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
  return { gap, notNow: false, events: newestFirst.reverse(), leftOut }
}, (effect, gap) =>
  Effect.catchTag(effect, "MatrixFailure", (failure) => {
    const { from, roomId, to } = gap
    const notNow = to !== undefined && afterFailure(failure.reason, 1)._tag === "Retry"
    // The room may be closed to us meanwhile. What the answer itself brought is still handled.
    const event = notNow ? "timeline_held" : "timeline_gap_left_open"
    return Effect.logWarning(event).pipe(
      Effect.annotateLogs({ room: roomId, problem: failure.message }),
      Effect.as({ gap, notNow, events: [], leftOut: notNow ? undefined : { roomId, from, to, events: 0 } })
    )
  }))

/** 1 s, 2 s, 4 s … 30 s, without end. */
export const patience = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")])
