import * as Schema from "effect/Schema"
import { Chat, DetachReason } from "./Chat.ts"
import { ChatId, RoomId } from "./Ids.ts"

/**
 * What reconciliation found for one room or chat. Every server room stands in exactly one outcome as `roomId` (or as
 * `fromRoomId` of a move), every local chat in exactly one as `chatId`.
 */
export const Outcome = Schema.TaggedUnion({
  /** Binding and marker agree, or the chat was and stays detached. */
  Unchanged: {
    chatId: ChatId,
    roomId: Schema.NullOr(RoomId),
    /** `marker_missing`: the binding stands, the marker is to be written again after the start. */
    reason: Schema.Literals(["agrees", "marker_missing", "marker_behind", "still_detached"])
  },
  /** A marker on the server and nothing local, or a local chat without a room. `chat` is the chat as it is to be. */
  Restored: {
    chatId: ChatId,
    roomId: RoomId,
    chat: Chat,
    reason: Schema.Literals(["no_local_chat", "was_detached", "bound_room_gone"])
  },
  /** Title, owner's name or archive flag drifted and the marker's revision is newer. `chat` is the chat as it is to be. */
  Updated: {
    chatId: ChatId,
    roomId: RoomId,
    chat: Chat,
    reason: Schema.Literals(["marker_newer", "owner_name_changed"])
  },
  /** The room was upgraded: the binding follows. */
  Moved: {
    chatId: ChatId,
    fromRoomId: RoomId,
    roomId: RoomId,
    chat: Chat,
    reason: Schema.Literals(["room_upgraded"])
  },
  /** The bot is no longer in the room: the chat stays, unbound. */
  Detached: { chatId: ChatId, roomId: RoomId, reason: DetachReason },
  /** Nothing to restore. */
  Skipped: {
    roomId: RoomId,
    reason: Schema.Literals([
      "no_marker",
      "space",
      "pending_invite",
      "not_joined",
      "marker_of_another_account",
      "marker_of_another_room",
      "newer_marker_version",
      "malformed_marker"
    ])
  },
  /** Two sides claim the same thing. Whoever held it keeps it; nothing is guessed. */
  Conflict: {
    roomId: RoomId,
    /** The local chat that keeps `roomId`, when the room has one. */
    chatId: Schema.NullOr(ChatId),
    /** The chat that the marker of `roomId` claims. */
    claimed: ChatId,
    reason: Schema.Literals(["two_rooms_one_chat", "one_room_two_chats", "owner_disagrees"])
  }
})
export type Outcome = typeof Outcome.Type

/** What one reconciliation found. Kept in the store and logged as `matrix_reconcile_complete`. */
export const ReconciliationReport = Schema.Struct({
  /** `all` at start, else the one room that was repaired. */
  scope: Schema.Union([Schema.Literal("all"), RoomId]),
  /** Milliseconds since the epoch. */
  startedAt: Schema.Number,
  durationMs: Schema.Number,
  rooms: Schema.Int,
  chats: Schema.Int,
  unchanged: Schema.Int,
  restored: Schema.Int,
  updated: Schema.Int,
  moved: Schema.Int,
  detached: Schema.Int,
  skipped: Schema.Int,
  conflicts: Schema.Int,
  /** How often each reason code was given, such as `{"skipped.no_marker": 3}`. */
  reasons: Schema.Record(Schema.String, Schema.Int),
  /** The first `maximumFindings` outcomes that a person may have to look at: everything but `Unchanged`. */
  findings: Schema.Array(Outcome)
})
export type ReconciliationReport = typeof ReconciliationReport.Type

export const maximumFindings = 200
