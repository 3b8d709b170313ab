import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { afterFailure } from "../domain/Delivery.ts"
import type { MatrixFailure } from "../domain/Errors.ts"
import { growingPause } from "../domain/GrowingPause.ts"
import type { RoomId } from "../domain/Ids.ts"
import { wantedSuccessor } from "../domain/Reconciliation/Upgrades.ts"
import type { SyncBatch } from "../domain/SyncBatch.ts"
import { upgradeDuties, type UpgradeDuty } from "../domain/UpgradeDuties.ts"
import { elapsed } from "../layers/Elapsed.ts"
import { type LaneStep, makeLanes } from "../layers/Lanes.ts"
import { MatrixProvisioning, MatrixRooms } from "../layers/MatrixClient.ts"
import { Store } from "../layers/Store.ts"

/** So often is tried what the server refuses: some three hours. The next start tries again. */
const mostTries = 8

/** A timer of Node may ring a moment before its time, in milliseconds. */
const early = 10

/**
 * Follows rooms and Spaces that were replaced, as far as reconciliation, which only reads, cannot: goes into the successor, and sees to it
 * that the Spaces of the bot list it. Runs after the gate, a lane for each room that was replaced. Every step can be done again.
 */
export const openUpgrades = Effect.gen(function*() {
  const scope = yield* Effect.scope
  /** Of rooms where something failed, by `elapsed`. */
  const tries = new Map<RoomId, { readonly failures: number; readonly notBefore: number }>()

  const follow = Effect.fn("followUpgrade")(function*(room: RoomId): Effect.fn.Return<LaneStep, never, Duties> {
    if ((yield* elapsed) + early < (tries.get(room)?.notBefore ?? 0)) return "idle"
    yield* carryOutAll(room).pipe(
      Effect.andThen(Effect.sync(() => void tries.delete(room))),
      Effect.catchTags({
        MatrixFailure: (failure) => later(room, failure),
        // The lanes of the inbox tell of it, and end the run.
        StoreUnavailable: () => Effect.void
      }),
      // Nobody else waits for this lane: a bug in it is told here, and costs no other room.
      Effect.catchDefect((defect) => Effect.logError("upgrade_not_followed", Cause.die(defect)))
    )
    return "idle"
  })

  const later = Effect.fnUntraced(function*(room: RoomId, failure: MatrixFailure) {
    const failures = (tries.get(room)?.failures ?? 0) + 1
    const next = afterFailure(failure.reason, failures)
    const wait = next._tag === "Retry" ? next.after : failures < mostTries ? growingPause(failures) : undefined
    // The first is no news: the tombstone often comes before the invite.
    const say = failures === 2 ? Effect.logWarning : Effect.logInfo
    yield* say("upgrade_not_followed").pipe(
      Effect.annotateLogs({ room, problem: failure.message, waitMillis: wait ?? "the next start" })
    )
    tries.set(room, { failures, notBefore: (yield* elapsed) + (wait ?? Infinity) })
    if (wait !== undefined) yield* Effect.forkIn(Effect.andThen(Effect.sleep(wait), lanes.wake(room)), scope)
  })

  const lanes = yield* makeLanes({ concurrency: 2, grace: "1 second", work: follow })

  return {
    open: lanes.open,
    /** Looks at the rooms that a sync answer may have given something to do about. */
    wake: Effect.fnUntraced(function*({ initial, invites, reshaped }: SyncBatch) {
      if (!initial && invites.length === 0 && reshaped.length === 0) return
      const rooms = yield* (yield* MatrixRooms).snapshot
      const [changed, invited] = [new Set(reshaped), new Set(invites.map(({ roomId }) => roomId))]
      for (const room of rooms) {
        const successor = wantedSuccessor(room)
        if (successor === undefined) continue
        // Whoever was refused before may have been let in.
        if (invited.has(successor)) tries.delete(room.roomId)
        if (initial || changed.has(room.roomId) || changed.has(successor) || invited.has(successor)) {
          yield* lanes.wake(room.roomId)
        }
      }
    })
  }
})

export type Upgrades = Effect.Success<typeof openUpgrades>

type Duties = MatrixProvisioning | MatrixRooms | Store

const dutiesNow = Effect.gen(function*() {
  const rooms = new Map((yield* (yield* MatrixRooms).snapshot).map((room) => [room.roomId, room]))
  const replaced = [...rooms.values()].filter((room) => wantedSuccessor(room) !== undefined)
  const showing = yield* (yield* Store).chats.byRooms(replaced.map(({ roomId }) => roomId))
  return upgradeDuties(rooms, new Set(showing.keys()))
})

const carryOutAll = Effect.fnUntraced(function*(room: RoomId) {
  const duties = (yield* dutiesNow).filter((duty) => duty.room === room)
  yield* Effect.forEach(duties, carryOut, { discard: true })
})

const carryOut = Effect.fnUntraced(function*(duty: UpgradeDuty) {
  const provisioning = yield* MatrixProvisioning
  switch (duty._tag) {
    case "Join":
      return yield* enter(duty)
    case "Relist":
      // The new one first: ended in between, the old one is still there to begin again from.
      if (duty.add) yield* provisioning.addToSpace(duty.space, duty.successor)
      yield* provisioning.removeFromSpace(duty.space, duty.room)
      return yield* Effect.logInfo("room_relisted").pipe(
        Effect.annotateLogs({ space: duty.space, room: duty.successor, instead: duty.room })
      )
    case "MoveSpace":
      yield* Effect.forEach(duty.add, (room) => provisioning.addToSpace(duty.successor, room), { discard: true })
      // What the bot has asked for is that Space from now on, also when it leaves the old one.
      return yield* (yield* Store).provisioning.made(duty.origin, duty.successor)
  }
})

/**
 * Goes into a successor. It has to name the room that it replaces: into any other, which a tombstone may name, too, the bot was sent under a
 * pretext, and does not stay. Its chat is moved when the next sync answer tells of the room.
 */
const enter = Effect.fnUntraced(function*({ room, successor, via }: Extract<UpgradeDuty, { readonly _tag: "Join" }>) {
  const provisioning = yield* MatrixProvisioning
  yield* provisioning.join(successor, via)
  if ((yield* (yield* MatrixRooms).read(successor)).predecessor === room) {
    return yield* Effect.logInfo("upgrade_followed").pipe(Effect.annotateLogs({ room, successor }))
  }
  yield* provisioning.leave(successor, "This room does not say that it replaces the one that names it.")
  yield* Effect.logWarning("upgrade_refused").pipe(
    Effect.annotateLogs({ room, successor, problem: "The successor does not name the room as its predecessor." })
  )
})
