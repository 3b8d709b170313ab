import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type { StoreUnavailable } from "../domain/Errors.ts"
import { forgottenAfter, growingPause } from "../domain/GrowingPause.ts"
import type { ReferenceCode, RoomId } from "../domain/Ids.ts"
import { elapsed } from "./Elapsed.ts"

/** What a repair found: reason codes with counts. */
export type Repair = Readonly<Record<string, number>>

/** More rooms than this are not remembered: of those that failed longest ago, the next message is a first one. */
const mostRooms = 10_000

/** Knows which rooms are being repaired, and which could not be, so that a busy room that nobody knows costs one repair and one diagnostic. */
export class RepairMemory extends Context.Service<RepairMemory, {
  /** Repairs `room`, or waits for the repair of it that is under way: both get what it found. */
  repair<R>(
    room: RoomId,
    work: Effect.Effect<Repair, StoreUnavailable, R>
  ): Effect.Effect<Repair, StoreUnavailable, R>
  /** The code of the diagnostic that speaks for `room` while no repair is to be made; undefined when one may. Counts who asks. */
  standing(room: RoomId): Effect.Effect<ReferenceCode | undefined>
  /**
   * No repair helped, and `code` is the diagnostic of that: none is made for 1 min, then 2 min … 1 h. Where the pause of before
   * still runs, it stays. Answers how many asked in vain since the last diagnostic.
   */
  failed(room: RoomId, code: ReferenceCode): Effect.Effect<number>
  /** The room has changed, or shows a chat: the next message finds out anew. */
  forget(room: RoomId): Effect.Effect<void>
}>()("homing/RepairMemory") {
  static readonly layer = Layer.sync(RepairMemory, () => make())
}

interface Failure {
  readonly failures: number
  readonly code: ReferenceCode
  /** By `elapsed`. */
  readonly notBefore: number
  /** Who asked meanwhile. */
  inVain: number
}

const make = () => {
  const underWay = new Map<RoomId, Deferred.Deferred<Repair | undefined, StoreUnavailable>>()
  /** The room that failed last stands last. */
  const known = new Map<RoomId, Failure>()

  const repair = <R>(
    room: RoomId,
    work: Effect.Effect<Repair, StoreUnavailable, R>
  ): Effect.Effect<Repair, StoreUnavailable, R> =>
    Effect.suspend(() => {
      const other = underWay.get(room)
      if (other !== undefined) {
        // One that was stopped in the middle has found nothing for anybody.
        return Effect.flatMap(Deferred.await(other), (found) =>
          found === undefined ? repair(room, work) : Effect.succeed(found))
      }
      const own = Deferred.makeUnsafe<Repair | undefined, StoreUnavailable>()
      underWay.set(room, own)
      return Effect.onExit(work, (exit) =>
        Effect.suspend(() => {
          underWay.delete(room)
          return Deferred.done(own, Exit.hasInterrupts(exit) ? Exit.succeed(undefined) : exit)
        }))
    })

  return RepairMemory.of({
    repair,

    standing: (room) =>
      Effect.map(elapsed, (now) => {
        const failure = known.get(room)
        if (failure === undefined || now >= failure.notBefore) return undefined
        failure.inVain++
        return failure.code
      }),

    failed: (room, code) =>
      Effect.map(elapsed, (now) => {
        const before = known.get(room)
        if (before !== undefined && now < before.notBefore) return before.inVain
        const failures = before !== undefined && now < before.notBefore + forgottenAfter ? before.failures + 1 : 1
        known.delete(room)
        known.set(room, { failures, code, notBefore: now + growingPause(failures), inVain: 0 })
        const [oldest] = known.keys()
        if (known.size > mostRooms && oldest !== undefined) known.delete(oldest)
        return before?.inVain ?? 0
      }),

    forget: (room) => Effect.sync(() => void known.delete(room))
  })
}
