import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CryptoUnusable } from "../src/domain/Errors.ts"
import type { SdkCrypto as Real } from "../src/layers/MatrixClient/SdkCrypto.ts"

/** Stands in for the service of this name where the cost of keys is measured: see `WithoutCrypto.mjs`. */
export class SdkCrypto extends Context.Service<SdkCrypto, Real["Service"]>()("homing/MatrixClient/SdkCrypto") {
  static readonly layer = Layer.succeed(SdkCrypto, {
    device: Effect.undefined,
    attach: () => Effect.void,
    isTheDevice: () => Effect.void,
    olderState: () => new CryptoUnusable({ detail: "There are no keys here.", remedy: "" })
  })
}
