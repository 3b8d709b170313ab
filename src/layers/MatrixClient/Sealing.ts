import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as MutableRef from "effect/MutableRef"
import * as Schema from "effect/Schema"
import type { MatrixFailure } from "../../domain/Errors.ts"
import type { RoomId } from "../../domain/Ids.ts"
import { MatrixRequests, path } from "./Requests.ts"
import { LatestView } from "./Rooms.ts"

/** What a person says, as it goes over the wire. */
export interface Content {
  readonly type: string
  readonly content: Readonly<Record<string, unknown>>
}

/** The room is not encrypted: what is said there may go out as it is. */
export interface PlainRoom {
  readonly _tag: "PlainRoom"
  readonly roomId: RoomId
}

/** The room is encrypted, and this is how something is said there. */
export interface EncryptedRoom {
  readonly _tag: "EncryptedRoom"
  readonly roomId: RoomId
  readonly encrypt: (said: Content) => Effect.Effect<Content, MatrixFailure>
}

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

/** Something that may be sent to a room: made from a proof, and in no other way. */
export class Envelope {
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
}

/**
 * Whether a room is encrypted: as the last sync answer says, or as the server does when the room has not come with one yet.
 * Encryption is never switched off again (Client-Server API, "m.room.encryption").
 */
export const makeIsEncrypted = Effect.gen(function*() {
  const { request } = yield* MatrixRequests
  const view = yield* LatestView
  return (room: RoomId): Effect.Effect<boolean, MatrixFailure> =>
    Effect.suspend(() => {
      const known = MutableRef.get(view).get(room)?.room
      if (known !== undefined && known.membership === "join") return Effect.succeed(known.encrypted)
      return request({
        name: "read encryption",
        method: "GET",
        path: path`/rooms/${room}/state/m.room.encryption/`,
        schema: Schema.Unknown
      }).pipe(
        Effect.as(true),
        Effect.catchIf((failure) => failure.reason._tag === "NotFound", () => Effect.succeed(false))
      )
    })
})
