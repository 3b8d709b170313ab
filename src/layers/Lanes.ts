import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { elapsed } from "./Elapsed.ts"

/** What a lane does after one piece of work: goes on at once, goes on after some milliseconds, or sleeps until it is woken. */
export type LaneStep = "more" | "idle" | { readonly waitMillis: number }

/** Work in order within a key (a room), side by side between keys. */
export interface Lanes<Key, E> {
  /** There may be work for `key`. Cheap, and never lost: a lane that is about to sleep looks once more. */
  wake(key: Key): Effect.Effect<void>
  /** Lets the lanes run. What was woken before is remembered. */
  readonly open: Effect.Effect<void>
  /** Fails with the first error of the work; never succeeds. */
  readonly failure: Effect.Effect<never, E>
}

/**
 * Lanes hold no work themselves: `work` takes the next piece for its key from the store, so that a backlog of any length
 * costs no memory. `concurrency` bounds how many pieces are worked on at once; the semaphore serves in order of arrival,
 * which keeps the keys fair to each other, and a lane that waits holds no permit.
 *
 * Of the keys that are `alone`, one piece is worked on at a time, beside those of the others.
 *
 * When the scope closes, pieces in hand have `grace` to finish, and no new one is begun.
 */
export const makeLanes = <Key, E, R>(options: {
  readonly concurrency: number
  readonly grace: Duration.Input
  readonly work: (key: Key) => Effect.Effect<LaneStep, E, R>
  readonly alone?: (key: Key) => boolean
}): Effect.Effect<Lanes<Key, E>, never, R | Scope.Scope> =>
  Effect.gen(function*() {
    const permits = yield* Semaphore.make(options.concurrency)
    const permitAlone = yield* Semaphore.make(1)
    const opened = yield* Latch.make()
    const failure = yield* Deferred.make<never, E>()
    const lanes = new Map<Key, { wokenAgain: boolean }>()
    let closing = false

    const fibers = yield* FiberSet.make<void>()
    const fork = yield* FiberSet.runtime(fibers)<R>()
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        closing = true
      }).pipe(Effect.andThen(quiet), Effect.timeoutOption(options.grace))
    )

    const inHand = { count: 0 }
    const nothingInHand = yield* Latch.make(true)
    const quiet = nothingInHand.await

    const step = (key: Key) =>
      permits.withPermit(Effect.suspend(() => {
        if (closing) return Effect.never
        inHand.count++
        nothingInHand.closeUnsafe()
        return options.work(key).pipe(Effect.ensuring(Effect.sync(() => {
          if (--inHand.count === 0) nothingInHand.openUnsafe()
        })))
      }))

    const runLane = (key: Key, lane: { wokenAgain: boolean }): Effect.Effect<void, E, R> =>
      Effect.gen(function*() {
        yield* opened.await
        while (true) {
          lane.wokenAgain = false
          const next = yield* options.alone?.(key) === true ? permitAlone.withPermit(step(key)) : step(key)
          if (typeof next === "object") yield* Effect.sleep(next.waitMillis)
          // No other fiber runs between this look and the delete: a wake is either seen here or makes a new lane.
          else if (next === "idle" && !lane.wokenAgain) break
        }
        lanes.delete(key)
      })

    /** Lanes are interrupted when they close. At any other time that is a bug, and must not look like an orderly end. */
    const report = (cause: Cause.Cause<E>) => {
      if (!Cause.hasInterruptsOnly(cause)) return Deferred.failCause(failure, cause)
      return closing ? Effect.void : Deferred.die(failure, new Error("A lane was interrupted while it worked"))
    }

    const wake = (key: Key) =>
      Effect.sync(() => {
        const running = lanes.get(key)
        if (running !== undefined) {
          running.wokenAgain = true
          return
        }
        const lane = { wokenAgain: false }
        lanes.set(key, lane)
        fork(runLane(key, lane).pipe(Effect.onError(report), Effect.ignoreCause))
      })

    return { wake, open: Effect.asVoid(opened.open), failure: Deferred.await(failure) }
  })

/** One at a time for each key, in order of arrival; keys do not wait for each other. A key that nobody uses takes no memory. */
export const makeTurns = <Key>() => {
  const turns = new Map<Key, { readonly permit: Semaphore.Semaphore; users: number }>()
  return <A, E, R>(key: Key, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const turn = turns.get(key) ?? { permit: Semaphore.makeUnsafe(1), users: 0 }
        turn.users++
        turns.set(key, turn)
        return turn
      }),
      ({ permit }) => permit.withPermit(effect),
      (turn) =>
        Effect.sync(() => {
          if (--turn.users === 0) turns.delete(key)
        })
    )
}

/** A pause that all lanes of an account keep: one governor shares the server's rate limit between the rooms. */
export interface Governor {
  /** Milliseconds to wait before the next request may go out; 0 when it may go now. */
  readonly remaining: Effect.Effect<number>
  /** Nothing goes out for this many milliseconds. Never shortens a pause. */
  pause(millis: number): Effect.Effect<void>
}

export const makeGovernor = Effect.sync((): Governor => {
  let notBefore = 0
  return {
    remaining: Effect.map(elapsed, (now) => Math.max(0, notBefore - now)),
    pause: (millis) =>
      Effect.map(elapsed, (now) => {
        notBefore = Math.max(notBefore, now + millis)
      })
  }
})
