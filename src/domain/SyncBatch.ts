import * as Schema from "effect/Schema"
import { EventId, type RoomId, type SyncToken, UserId } from "./Ids.ts"
import type { OwnMembership } from "./ServerRoom.ts"

/** An event as `/sync` and `/messages` give it, decoded as far as every event goes. Its content is untrusted. */
export const RawEvent = Schema.Struct({
  event_id: EventId,
  type: Schema.String,
  sender: UserId,
  origin_server_ts: Schema.Number,
  content: Schema.Record(Schema.String, Schema.Unknown),
  state_key: Schema.optionalKey(Schema.String),
  unsigned: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)),
  /** What a redaction takes back, in rooms before version 11; later ones have it in the content. */
  redacts: Schema.optionalKey(Schema.Unknown)
})
export type RawEvent = typeof RawEvent.Type

/** The new events of one joined room, oldest first. */
export interface RoomTimeline {
  readonly roomId: RoomId
  readonly events: ReadonlyArray<RawEvent>
  /** The server left out events between the last sync and the first one here; `prevBatch` is where they end. */
  readonly limited: boolean
  readonly prevBatch: string | undefined
}

/** Somebody asks the bot into a room. The state is stripped and untrusted. */
export interface Invite {
  readonly roomId: RoomId
  readonly sender: UserId
  readonly encrypted: boolean
  readonly isSpace: boolean
}

/** One answer of `/sync`, as far as Homing handles it. */
export interface SyncBatch {
  /** The cursor that it was asked for; undefined for a first sync. */
  readonly since: SyncToken | undefined
  readonly nextBatch: SyncToken
  /** True for the one answer that the gate holds. */
  readonly initial: boolean
  readonly timelines: ReadonlyArray<RoomTimeline>
  readonly invites: ReadonlyArray<Invite>
  /** Rooms that the bot is no longer in, as this answer says. */
  readonly departures: ReadonlyArray<{ readonly roomId: RoomId; readonly membership: OwnMembership }>
  /** Rooms whose tombstone, name, marker or create event came with this answer: their chat may have moved, or be called otherwise. */
  readonly reshaped: ReadonlyArray<RoomId>
  /** Rooms whose state in this answer says that they are encrypted. */
  readonly encrypted: ReadonlyArray<RoomId>
  /** How many events or rooms could not be decoded and were passed over. */
  readonly unreadable: number
}
