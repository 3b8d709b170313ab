import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type { Chat } from "../domain/Chat.ts"
import type { StoreUnavailable } from "../domain/Errors.ts"
import type {
  ChatId,
  DeviceId,
  EventId,
  ReferenceCode,
  RoomId,
  SyncToken,
  TransactionId,
  UserId
} from "../domain/Ids.ts"
import type { OutgoingMessage, Provenance } from "../domain/Message.ts"
import type { ReconciliationReport } from "../domain/Reconciliation.ts"
import type { Settlement } from "../domain/Settlement.ts"
import type { RawEvent } from "../domain/SyncBatch.ts"
import { AppConfig } from "./AppConfig.ts"
import { leaseHolder, openDataDir, openStore, readDataDir } from "./Store/Live.ts"

/** What signs the bot in again without a password. */
export interface StoredSession {
  readonly userId: UserId
  readonly deviceId: DeviceId
  readonly homeserverUrl: string
  readonly accessToken: Redacted.Redacted
}

/** An event to settle: a message, or an invite (whose `event` is undefined). */
export interface InboxRow {
  /** The event id of a message; `invite:` and the room id for an invite. */
  readonly key: string
  readonly kind: "message" | "invite"
  readonly roomId: RoomId
  readonly sender: UserId
  /** Kept until the row is settled. */
  readonly event: RawEvent | undefined
  readonly provenance: Provenance
}

export interface PendingRow extends InboxRow {
  /** How often handling was begun and not settled: more than one after a crash. */
  readonly attempts: number
}

export interface OutboxRow {
  /** Order of delivery within the room. */
  readonly position: number
  readonly message: OutgoingMessage
  /** How often it was taken for sending, this time included. */
  readonly attempts: number
}

/** What became of an event. */
export interface InboxRecord {
  readonly key: string
  readonly roomId: RoomId
  readonly sender: UserId
  readonly state: "pending" | "answered" | "ignored" | "failed"
  /** The ignore reason, or the problem of a failure. */
  readonly reason: string | undefined
  readonly code: ReferenceCode | undefined
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
  readonly settledAt: number | undefined
}

type Stored<A> = Effect.Effect<A, StoreUnavailable>

/**
 * Everything that Homing remembers, in one SQLite file. One schema and one implementation: `layerMemory` is the same
 * code on `:memory:`. Every method is one transaction unless it runs inside `transaction`.
 */
export class Store extends Context.Service<Store, {
  /** Runs `effect` in one transaction: all of it is kept, or nothing. Never hold one over a request. */
  transaction<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | StoreUnavailable, R>

  readonly session: {
    readonly load: Stored<StoredSession | undefined>
    /** Fails with `other_account` when the file belongs to another user: one data directory, one account. */
    save(session: StoredSession): Stored<void>
    /** Forgets the token; the device id stays, so that the next sign-in uses it again. */
    readonly forgetToken: Stored<void>
    /** The device id that this data directory uses, also when the token is forgotten. */
    readonly deviceId: Stored<DeviceId | undefined>
    /** Forgets the device too: the next sign-in makes a new one. */
    readonly forgetDevice: Stored<void>
  }

  readonly cursor: Stored<SyncToken | undefined>

  readonly chats: {
    readonly all: Stored<ReadonlyArray<Chat>>
    byId(id: ChatId): Stored<Chat | undefined>
    byRoom(room: RoomId): Stored<Chat | undefined>
    /** Inserts or replaces. Only the chat manager calls it. A room shows at most one chat: a second is `failed`. */
    put(chat: Chat): Stored<void>
  }

  readonly reports: {
    append(report: ReconciliationReport): Stored<void>
    /** The newest first. */
    latest(limit: number): Stored<ReadonlyArray<ReconciliationReport>>
  }

  readonly inbox: {
    /**
     * Keeps what a sync answer brought, and its cursor, in one transaction. A message whose key is known inserts nothing;
     * an invite becomes pending again. Own echoes settle outbox rows by transaction id.
     */
    ingest(batch: {
      readonly rows: ReadonlyArray<InboxRow>
      /** Events that are settled on arrival: ignored, with the reason. */
      readonly ignored: ReadonlyArray<{ readonly row: InboxRow; readonly reason: string }>
      readonly echoes: ReadonlyArray<{ readonly transactionId: TransactionId; readonly eventId: EventId }>
      readonly cursor: SyncToken
    }): Stored<void>
    /** Rooms that have pending rows, the longest waiting first. */
    readonly pendingRooms: Stored<ReadonlyArray<RoomId>>
    /** The oldest pending row of a room. Counts an attempt before it returns. */
    begin(room: RoomId): Stored<PendingRow | undefined>
    /** Settles a row and puts its replies into the outbox, in one transaction. */
    settle(key: string, settlement: Settlement): Stored<void>
    find(key: string): Stored<InboxRecord | undefined>
    /** Rows of each state. */
    readonly counts: Stored<Readonly<Record<InboxRecord["state"], number>>>
  }

  readonly outbox: {
    readonly pendingRooms: Stored<ReadonlyArray<RoomId>>
    /** The next message to send to a room, in order. Counts an attempt before it returns. */
    next(room: RoomId): Stored<OutboxRow | undefined>
    sent(transactionId: TransactionId, event: EventId): Stored<void>
    /** It can never be delivered; `reason` is kept. */
    dead(transactionId: TransactionId, reason: string): Stored<void>
    /** Whether this event was sent from this outbox. */
    hasSent(event: EventId): Stored<boolean>
    readonly counts: Stored<{ readonly pending: number; readonly sent: number; readonly dead: number }>
  }
}>()("homing/Store") {
  /** `homing.db` in the data directory, which this process then has for itself. */
  static readonly layer = Layer.effect(
    Store,
    Effect.flatMap(AppConfig, (settings) => openDataDir(settings.dataDir))
  )

  /** The same file for looking only, also while a bot runs on it. It must exist; writing fails. */
  static readonly layerReadOnly = Layer.effect(
    Store,
    Effect.flatMap(AppConfig, (settings) => readDataDir(settings.dataDir))
  )

  /** Who runs on the data directory; undefined when nobody does. */
  static readonly holder = Effect.flatMap(AppConfig, (settings) => leaseHolder(settings.dataDir))

  /** The same code on SQLite's `:memory:`: nothing is kept, nothing is shared. */
  static readonly layerMemory = Layer.effect(Store, openStore(":memory:"))
}
