import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { EncryptionLocked, Undecryptable } from "../../domain/Errors.ts"
import { MatrixCrypto } from "../MatrixClient.ts"
import { failure } from "./Requests.ts"
import { makeProver, Sealing } from "./Sealing.ts"

const noKeys = new EncryptionLocked({ detail: "This client has no keys.", remedy: "Use the one that speaks HTTP." })

/** A client without keys: it reads nothing that is encrypted. */
export const decryption = Layer.succeed(
  MatrixCrypto,
  MatrixCrypto.of({
    decrypt: () => Effect.fail(new Undecryptable({ reason: "NO_CRYPTO" })),
    nextReadable: Effect.never,
    establish: Effect.succeed(undefined),
    state: Effect.succeed(undefined),
    renewRecoveryKey: Effect.fail(noKeys),
    compare: () => Effect.fail(noKeys)
  })
)

/** And says nothing in a room that is. */
export const sealing = Layer.effect(
  Sealing,
  Effect.map(makeProver, (prove) =>
    Sealing.of({
      announced: Effect.void,
      of: (roomId) => prove(roomId, { remembered: Effect.succeed(false), encrypt: () => Effect.fail(noCrypto) })
    }))
)

const noCrypto = failure("encrypt", { _tag: "Rejected", status: 0, errcode: "NO_CRYPTO" }, "This client has no keys.")
