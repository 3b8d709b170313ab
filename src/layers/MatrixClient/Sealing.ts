import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as MutableRef from "effect/MutableRef"
import * as Schema from "effect/Schema"
import type { MatrixFailure } from "../../domain/Errors.ts"
import type { RoomId } from "../../domain/Ids.ts"
import { reactionType } from "../../domain/Prompt.ts"
import { Store } from "../Store.ts"
import { failure, MatrixRequests, path } from "./Requests.ts"
import { LatestView } from "./Rooms.ts"

/** What a person says, as it goes over the wire. */
export interface Content {
  readonly type: string
  readonly content: Readonly<Record<string, unknown>>
}

/** Not exported, so that the proofs below are made here and nowhere else. */
const proven: unique symbol = Symbol("homing/MatrixClient/Sealing/proven")

/** The room is not encrypted: what is said there may go out as it is. */
export interface PlainRoom {
  readonly [proven]: true
  readonly _tag: "PlainRoom"
  readonly roomId: RoomId
}

/** The room is encrypted, and this is how something is said there. */
export interface EncryptedRoom {
  readonly [proven]: true
  readonly _tag: "EncryptedRoom"
  readonly roomId: RoomId
  readonly encrypt: Encrypt
}

type Encrypt = (said: Content) => Effect.Effect<Content, MatrixFailure>

/**
 * Proof that the room's encryption state is known. Whoever has none cannot send: the SDK would take a room that it does not
 * know for a plain one (client.ts:3023).
 */
export type KnownRoom = PlainRoom | EncryptedRoom

/** Tells of a room whether it is encrypted, and encrypts for it. */
export class Sealing extends Context.Service<Sealing, {
  /** Fails, to be tried again, while the room is not known well enough. */
  of(room: RoomId): Effect.Effect<KnownRoom, MatrixFailure>
  /**
   * Waits until the homeserver tells others the keys of this device: what is written in a room before that is encrypted
   * without it, and stays unreadable. Fails, to be tried again, when that takes too long.
   */
  readonly announced: Effect.Effect<void, MatrixFailure>
}>()("homing/MatrixClient/Sealing") {}

/** Something that may be sent to a room, at once: made from a proof, and in no other way. */
export class Envelope {
  readonly [proven] = true
  readonly type: string
  readonly content: Readonly<Record<string, unknown>>
  readonly roomId: RoomId

  private constructor(roomId: RoomId, said: Content) {
    this.roomId = roomId
    this.type = said.type
    this.content = said.content
  }

  static readonly seal = (room: KnownRoom, said: Content): Effect.Effect<Envelope, MatrixFailure> =>
    room._tag === "PlainRoom"
      ? Effect.succeed(new Envelope(room.roomId, said))
      : Effect.map(room.encrypt(said), (sealed) => new Envelope(room.roomId, sealed))

  /** Reactions are said in clear in every room: servers count them (Client-Server API, "Event annotations and reactions"). No words go out. */
  static readonly reaction = (roomId: RoomId, { content }: Content): Envelope =>
    new Envelope(roomId, { type: reactionType, content: { "m.relates_to": content["m.relates_to"] } })
}

/** What else may tell that a room is encrypted, and how something is encrypted for it. Neither can make a room a plain one. */
interface Sealer {
  readonly remembered: Effect.Effect<boolean>
  readonly encrypt: Encrypt
}

/**
 * Proves of a room that it is encrypted, or that nothing says so: no answer to a sync, no key, nothing that the store remembers of it, and of a
 * room that the bot is not known to be in, not the server either. Encryption is never switched off again (Client-Server API,
 * "m.room.encryption"), whatever is said later: also when the bot left the room and came back to it.
 */
export const makeProver = Effect.gen(function*() {
  const { request } = yield* MatrixRequests
  const view = yield* LatestView
  const store = yield* Store
  const shown = (room: RoomId) => MutableRef.get(view).get(room)?.room

  const isKept = (room: RoomId) =>
    store.encryptedRooms([room]).pipe(
      Effect.map((rooms) => rooms.has(room)),
      Effect.mapError(({ message }) => failure("read encryption", { _tag: "Unreachable", detail: message }, message))
    )

  const isOnServer = (room: RoomId) =>
    request({
      name: "read encryption",
      method: "GET",
      path: path`/rooms/${room}/state/m.room.encryption/`,
      schema: Schema.Unknown
    }).pipe(
      Effect.as(true),
      Effect.catchIf((failure) => failure.reason._tag === "NotFound", () => Effect.succeed(false))
    )

  return Effect.fnUntraced(function*(roomId: RoomId, { encrypt, remembered }: Sealer) {
    const known = shown(roomId)
    const isEncrypted = known?.encrypted === true || (yield* remembered) || (yield* isKept(roomId)) ||
      (known?.membership !== "join" && (yield* isOnServer(roomId))) ||
      // Once more, and last: the answer to a sync may have come meanwhile. What follows is sent in the same turn.
      shown(roomId)?.encrypted === true
    const room: KnownRoom = isEncrypted
      ? { [proven]: true, _tag: "EncryptedRoom", roomId, encrypt }
      : { [proven]: true, _tag: "PlainRoom", roomId }
    return room
  })
})
