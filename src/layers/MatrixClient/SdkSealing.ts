import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { type MatrixClient, MatrixEvent } from "matrix-js-sdk/lib/matrix.js"
import type { RoomId } from "../../domain/Ids.ts"
import { isBackend } from "./CryptoBackend.ts"
import { field } from "./Json.ts"
import { failure, MatrixRequests } from "./Requests.ts"
import { isStopped, SdkClient } from "./SdkClient.ts"
import { makeProver, Sealing } from "./Sealing.ts"

const notYet = (detail: string) => failure("encrypt", { _tag: "Unreachable", detail }, detail)

/** How often, and how many times, the server is asked for the device's own keys: 3 s. */
const lookAgain = Schedule.max([Schedule.spaced("100 millis"), Schedule.recurs(30)])

/** Megolm, by the SDK: the room's key is shared with the devices of its members first. */
export const layer = Layer.effect(
  Sealing,
  Effect.gen(function*() {
    const sdk = yield* SdkClient
    const { request } = yield* MatrixRequests
    const prove = yield* makeProver
    const toldOf = new WeakSet<MatrixClient>()
    const plainRooms = new WeakMap<MatrixClient, Set<RoomId>>()

    /**
     * The keys remember an encrypted room, whatever a server says of it later. To ask them costs a message more than all else, so they are
     * asked once in the life of a client: what they learn in it, the view of the rooms has seen, too, and keeps.
     */
    const isRemembered = Effect.fnUntraced(function*(client: MatrixClient, roomId: RoomId) {
      const crypto = client.getCrypto()
      if (crypto === undefined) return false
      const plain = plainRooms.get(client) ?? new Set()
      plainRooms.set(client, plain)
      if (plain.has(roomId)) return false
      const remembered = yield* Effect.promise(() => crypto.isEncryptionEnabledInRoom(roomId))
      if (!remembered) plain.add(roomId)
      return remembered
    })

    return Sealing.of({
      announced: Effect.gen(function*() {
        const client = yield* sdk.current
        const crypto = client.getCrypto()
        if (crypto === undefined || !isBackend(crypto) || toldOf.has(client)) return
        const [user, device] = [client.getSafeUserId(), client.getDeviceId() ?? ""]
        // Else the keys go up when the first answer of /sync has been taken in, beside what that sets going.
        crypto.onSyncCompleted({})
        yield* request({
          name: "query own keys",
          method: "POST",
          path: "/keys/query",
          body: { device_keys: { [user]: [device] } },
          schema: Schema.Unknown
        }).pipe(
          Effect.filterOrFail(
            (answer) => field(field(field(answer, "device_keys"), user), device) !== undefined,
            () => notYet("The homeserver does not have the keys of this device yet.")
          ),
          Effect.retry({ schedule: lookAgain, while: ({ reason }) => reason._tag === "Unreachable" })
        )
        toldOf.add(client)
      }).pipe(Effect.withSpan("Sealing.announced")),

      of: Effect.fn("Sealing.of")(function*(roomId) {
        const client = yield* sdk.current
        if (isStopped(client)) return yield* notYet("The session ended, and is being had back.")
        const crypto = client.getCrypto()
        return yield* prove(roomId, {
          remembered: isRemembered(client, roomId),
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
        })
      })
    })
  })
)
