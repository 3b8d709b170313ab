import * as Effect from "effect/Effect"
import { afterFailure } from "../domain/Delivery.ts"
import type { MatrixFailure } from "../domain/Errors.ts"

/** A step that needs no doing where the server refuses it for good: what it was to change is not there any more. */
export const unlessRefused = (step: Effect.Effect<void, MatrixFailure>): Effect.Effect<void, MatrixFailure> =>
  Effect.catchIf(
    step,
    ({ reason }) => afterFailure(reason, 1)._tag === "Dead",
    (failure) => Effect.logDebug("step_refused").pipe(Effect.annotateLogs({ problem: failure.message }))
  )
