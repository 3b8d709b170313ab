import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { backoff } from "../domain/Delivery.ts"
import type { StoreUnavailable } from "../domain/Errors.ts"
import type { RoomId } from "../domain/Ids.ts"
import type { SyncBatch } from "../domain/SyncBatch.ts"
import { elapsed } from "../layers/Elapsed.ts"
import { Health } from "../layers/Health.ts"
import type { Lanes } from "../layers/Lanes.ts"
import { MatrixProvisioning, MatrixSession, MatrixSync } from "../layers/MatrixClient.ts"
import { Store } from "../layers/Store.ts"
import { becomeVerified } from "./BecomeVerified.ts"
import { patience } from "./FillGaps.ts"
import { finishRoomsOrWarn } from "./FinishRooms.ts"
import type { Upgrades } from "./FollowUpgrades.ts"
import { ingest } from "./Ingest.ts"
import { writeOpenMarkers } from "./Markers.ts"
import { logReport } from "./Reconcile.ts"
import { keepStoreSmall } from "./Retention.ts"
import { makeTeller, reconcileAndTell } from "./TellAdmins.ts"

/** The lanes that a sync answer feeds. */
export interface RoomLanes {
  readonly inbox: Lanes<RoomId, StoreUnavailable>
  readonly outbox: Lanes<RoomId, StoreUnavailable>
  readonly upgrades: Upgrades
}

const syncFromCursor = Effect.gen(function*() {
  return yield* (yield* MatrixSync).initialSync(yield* (yield* Store).cursor)
})

/**
 * The sync that the gate holds, from the stored cursor. A session that comes to a soft end meanwhile is had back by signing in
 * again; one that is dead for good says so when it tries.
 */
export const initialSync = Effect.catchTag(
  syncFromCursor,
  "SessionEnded",
  () => Effect.flatMap(MatrixSession, (session) => Effect.andThen(session.authenticate, syncFromCursor))
)

/**
 * The sync loop, and all that it keeps going: every answer goes into the inbox, the lanes settle and send it. Ends only with
 * an error: of the store, or of a session that cannot be had back.
 */
export const answerPeople = Effect.fnUntraced(function*(lanes: RoomLanes) {
  const tellOfChanges = yield* makeTeller
  return yield* Effect.raceAllFirst([
    supervisedLoop(lanes),
    lanes.inbox.failure,
    lanes.outbox.failure,
    keepStoreSmall,
    // What an operator lets be sent again, beside the bot, too.
    Effect.repeat(Effect.andThen(tellOfChanges, wakeOutbox(lanes)), Schedule.spaced("1 minute"))
  ])
})

/** A loop that ran for so long, in milliseconds, was well: the next failure is a first one. */
const wellAfter = 5 * 60_000

/** Starts the loop again when it was wedged, or when its session came to a soft end. */
const supervisedLoop = Effect.fnUntraced(function*(lanes: RoomLanes) {
  const sync = yield* MatrixSync
  let failures = 0
  let afterAbsence = true
  const take = (batch: SyncBatch) =>
    Effect.andThen(
      takeIn(batch, lanes, { afterAbsence }),
      Effect.sync(() => {
        afterAbsence = false
      })
    )
  while (true) {
    const startedAt = yield* elapsed
    const end = yield* sync.loop(take).pipe(
      Effect.catchTags({
        SyncStalled: (error) => Effect.succeed(error),
        SessionEnded: (error) => Effect.succeed(error)
      })
    )
    const wasWell = (yield* elapsed) - startedAt > wellAfter
    failures = wasWell ? 1 : failures + 1
    yield* Effect.logWarning("sync_loop_ended").pipe(Effect.annotateLogs({ reason: end._tag, problem: end.message }))
    yield* reconnect(failures)
    yield* Effect.logInfo("sync_loop_restarted").pipe(Effect.annotateLogs({ failures }))
  }
})

/**
 * Signs in as the same device, syncs from the cursor with a new client, and reconciles again, after a pause that grows with the failures. A
 * homeserver that is away is waited for as long as it takes: the store keeps everything meanwhile. A session that is dead for
 * good goes up.
 */
const reconnect = Effect.fnUntraced(function*(failures: number) {
  yield* (yield* Health).set({ phase: "reconnecting" })
  yield* Effect.sleep(backoff(failures))
  yield* comeBack.pipe(Effect.retry({
    schedule: patience,
    while: ({ _tag }) => _tag === "HomeserverUnreachable" || _tag === "SyncStalled"
  }))
})

const comeBack = Effect.gen(function*() {
  yield* (yield* MatrixSession).authenticate
  yield* initialSync
  yield* logReport(yield* reconcileAndTell())
})

const takeIn = Effect.fn("takeIn")(function*(
  batch: SyncBatch,
  lanes: RoomLanes,
  options: { readonly afterAbsence: boolean }
) {
  const { heard, owed } = yield* ingest(batch, options)
  yield* (yield* Health).set({ lastSyncAt: yield* Clock.currentTimeMillis })
  // Only now: the echoes in the initial answer have settled what was sent before a crash.
  if (batch.initial) yield* openLanes(lanes)
  yield* Effect.forEach(heard, lanes.inbox.wake, { discard: true })
  yield* Effect.forEach(owed, lanes.outbox.wake, { discard: true })
  if (batch.initial || batch.reshaped.length > 0) yield* Effect.forkScoped(writeOpenMarkersOrWarn)
  if (batch.departures.length > 0) yield* Effect.forkScoped(forgetDirect(batch))
  // A room that was replaced may have been told where its chat goes on.
  if (batch.reshaped.length > 0) yield* wakeOutbox(lanes)
  yield* lanes.upgrades.wake(batch)
  if (batch.initial) yield* Effect.forkScoped(finishRoomsOrWarn)
  if (batch.initial) yield* Effect.forkScoped(becomeVerified)
})

const openLanes = Effect.fnUntraced(function*({ inbox, outbox, upgrades }: RoomLanes) {
  yield* wakeOutbox({ outbox })
  // A new client, after a reconnect too, knows nothing of the keys that the one before it waited for.
  yield* (yield* Store).inbox.takeUpAll
  yield* Effect.forEach(yield* (yield* Store).inbox.pendingRooms, inbox.wake, { discard: true })
  yield* outbox.open
  yield* inbox.open
  yield* upgrades.open
  yield* (yield* Health).set({ phase: "running" })
})

/** What the bot is not in is no direct chat of it. Tidiness: what cannot be done now is left. */
const forgetDirect = Effect.fnUntraced(
  function*({ departures }: SyncBatch) {
    yield* (yield* MatrixProvisioning).removeDirect(new Set(departures.map(({ roomId }) => roomId)))
  },
  Effect.catchTag(
    "MatrixFailure",
    (failure) => Effect.logDebug("direct_rooms_not_written").pipe(Effect.annotateLogs({ problem: failure.message }))
  )
)

const wakeOutbox = Effect.fnUntraced(function*({ outbox }: Pick<RoomLanes, "outbox">) {
  yield* Effect.forEach(yield* (yield* Store).outbox.pendingRooms, outbox.wake, { discard: true })
})

const writeOpenMarkersOrWarn = writeOpenMarkers().pipe(
  Effect.catch((error) =>
    Effect.logWarning("markers_not_written").pipe(Effect.annotateLogs({ problem: error.message }))
  )
)
