import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { SyncStalled } from "../../domain/Errors.ts"
import { elapsedUnsafe } from "../Elapsed.ts"

/** How long the sync loop may be silent beyond the long poll that it asks for. Only tests change it. */
export const SilenceGrace = Context.Reference<Duration.Duration>("homing/MatrixClient/SilenceGrace", {
  defaultValue: () => Duration.seconds(60)
})

export interface Watchdog {
  /** Notes a sign of life: a request of the loop began or ended, a batch was taken. Plain, for the SDK's callbacks. */
  readonly alive: () => void
  /** Fails when no sign came for longer than one request may take, and the grace. */
  watch(request: Duration.Duration): Effect.Effect<never, SyncStalled>
}

/**
 * The SDK's loop can die without a word (client.ts:1537), so that nothing but the time since its last sign tells. The
 * requests of others, such as sends, are no sign: they go on while the loop is dead.
 */
export const make = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  const grace = yield* SilenceGrace
  let lastSign = elapsedUnsafe(clock)
  const silence = Effect.sync(() => elapsedUnsafe(clock) - lastSign)
  const watchdog: Watchdog = {
    alive: () => {
      lastSign = elapsedUnsafe(clock)
    },
    watch: Effect.fnUntraced(function*(request) {
      const allowed = Duration.toMillis(request) + Duration.toMillis(grace)
      while (true) {
        const silentFor = yield* silence
        if (silentFor >= allowed) {
          return yield* new SyncStalled({ silentFor, detail: "no request began or ended and no batch was taken." })
        }
        yield* Effect.sleep(Duration.millis(allowed - silentFor))
      }
    })
  }
  return watchdog
})
