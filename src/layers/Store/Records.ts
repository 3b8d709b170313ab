import type * as Redacted from "effect/Redacted"
import type { Echo } from "../../domain/Arrival.ts"
import type { Upload } from "../../domain/Attachment.ts"
import type { OutboxState } from "../../domain/Delivery.ts"
import type { DeviceId, EventId, ReferenceCode, RoomId, SyncToken, TransactionId, UserId } from "../../domain/Ids.ts"
import type { OutgoingMessage, Provenance } from "../../domain/Message.ts"
import type { Origin } from "../../domain/Origin.ts"
import type { InboxState } from "../../domain/Settlement.ts"
import type { RawEvent } from "../../domain/SyncBatch.ts"

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
  /** It was set aside before, and taken up again. */
  readonly takenUp: boolean
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
}

export interface OutboxRow {
  /** Order of delivery within the room. */
  readonly position: number
  readonly message: OutgoingMessage
  /** Where its file is by now, if it has one. The bytes are not read with it: see `file`. */
  readonly upload?: Upload
  /** The event of the message's `target`, once that was sent. */
  readonly targetEvent?: EventId
}

/** What a sync answer brought, as far as the store keeps it. */
export interface Ingested {
  readonly rows: ReadonlyArray<InboxRow>
  /** Events that are settled on arrival: ignored, with the reason. */
  readonly ignored: ReadonlyArray<{
    readonly row: InboxRow
    readonly reason: string
    /** Whether the first of its kind in the room is worth a word. */
    readonly tell: boolean
  }>
  /**
   * A message of that sender and room that nobody has begun to handle gets this content and keeps its event id, and the row of the edit is
   * ignored: `edit`. Any other stays as it is.
   */
  readonly edits: ReadonlyArray<NewWords & { readonly edit: EventId }>
  /** A message that still waits is ignored: `redacted`. With `follow` what was said to one is taken back. */
  readonly redactions: ReadonlyArray<
    { readonly redaction: EventId; readonly roomId: RoomId; readonly target: EventId; readonly follow: boolean }
  >
  /** Kept when their sender was asked with the event `target`: all others are passed over. */
  readonly reactions: ReadonlyArray<{ readonly row: InboxRow; readonly target: EventId }>
  /** Messages to which the room holds an answer of the bot: one that still waits is answered, `answered_before`. */
  readonly answered: ReadonlyArray<EventId>
  /** Our own messages, come back: they settle rows of the outbox. A part of an answer that is to be given anew counts as sent, too. */
  readonly echoes: ReadonlyArray<Echo>
  /** What catching up left out. */
  readonly gaps: ReadonlyArray<Omit<Gap, "noticedAt">>
  /** Rooms that are encrypted from now on, for good. */
  readonly encrypted: ReadonlyArray<RoomId>
  readonly cursor: SyncToken
}

/** What a message says from now on. */
export interface NewWords {
  readonly target: EventId
  readonly roomId: RoomId
  readonly sender: UserId
  readonly content: RawEvent["content"]
}

/** A stretch of a room's timeline that was never taken in. */
export interface Gap {
  readonly roomId: RoomId
  /** Tokens of `/messages`: from the newer end to the older one; `to` is undefined when that is the room's beginning. */
  readonly from: string
  readonly to: string | undefined
  /** How many events of the stretch were taken in before it was given up. */
  readonly events: number
  /** Milliseconds since the epoch. */
  readonly noticedAt: number
}

/** A room whose missed events could not be fetched yet. Nothing of it is taken in until they are: its order stands. */
export interface HeldRoom {
  readonly roomId: RoomId
  /** The cursor up to which it was taken in. */
  readonly since: SyncToken
  /** The process was away when it was left behind, so that the `backlog` setting speaks. */
  readonly afterAbsence: boolean
  /** It was known to be encrypted by then: nothing in clear is to be believed of what it missed. */
  readonly wasEncrypted: boolean
  readonly failures: number
  /** Milliseconds since the epoch. */
  readonly triedAt: number
}

/** What became of an event. */
export interface InboxRecord {
  readonly key: string
  readonly roomId: RoomId
  readonly sender: UserId
  readonly state: InboxState
  /** The ignore reason, the problem of a failure, or `answered_before` for an answer that was found in the room. */
  readonly reason: string | undefined
  /** What `why` knows it by, besides its key. Undefined for what came before everything had one. */
  readonly code: ReferenceCode | undefined
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
  readonly settledAt: number | undefined
}

/** A message of the outbox, for the operator. */
export interface OutboxRecord {
  readonly position: number
  readonly roomId: RoomId
  readonly transactionId: TransactionId
  /** What it answers: the key of a row of the inbox. */
  readonly inboxKey: string
  /** `dead` can never be delivered as it stands; `dropped` was taken out by the operator. */
  readonly state: OutboxState
  /** Why it is dead or dropped, or what the last attempt met. */
  readonly reason: string | undefined
  /** Attempts whose end is known. */
  readonly attempts: number
  /** Its event, once it was sent. */
  readonly eventId: EventId | undefined
  /** The beginning of its body, until it was sent: then the content is no longer kept. */
  readonly excerpt: string | undefined
}

/** A room that was asked for, or is about to be. */
export interface RoomRequest {
  readonly origin: Origin
  /** The room that was made for it, when that is known. */
  readonly roomId: RoomId | undefined
  /** Everything that belongs to it was done. */
  readonly done: boolean
}

/** What `prune` deleted. */
export interface Pruned {
  readonly inbox: number
  readonly outbox: number
}

/** Where a backup is, and what is in it. */
export interface BackedUp {
  readonly dir: string
  readonly files: ReadonlyArray<string>
}

/** What a restore put in place, and where it moved what was there before. */
export interface Restored {
  readonly files: ReadonlyArray<string>
  /** What the backup has, too, and what was left as it is: keys that are newer. */
  readonly kept: ReadonlyArray<string>
  readonly aside: string | undefined
}
