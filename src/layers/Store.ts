import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Upload } from "../domain/Attachment.ts"
import type { Chat } from "../domain/Chat.ts"
import type { EditedMessage } from "../domain/Edit.ts"
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
import type { OutgoingFile, OutgoingMessage } from "../domain/Message.ts"
import type { Origin } from "../domain/Origin.ts"
import type { IgnoreReason } from "../domain/Policy.ts"
import type { Prompt } from "../domain/Prompt.ts"
import type { ReconciliationReport } from "../domain/Reconciliation.ts"
import type { Settlement } from "../domain/Settlement.ts"
import { AppConfig } from "./AppConfig.ts"
import { backUp, restore } from "./Store/Backup.ts"
import { forgetKeys, putKeysAside } from "./Store/Forget.ts"
import { takeLease } from "./Store/Lease.ts"
import { changeDataDir, leaseHolder, openDataDir, openStore, readDataDir } from "./Store/Live.ts"
import type {
  Gap,
  HeldRoom,
  InboxRecord,
  InboxRow,
  Ingested,
  NewWords,
  OutboxRecord,
  OutboxRow,
  PendingRow,
  Pruned,
  RoomRequest,
  StoredSession
} from "./Store/Records.ts"

export type {
  BackedUp,
  Gap,
  HeldRoom,
  InboxRecord,
  InboxRow,
  Ingested,
  NewWords,
  OutboxRecord,
  OutboxRow,
  PendingRow,
  Pruned,
  Restored,
  RoomRequest,
  StoredSession
} from "./Store/Records.ts"

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

  /** Which of these rooms were ever encrypted, as far as the bot was told. */
  encryptedRooms(among: ReadonlyArray<RoomId>): Stored<ReadonlySet<RoomId>>
  /** The room is encrypted, for good, although no answer to a sync may have told so yet. */
  noteEncrypted(room: RoomId): Stored<void>

  readonly chats: {
    readonly all: Stored<ReadonlyArray<Chat>>
    ofOwner(owner: UserId): Stored<ReadonlyArray<Chat>>
    /** Those that a room shows and whose marker is behind their revision, or may still stand in another room. */
    readonly unmarked: Stored<ReadonlyArray<Chat>>
    byId(id: ChatId): Stored<Chat | undefined>
    /** Those of them that there are, in one look. */
    byIds(ids: ReadonlyArray<ChatId>): Stored<ReadonlyMap<ChatId, Chat>>
    byRoom(room: RoomId): Stored<Chat | undefined>
    /** Chats without a room that this room showed last. */
    homeless(room: RoomId): Stored<ReadonlyArray<Chat>>
    /** The chats that these rooms show, in one look. */
    byRooms(rooms: ReadonlyArray<RoomId>): Stored<ReadonlyMap<RoomId, Chat>>
    /** When the newest message came that is remembered of each of these rooms, in milliseconds since the epoch. Reads the whole inbox. */
    lastHeard(rooms: ReadonlyArray<RoomId> | "all"): Stored<ReadonlyMap<RoomId, number>>
    /** Inserts or replaces. Only the chat manager calls it. A room shows at most one chat: a second is `failed`. */
    put(chat: Chat): Stored<void>
    /** Forgets a chat. Only the chat manager calls it. */
    remove(id: ChatId): Stored<void>
    /** Forgets a chat, and remembers that it is not to come back. Only the chat manager calls it. */
    delete(id: ChatId): Stored<void>
    /** The chats that were deleted. */
    readonly deleted: Stored<ReadonlySet<ChatId>>
  }

  readonly reports: {
    append(report: ReconciliationReport): Stored<void>
    /** The newest first. */
    latest(limit: number): Stored<ReadonlyArray<ReconciliationReport>>
  }

  readonly inbox: {
    /**
     * Keeps what a sync answer brought, and its cursor, in one transaction. A message whose key is known inserts nothing; an invite becomes
     * pending again. What somebody encrypted once counts once: the same bytes as another event are ignored, `replayed`. Answers with what is
     * worth a warning: these, and the first message of each room that is ignored as `not_encrypted`.
     */
    ingest(batch: Ingested): Stored<ReadonlyArray<{ readonly row: InboxRow; readonly reason: IgnoreReason }>>
    /** Rooms that have pending rows: those first whose oldest row was begun least often, and of these the longest waiting. */
    readonly pendingRooms: Stored<ReadonlyArray<RoomId>>
    /** Rooms whose oldest pending row was begun at least so many times, and never settled. */
    begunRooms(times: number): Stored<ReadonlyArray<RoomId>>
    /** The oldest pending row of a room. Counts an attempt before it returns. */
    begin(room: RoomId): Stored<PendingRow | undefined>
    /** A row that was begun, as it stands now; undefined when it has been settled. */
    pending(key: string): Stored<PendingRow | undefined>
    /** Settles a row and puts its replies into the outbox, in one transaction. */
    settle(key: string, settlement: Settlement): Stored<void>
    /** Settles a row and begins the next of its room, in one transaction: the attempt is counted before this returns. */
    settleAndBegin(key: string, settlement: Settlement): Stored<PendingRow | undefined>
    /** Takes back the attempt that was counted for each of these rows when it was begun: they are left in order. */
    giveBack(keys: ReadonlyArray<string>): Stored<void>
    /**
     * Leaves a row that cannot be decrypted for its key, and says something about it, in one transaction: it stays pending, and what
     * stands behind it goes on. Once a room: what its outbox has is not put there again.
     */
    setAside(key: string, replies: ReadonlyArray<OutgoingMessage>): Stored<void>
    /** Keys came, or a new life begins: what was set aside is pending like any other. */
    takeUp(room: RoomId): Stored<void>
    /** The same in all rooms. */
    readonly takeUpAll: Stored<void>
    /** How many messages of a room came while the bot ran, were set aside, and still wait for their key. */
    asideIn(room: RoomId): Stored<number>
    /** Of the newest encrypted messages that came while the bot ran and waited for nothing else, oldest first: whether each was read. */
    decryptions(limit: number): Stored<ReadonlyArray<boolean>>
    find(key: string): Stored<InboxRecord | undefined>
    /** The message that `edit`, the key of an edit, names as `target`; undefined when it is not known. */
    edited(edit: string, target: EventId): Stored<EditedMessage | undefined>
    /** Gives a message that was set aside other words, which can be read: it is pending like any other. False when there is no such one. */
    reword(words: NewWords): Stored<boolean>
    findByCode(code: ReferenceCode): Stored<InboxRecord | undefined>
    /** The newest first. */
    records(filter: {
      readonly state?: InboxRecord["state"]
      readonly room?: RoomId
      readonly limit: number
    }): Stored<ReadonlyArray<InboxRecord>>
    /** What catching up left out, the newest first. */
    gaps(limit: number): Stored<ReadonlyArray<Gap>>
    readonly heldRooms: Stored<ReadonlyArray<HeldRoom>>
    /** Holds rooms, or notes that they could not be taken in once more, and lets others go. */
    hold(holds: ReadonlyArray<HeldRoom>, released: ReadonlyArray<RoomId>): Stored<void>
    /** Rows of each state. */
    readonly counts: Stored<Readonly<Record<InboxRecord["state"], number>>>
  }

  readonly outbox: {
    readonly pendingRooms: Stored<ReadonlyArray<RoomId>>
    /**
     * Puts a message behind what waits that answers nobody. `about` names what it tells of, as an event id names a question; a message
     * whose transaction id or `about` is known is not put there again.
     */
    announce(
      message: OutgoingMessage,
      by: { readonly about: string; readonly sender: UserId }
    ): Stored<void>
    /** The next message to send to a room, in order. Only reads: an attempt with the same transaction id can be repeated. */
    next(room: RoomId): Stored<OutboxRow | undefined>
    /** The file of a message that waits; undefined when it does no longer. */
    file(transactionId: TransactionId): Stored<OutgoingFile | undefined>
    /** The file of a message was uploaded, and will not be again; false when the message waits no longer. */
    uploaded(transactionId: TransactionId, upload: Upload): Stored<boolean>
    /** It stands in the room. Its content, its file and what opens it are forgotten. `event`: undefined for what makes none. */
    sent(transactionId: TransactionId, event: EventId | undefined): Stored<void>
    /** The same for several at once, in one transaction. */
    sentMany(
      sent: ReadonlyArray<{ readonly transactionId: TransactionId; readonly eventId: EventId }>
    ): Stored<void>
    /** An attempt came to nothing and will be repeated; `reason` is kept for the operator until it is sent. */
    delayed(transactionId: TransactionId, reason: string): Stored<void>
    /**
     * It can never be delivered; `reason` is kept. `instead` goes behind what waits, in the same transaction: it tells of that, and is no
     * part of the answer.
     */
    dead(transactionId: TransactionId, reason: string, instead?: OutgoingMessage): Stored<void>
    /** Whether this event was sent from this outbox. */
    hasSent(event: EventId): Stored<boolean>
    /** The newest first. */
    list(filter: {
      readonly states: ReadonlyArray<OutboxRecord["state"]>
      readonly limit: number
    }): Stored<ReadonlyArray<OutboxRecord>>
    /** What was, or will be, said to a row of the inbox, in order. */
    answersTo(inboxKey: string): Stored<ReadonlyArray<OutboxRecord>>
    /** By transaction id, or by the id of its event. */
    find(id: string): Stored<OutboxRecord | undefined>
    /** Lets a dead message be sent again; false when there is no such one. A bot that runs sees it with the next one of its room. */
    retry(transactionId: TransactionId): Stored<boolean>
    /** Takes a message out that was not sent; false when there is no such one. */
    drop(transactionId: TransactionId): Stored<boolean>
    readonly counts: Stored<{ readonly pending: number; readonly sent: number; readonly dead: number }>
  }

  /** What the bot has asked somebody, and what is done when they say yes. */
  readonly prompts: {
    /** Keeps one, in place of that of the same transaction id. */
    put(prompt: Prompt): Stored<void>
    /** The one that asks `asker` with this event. */
    byEvent(event: EventId, room: RoomId, asker: UserId): Stored<Prompt | undefined>
    newest(room: RoomId, asker: UserId): Stored<Prompt | undefined>
    remove(transactionId: TransactionId): Stored<void>
  }

  /** What a room is to be made for is kept here before it is asked for. By `requestKey`. */
  readonly provisioning: {
    /** Keeps a request, and tells how far it is. One that is known stays as it is. */
    begin(origin: Origin): Stored<RoomRequest>
    /** Whether it is being carried out: it was kept, and is not done. */
    isOpen(origin: Origin): Stored<boolean>
    /** The room is there. What stands in it as its origin counts from now on. */
    made(origin: Origin, room: RoomId): Stored<void>
    done(origin: Origin): Stored<void>
  }

  /**
   * Forgets settled messages, and what was said to them, that were settled before `before` (milliseconds since the epoch) or came
   * before the newest `keep` messages, one that came twice being two; and gives the room on disk back. Nothing goes that waits, or
   * whose answer waits; what was set aside and came before `before` is ignored from now on, and waits no more. In small transactions, with a
   * pause after each: others are not held up.
   */
  prune(limits: { readonly before: number; readonly keep: number }): Stored<Pruned>

  /** Forgets everything, or everything but who the bot is: its account, device and token. For good. */
  forget(keep: "session" | "nothing"): Stored<void>
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

  /** The same file for a short change beside a bot that runs on it: it must exist, and be of this version. */
  static readonly layerBeside = Layer.effect(
    Store,
    Effect.flatMap(AppConfig, (settings) => changeDataDir(settings.dataDir))
  )

  /** Keeps bots away from the data directory for as long as the scope lives. Fails with `LeaseHeld` while one runs. */
  static readonly lease = Effect.flatMap(AppConfig, (settings) => takeLease(settings.dataDir))

  /** Who runs on the data directory; undefined when nobody does. */
  static readonly holder = Effect.flatMap(AppConfig, (settings) => leaseHolder(settings.dataDir))

  /**
   * Copies every database in the data directory into the new directory `dir`, or into a new one in it when it exists; also while a
   * bot runs. The copies hold the bot's token and keys.
   */
  static readonly backUp = (dir: string) => Effect.flatMap(AppConfig, (settings) => backUp(settings.dataDir, dir))

  /** Puts a backup in the place of the data directory's databases, which are moved aside. Fails with `LeaseHeld` while a bot runs. */
  static readonly restore = (dir: string) => Effect.flatMap(AppConfig, (settings) => restore(settings.dataDir, dir))

  /** Deletes the keys of the bot's device, after a backup into the directory `backup`. Only under the lease. */
  static readonly forgetKeys = (backup: string) =>
    Effect.flatMap(AppConfig, (settings) => forgetKeys(settings.dataDir, backup))

  /** Moves the keys of a device that is no more to `crypto.db.<device>` and `crypto.key.<device>`. Only under the lease. */
  static readonly putKeysAside = (device: DeviceId | undefined) =>
    Effect.flatMap(AppConfig, (settings) => putKeysAside(settings.dataDir, device))

  /** The same code on SQLite's `:memory:`: nothing is kept, nothing is shared. */
  static readonly layerMemory = Layer.effect(Store, openStore(":memory:"))
}
