import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** Stands in for the service of this name where the cost of keys is measured: see `WithoutCrypto.mjs`. */
export class SdkCrypto extends Context.Service<SdkCrypto, {
  attach(): Effect.Effect<void>
  isTheDevice(): Effect.Effect<void>
}>()("homing/MatrixClient/SdkCrypto") {
  static readonly layer = Layer.succeed(SdkCrypto, { attach: () => Effect.void, isTheDevice: () => Effect.void })
}
