import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { MatrixEvent, MatrixEventEvent } from "matrix-js-sdk/lib/matrix.js"
import { Undecryptable } from "../../domain/Errors.ts"
import type { RoomId } from "../../domain/Ids.ts"
import { MatrixCrypto } from "../MatrixClient.ts"
import { SdkClient } from "./SdkClient.ts"
import * as SdkIdentity from "./SdkIdentity.ts"
import { passOnVerification } from "./SdkVerification.ts"

/** Decrypts with the keys of the SDK, which also watches for the key of what it could not read. */
export const layer = Layer.effect(
  MatrixCrypto,
  Effect.gen(function*() {
    const sdk = yield* SdkClient
    const readable = yield* Queue.unbounded<RoomId>()
    const identity = yield* SdkIdentity.make
    return MatrixCrypto.of({
      ...identity,
      decrypt: Effect.fn("MatrixCrypto.decrypt")(function*(room, raw) {
        const client = yield* sdk.current
        const { content, event_id, origin_server_ts, sender, type, unsigned } = raw
        const event = new MatrixEvent({
          content: { ...content },
          event_id,
          origin_server_ts,
          room_id: room,
          sender,
          type,
          unsigned: { ...unsigned }
        })
        // Never rejects: a failure is written on the event.
        yield* Effect.promise(() => client.decryptEventIfNeeded(event))
        if (!event.isDecryptionFailure() && !event.isEncrypted()) return raw
        if (event.isDecryptionFailure() || event.getType() === "m.room.encrypted") {
          event.once(MatrixEventEvent.Decrypted, () => {
            if (!event.isDecryptionFailure()) Queue.offerUnsafe(readable, room)
          })
          return yield* new Undecryptable({ reason: event.decryptionFailureReason ?? "NO_CRYPTO" })
        }
        yield* passOnVerification(client, event)
        return { ...raw, type: event.getType(), content: event.getContent() }
      }),
      nextReadable: Queue.take(readable)
    })
  })
)
