import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { encryptionRemedy, type EncryptionState } from "../domain/Encryption.ts"
import type { MatrixFailure } from "../domain/Errors.ts"
import { MatrixCrypto } from "../layers/MatrixClient.ts"

/** A homeserver that is busy or away is asked again, after a second at first and a quarter of an hour at most. */
const again = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced(Duration.minutes(15))])

const mayPass = ({ reason }: MatrixFailure) => reason._tag === "Unreachable" || reason._tag === "RateLimited"

/**
 * Sets up, beside the bot, what people see as "verified", and the backup of its keys; takes both over from another device with the recovery
 * key. Nobody waits for it, and the bot answers whatever becomes of it.
 */
export const becomeVerified = Effect.gen(function*() {
  const { establish } = yield* MatrixCrypto
  const state = yield* establish.pipe(
    Effect.retry({ schedule: again, while: (error) => error._tag === "MatrixFailure" && mayPass(error) })
  )
  if (state !== undefined) yield* tell(state)
}).pipe(
  Effect.catchTags({
    EncryptionLocked: ({ detail, remedy }) =>
      Effect.logWarning("device_not_verified").pipe(Effect.annotateLogs({ problem: detail, remedy })),
    CryptoUnusable: ({ message }) =>
      Effect.logWarning("device_not_verified").pipe(Effect.annotateLogs("problem", message)),
    MatrixFailure: ({ message }) =>
      Effect.logWarning("device_not_verified").pipe(Effect.annotateLogs("problem", message))
  }),
  Effect.withSpan("becomeVerified")
)

const tell = (state: EncryptionState) => {
  const remedy = encryptionRemedy(state)
  return Effect.logInfo("device_verified").pipe(
    Effect.annotateLogs({
      device: state.device,
      storage: state.storage,
      backup: state.backup.version ?? "none",
      ...(remedy === undefined ? {} : { remedy })
    })
  )
}
