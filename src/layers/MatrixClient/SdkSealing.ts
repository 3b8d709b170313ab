import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { CryptoBackend } from "matrix-js-sdk/lib/common-crypto/CryptoBackend.js"
import type { CryptoApi } from "matrix-js-sdk/lib/crypto-api/index.js"
import { MatrixEvent } from "matrix-js-sdk/lib/matrix.js"
import { failure } from "./Requests.ts"
import { SdkClient } from "./SdkClient.ts"
import { makeIsEncrypted, Sealing } from "./Sealing.ts"

/** The SDK encrypts by itself only what it sends by itself; the outbox sends what it has stored, with its own transaction id. */
const isBackend = (crypto: CryptoApi): crypto is CryptoBackend => "encryptEvent" in crypto

const notYet = (detail: string) => failure("encrypt", { _tag: "Unreachable", detail }, detail)

/** Megolm, by the SDK: the room's key is shared with the devices of its members first. */
export const layer = Layer.effect(
  Sealing,
  Effect.gen(function*() {
    const sdk = yield* SdkClient
    const isEncrypted = yield* makeIsEncrypted
    return Sealing.of({
      of: Effect.fn("Sealing.of")(function*(roomId) {
        const client = yield* sdk.current
        const crypto = client.getCrypto()
        const known = yield* isEncrypted(roomId)
        // The keys remember an encrypted room, whatever a server says of it later.
        const remembered = crypto === undefined
          ? false
          : yield* Effect.promise(() => crypto.isEncryptionEnabledInRoom(roomId))
        if (!known && !remembered) return { _tag: "PlainRoom" as const, roomId }
        return {
          _tag: "EncryptedRoom" as const,
          roomId,
          encrypt: Effect.fn("Sealing.encrypt")(function*(said) {
            const room = client.getRoom(roomId)
            if (crypto === undefined || !isBackend(crypto) || room === null) {
              return yield* notYet("The room has not come with a sync yet.")
            }
            const event = new MatrixEvent({ type: said.type, content: { ...said.content }, room_id: roomId })
            yield* Effect.tryPromise({
              try: () => crypto.encryptEvent(event, room),
              // Its words may quote what was to be encrypted.
              catch: (cause) =>
                notYet(`The message was not encrypted (${cause instanceof Error ? cause.name : "unknown"}).`)
            })
            return { type: event.getWireType(), content: event.getWireContent() }
          })
        }
      })
    })
  })
)
