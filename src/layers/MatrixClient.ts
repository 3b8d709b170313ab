import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type { Attachment, Upload } from "../domain/Attachment.ts"
import type { ComparisonEnd, EncryptionState } from "../domain/Encryption.ts"
import type {
  AttachmentBroken,
  AttachmentTooLarge,
  CredentialsRefused,
  CryptoUnusable,
  EncryptionLocked,
  ForgedSender,
  HomeserverUnreachable,
  MatrixFailure,
  SessionEnded,
  StoreUnavailable,
  SyncStalled,
  Undecryptable
} from "../domain/Errors.ts"
import type { DeviceId, EventId, RoomId, ServerName, SyncToken, UserId } from "../domain/Ids.ts"
import type { Marker } from "../domain/Marker.ts"
import type { OutgoingFile, OutgoingMessage } from "../domain/Message.ts"
import type { Origin } from "../domain/Origin.ts"
import type { ServerRoom } from "../domain/ServerRoom.ts"
import type { RawEvent, SyncBatch } from "../domain/SyncBatch.ts"

/** Who the bot is on the homeserver, and as which device. */
export interface Session {
  readonly userId: UserId
  readonly deviceId: DeviceId
  readonly homeserverUrl: string
}

/** Signs in, tells who and which device the bot is, signs out. */
export class MatrixSession extends Context.Service<MatrixSession, {
  /**
   * Signs in with the stored session, the configured token or the password, in this order of preference, and keeps the
   * device id for good. Waits for an unreachable homeserver as long as the configured patience.
   */
  readonly authenticate: Effect.Effect<
    Session,
    CredentialsRefused | SessionEnded | HomeserverUnreachable | StoreUnavailable
  >
  /** The session of the last `authenticate`; waits for it. */
  readonly self: Effect.Effect<Session>
  /** Ends the session on the server and forgets it here. Chats and messages are kept. */
  readonly signOut: Effect.Effect<void, MatrixFailure | StoreUnavailable>
}>()("homing/MatrixSession") {}

/** Reads rooms. Can change nothing on the server. */
export class MatrixRooms extends Context.Service<MatrixRooms, {
  /** Every room of the account as of the last sync answer. Makes no request. */
  readonly snapshot: Effect.Effect<ReadonlyArray<ServerRoom>>
  /** One room as of the last sync answer; undefined when the account has none of that id. Makes no request. */
  view(room: RoomId): Effect.Effect<ServerRoom | undefined>
  /** One room as it stands on the server now: state and account data, two requests. */
  read(room: RoomId): Effect.Effect<ServerRoom, MatrixFailure>
  /** The rooms that the account is in now, also those that no sync answer has told of yet. */
  readonly joined: Effect.Effect<ReadonlyArray<RoomId>, MatrixFailure>
  event(room: RoomId, event: EventId): Effect.Effect<RawEvent, MatrixFailure>
  /**
   * The events between the token `from` (exclusive, newest) and the cursor `to`, newest first, at most `limit`.
   * `end` is undefined when nothing older is left in between.
   */
  history(
    room: RoomId,
    options: { readonly from: string; readonly to: SyncToken | undefined; readonly limit: number }
  ): Effect.Effect<{ readonly events: ReadonlyArray<RawEvent>; readonly end: string | undefined }, MatrixFailure>
}>()("homing/MatrixRooms") {}

/** Speaks in rooms that the bot is in. */
export class MatrixMessages extends Context.Service<MatrixMessages, {
  /**
   * One attempt to send, with the message's own transaction id: an attempt repeated with the same id answers the same
   * event id (Client-Server API, "Transaction identifiers").
   */
  send(message: OutgoingMessage): Effect.Effect<EventId, MatrixFailure>
  /**
   * The same with a file, which is uploaded before, unless `upload` is where such a room can find it: encrypted when the room is, and
   * never otherwise. `keep` is told of an upload before anything refers to it; `file` is asked for only when there is something to upload.
   */
  sendFile<E>(message: OutgoingMessage, options: {
    readonly upload: Upload
    readonly file: Effect.Effect<OutgoingFile, E>
    keep(upload: Upload): Effect.Effect<void, E>
  }): Effect.Effect<EventId, MatrixFailure | E>
  redact(message: { readonly room: RoomId; readonly event: EventId; readonly transaction: string }): Effect.Effect<
    EventId,
    MatrixFailure
  >
  /** Shows or hides the typing notice; the server hides it by itself after 30 s. */
  typing(room: RoomId, typing: boolean): Effect.Effect<void, MatrixFailure>
  /** Moves the bot's read receipt to `event`. */
  markRead(room: RoomId, event: EventId): Effect.Effect<void, MatrixFailure>
}>()("homing/MatrixMessages") {}

/** Reads files that people have sent. Sends none: a responder answers with a `file`. */
export class MatrixMedia extends Context.Service<MatrixMedia, {
  /**
   * The bytes of an attachment, decrypted if need be, and then proven to be those that were sent. Reads no more than `limit` bytes, whatever
   * anybody says of its size, and takes a minute at most. Asks the bot's own homeserver and nobody else.
   */
  download(
    attachment: Attachment,
    options: { readonly limit: number }
  ): Effect.Effect<Uint8Array, AttachmentBroken | AttachmentTooLarge | MatrixFailure>
}>()("homing/MatrixMedia") {}

/** Makes and changes rooms. Only commands and invites may have it: reconciliation's type does not. */
export class MatrixProvisioning extends Context.Service<MatrixProvisioning, {
  /** `via`: a server that knows a room to which the bot was not invited. */
  join(room: RoomId, via?: ServerName): Effect.Effect<void, MatrixFailure>
  leave(room: RoomId, reason?: string): Effect.Effect<void, MatrixFailure>
  /** Takes a room that was left out of the account's own list of them. */
  forget(room: RoomId): Effect.Effect<void, MatrixFailure>
  invite(room: RoomId, user: UserId): Effect.Effect<void, MatrixFailure>
  /**
   * Creates a private room, or a Space, for the owner that `origin` names, who is invited and has as much power in it as the bot. Asked
   * twice, it makes two: the homeserver knows no transaction id here. But each has its `origin` in it, to be found by.
   */
  createRoom(options: {
    readonly origin: Origin
    readonly name: string
    readonly topic: string
    readonly encrypted: boolean
    /** The Space that it says it belongs to. */
    readonly space: RoomId | undefined
  }): Effect.Effect<RoomId, MatrixFailure>
  /** Gives a room a name, for everybody in it. Can be done twice. */
  setName(room: RoomId, name: string): Effect.Effect<void, MatrixFailure>
  /** Lists a room among the account's direct chats (`m.direct`), as one with `user`. Can be done twice. */
  addDirect(room: RoomId, user: UserId): Effect.Effect<void, MatrixFailure>
  /** Takes rooms out of that list. Asks the server for nothing when none of them stood there. */
  removeDirect(rooms: ReadonlySet<RoomId>): Effect.Effect<void, MatrixFailure>
  /** The Space lists the room from now on. Can be done twice. */
  addToSpace(space: RoomId, room: RoomId): Effect.Effect<void, MatrixFailure>
  /** The Space does not list the room any more. Can be done twice. */
  removeFromSpace(space: RoomId, room: RoomId): Effect.Effect<void, MatrixFailure>
  /** Writes the marker of a chat into the account data of its room; undefined takes it away. */
  writeMarker(room: RoomId, marker: Marker | undefined): Effect.Effect<void, MatrixFailure>
}>()("homing/MatrixProvisioning") {}

/** Reads what was said in encrypted rooms, and keeps the keys for it. Sending encrypts by itself. */
export class MatrixCrypto extends Context.Service<MatrixCrypto, {
  /** The event in clear: its type and content are those that were encrypted. Asks the server for nothing. */
  decrypt(room: RoomId, event: RawEvent): Effect.Effect<RawEvent, Undecryptable | ForgedSender>
  /** Waits for a room where something that could not be decrypted now can. */
  readonly nextReadable: Effect.Effect<RoomId>
  /**
   * Sets up what is missing for the bot's device to be verified and its keys to be backed up: the account's identity, the device's
   * signature, secret storage and the backup. Nothing that another session made is replaced. Can be done again; waits for the first sync
   * where there is one. Undefined for a client without keys.
   */
  readonly establish: Effect.Effect<EncryptionState | undefined, CryptoUnusable | EncryptionLocked | MatrixFailure>
  /** How it stands, as the server tells it. Changes nothing. Undefined for a client without keys. */
  readonly state: Effect.Effect<EncryptionState | undefined, CryptoUnusable | EncryptionLocked | MatrixFailure>
  /** Puts the account's secrets under a new recovery key, which is kept nowhere here. The old one opens nothing from then on. */
  readonly renewRecoveryKey: Effect.Effect<Redacted.Redacted, CryptoUnusable | EncryptionLocked | MatrixFailure>
  /**
   * Asks `user`, or with the bot's own id the account's other sessions, to compare emoji, and verifies them when both sides say that they
   * match. `decide` shows the emoji with their names to a person. The sync loop must be running meanwhile.
   */
  compare(
    user: UserId,
    decide: (emoji: ReadonlyArray<readonly [symbol: string, name: string]>) => Effect.Effect<boolean>
  ): Effect.Effect<ComparisonEnd, CryptoUnusable | EncryptionLocked | MatrixFailure>
}>()("homing/MatrixCrypto") {}

/** The initial sync, and the loop that follows it. */
export class MatrixSync extends Context.Service<MatrixSync, {
  /**
   * Exactly one `/sync` with `timeout=0` and `full_state=true`, `since` the cursor if there is one. When it returns, the
   * snapshot of `MatrixRooms` stands and the loop is held: no second `/sync` goes out before `loop` has taken the batch.
   */
  initialSync(
    since: SyncToken | undefined
  ): Effect.Effect<SyncBatch, CryptoUnusable | HomeserverUnreachable | SessionEnded | SyncStalled>
  /**
   * Hands the initial batch and then every later one to `ingest`, one at a time; the next request goes out when `ingest`
   * has returned. Ends only with an error: of `ingest`, of the session, of keys that are not those of the device, or
   * `SyncStalled` when the watchdog saw no life.
   */
  loop<E, R>(
    ingest: (batch: SyncBatch) => Effect.Effect<void, E, R>
  ): Effect.Effect<never, E | CryptoUnusable | SessionEnded | SyncStalled, R>
}>()("homing/MatrixSync") {}

/** The services that one Matrix client gives. */
export type MatrixClient =
  | MatrixSession
  | MatrixRooms
  | MatrixMessages
  | MatrixMedia
  | MatrixProvisioning
  | MatrixCrypto
  | MatrixSync

/**
 * matrix-js-sdk over HTTP. Needs the configuration and the store. The SDK costs 150 to 250 ms and 46 MB: it is loaded when
 * the layer is built, after the configuration has been checked.
 */
export const layer = Layer.unwrap(
  Effect.map(
    Effect.promise(() => {
      // Other threads compile the WebAssembly of the crypto while this one loads the SDK.
      void import("./MatrixClient/CompileCrypto.ts")
      return import("./MatrixClient/Live.ts")
    }),
    (_) => _.layer
  )
)

/** The same services straight over the in-memory `Homeserver`, without HTTP and without the SDK. */
export const layerMemory = Layer.unwrap(
  Effect.map(Effect.promise(() => import("./MatrixClient/MemoryClient.ts")), (_) => _.layer)
)
