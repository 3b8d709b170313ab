import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

const nanosPerMilli = 1_000_000

/**
 * Milliseconds on a clock that nobody puts forward or back: for how long something takes or is waited for. Says nothing of the time of day;
 * a machine whose clock is set by an hour must not keep its answers for an hour.
 */
export const elapsedUnsafe = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / nanosPerMilli

export const elapsed: Effect.Effect<number> = Effect.map(Clock.Clock, elapsedUnsafe)
