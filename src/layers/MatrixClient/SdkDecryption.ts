import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import { EventShieldReason } from "matrix-js-sdk/lib/crypto-api/index.js"
import { type MatrixClient, MatrixEvent, MatrixEventEvent } from "matrix-js-sdk/lib/matrix.js"
import { ForgedSender, Undecryptable } from "../../domain/Errors.ts"
import type { RoomId } from "../../domain/Ids.ts"
import type { RawEvent } from "../../domain/SyncBatch.ts"
import { MatrixCrypto } from "../MatrixClient.ts"
import { isBackend } from "./CryptoBackend.ts"
import { isStopped, SdkClient } from "./SdkClient.ts"
import * as SdkIdentity from "./SdkIdentity.ts"
import { passOnVerification } from "./SdkVerification.ts"

/** So many events that could not be read are known again: of more, the oldest are tried as if they were new. */
const mostLocked = 10_000

const nothing = Promise.resolve(null)

const eventOf = (room: RoomId, { content, event_id, origin_server_ts, sender, type, unsigned }: RawEvent) =>
  new MatrixEvent({
    content: { ...content },
    event_id,
    origin_server_ts,
    room_id: room,
    sender,
    type,
    unsigned: { ...unsigned }
  })

/** Decrypts with the keys of the SDK, which also watches for the key of what it could not read. */
export const layer = Layer.effect(
  MatrixCrypto,
  Effect.gen(function*() {
    const sdk = yield* SdkClient
    const readable = yield* Queue.unbounded<RoomId>()
    const identity = yield* SdkIdentity.make
    const lockedBy = new WeakMap<MatrixClient, Map<string, MatrixEvent>>()

    /**
     * The events that a client could not read. One object for each, however often it is looked at: the SDK keeps every object that it has tried
     * in vain, and tries them all again when their key comes.
     */
    const lockedOf = (client: MatrixClient) => {
      const locked = lockedBy.get(client) ?? new Map<string, MatrixEvent>()
      lockedBy.set(client, locked)
      return locked
    }

    const watch = (room: RoomId, event: MatrixEvent) =>
      event.on(MatrixEventEvent.Decrypted, () => {
        if (!event.isDecryptionFailure()) Queue.offerUnsafe(readable, room)
      })

    return MatrixCrypto.of({
      ...identity,
      decrypt: Effect.fn("MatrixCrypto.decrypt")(function*(room, raw) {
        // Nothing is missing while a session is had back: that is waited for, and not counted against a key.
        const client = yield* Effect.repeat(sdk.current, {
          until: (client) => !isStopped(client),
          schedule: Schedule.spaced("250 millis")
        })
        const crypto = client.getCrypto()
        const locked = lockedOf(client)
        const name = `${room} ${raw.event_id}`
        const known = locked.get(name)
        const event = known ?? eventOf(room, raw)
        // Not by its type: whoever encrypts it chooses that, and the SDK rejects what it has opened before.
        const isLocked = () => event.isDecryptionFailure() || event.getClearContent() === null
        if (!event.isEncrypted()) return raw
        // Never rejects: a failure is written on the event. The SDK may have read it meanwhile.
        if (isLocked() && crypto !== undefined && isBackend(crypto)) {
          yield* Effect.promise(() => event.attemptDecryption(crypto))
        }
        if (isLocked()) {
          if (known === undefined) {
            locked.set(name, event)
            watch(room, event)
            const [oldest] = locked.keys()
            if (locked.size > mostLocked && oldest !== undefined) locked.delete(oldest)
          }
          return yield* new Undecryptable({ reason: event.decryptionFailureReason ?? "NO_CRYPTO" })
        }
        locked.delete(name)
        // Its keys are closed: the next look is by the client that comes after it.
        if (isStopped(client)) return yield* new Undecryptable({ reason: "CLIENT_STOPPED" })
        const about = yield* Effect.promise(() => crypto?.getEncryptionInfoForEvent(event) ?? nothing)
        // The SDK tells, and reads it all the same.
        if (about?.shieldReason === EventShieldReason.MISMATCHED_SENDER) return yield* new ForgedSender()
        yield* passOnVerification(client, event)
        const relation = raw.content["m.relates_to"]
        // Where it stands is what is said of it in clear, as servers read it (Client-Server API, "Megolm").
        return {
          ...raw,
          type: event.getType(),
          content: { ...event.getContent(), ...(relation === undefined ? {} : { "m.relates_to": relation }) }
        }
      }),
      nextReadable: Queue.take(readable)
    })
  })
)
