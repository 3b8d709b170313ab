import * as Schema from "effect/Schema"
import { Chat, DetachReason, foreignMarker } from "./Chat.ts"
import { ChatId, RoomId } from "./Ids.ts"

export { decide } from "./Reconciliation/Decide.ts"

/**
 * What reconciliation found for one room or chat. Every server room stands in exactly one outcome, as `roomId` or as the
 * `fromRoomId` of a move; every local chat stands in exactly one as `chatId`. Besides, a `Detached` may name a room that the
 * server no longer lists, a `Restored` brings a chat that was not local, and a `Conflict` names in `claimed` a chat that has
 * an outcome of its own or none.
 */
export const Outcome = Schema.TaggedUnion({
  /** Binding and marker agree, or the chat was and stays detached. */
  Unchanged: {
    chatId: ChatId,
    roomId: Schema.NullOr(RoomId),
    /**
     * `marker_missing`, `marker_behind`: the binding stands, the marker is to be written again after the start.
     * `marker_not_ours`: the room holds a marker of another account or a newer version, never to be overwritten.
     */
    reason: Schema.Literals(["agrees", "marker_missing", "marker_behind", "marker_not_ours", "still_detached"]),
    /** What its room is called, where that is to be noted and is no news. */
    roomName: Schema.optionalKey(Schema.String)
  },
  /**
   * A marker on the server and nothing local, or a local chat without a room. `roomId` is the room that is to show it: the
   * marker's own, or the last successor of an upgrade. `chat` is the chat as it is to be.
   */
  Restored: {
    chatId: ChatId,
    roomId: RoomId,
    chat: Chat,
    /** `bound_room_gone`: the bot is no longer in the room that the chat was bound to. */
    reason: Schema.Literals(["no_local_chat", "was_detached", "bound_room_gone"])
  },
  /** Title, owner's name, archive flag or settings drifted: the newer revision wins. `chat` is the chat as it is to be. */
  Updated: {
    chatId: ChatId,
    roomId: RoomId,
    chat: Chat,
    reason: Schema.Literals(["marker_newer", "room_renamed", "owner_name_changed"])
  },
  /** The room was upgraded: the binding follows. */
  Moved: {
    chatId: ChatId,
    fromRoomId: RoomId,
    roomId: RoomId,
    chat: Chat,
    reason: Schema.Literals(["room_upgraded"])
  },
  /** The bot is no longer in the room `roomId`: the chat stays, unbound. */
  Detached: { chatId: ChatId, roomId: RoomId, reason: DetachReason },
  /** Nothing to restore. */
  Skipped: {
    roomId: RoomId,
    reason: Schema.Literals([
      "no_marker",
      "space",
      "pending_invite",
      "not_joined",
      /** Replaced by a room that the bot is in: its chat, if it had one, is shown there or was taken there. */
      "upgraded",
      /** Its marker names a chat that another room shows since. */
      "shown_elsewhere",
      /** Its marker, or what it was made for, names a chat that was deleted. */
      "chat_deleted",
      "marker_of_another_account",
      "marker_of_another_room",
      "newer_marker_version",
      "malformed_marker"
    ])
  },
  /** Two sides claim the same thing. Whoever held it keeps it; nothing is guessed. */
  Conflict: {
    roomId: RoomId,
    /** The local chat that keeps `roomId`; null when no chat is bound to it. */
    chatId: Schema.NullOr(ChatId),
    /** The chat that the marker of `roomId` claims. */
    claimed: ChatId,
    reason: Schema.Literals(["two_rooms_one_chat", "one_room_two_chats", "owner_disagrees"])
  }
})
export type Outcome = typeof Outcome.Type

/** The chat after an outcome that names it as `chatId`; undefined when the outcome changes nothing. */
export const chatAfter = (outcome: Outcome, chat: Chat | undefined): Chat | undefined => {
  switch (outcome._tag) {
    case "Restored":
    case "Updated":
    case "Moved":
      return outcome.chat
    case "Detached":
      return chat && new Chat({ ...chat, binding: null, detached: outcome.reason, formerRoom: outcome.roomId })
    case "Unchanged": {
      if (chat === undefined) return undefined
      const markerRevision = markerRevisionAfter(outcome.reason, chat)
      const roomName = outcome.roomName ?? chat.roomName
      return markerRevision === chat.markerRevision && roomName === chat.roomName
        ? undefined
        : new Chat({ ...chat, markerRevision, roomName })
    }
    case "Skipped":
    case "Conflict":
      return undefined
  }
}

type UnchangedReason = Extract<Outcome, { readonly _tag: "Unchanged" }>["reason"]

/** What was seen on the server corrects what was noted here, so that a marker is written exactly when one is wanting. */
const markerRevisionAfter = (reason: UnchangedReason, chat: Chat): number => {
  switch (reason) {
    case "agrees":
      return chat.revision
    case "marker_missing":
      return 0
    case "marker_behind":
      return Math.min(chat.markerRevision, chat.revision - 1)
    case "marker_not_ours":
      return foreignMarker
    case "still_detached":
      return chat.markerRevision
  }
}

/** The local chats after all of `outcomes`, by id. */
export const carryOut = (chats: ReadonlyArray<Chat>, outcomes: ReadonlyArray<Outcome>): ReadonlyArray<Chat> => {
  const byId = new Map(chats.map((chat) => [chat.id, chat]))
  for (const outcome of outcomes) {
    if (outcome._tag === "Skipped" || outcome._tag === "Conflict") continue
    const chat = chatAfter(outcome, byId.get(outcome.chatId))
    if (chat !== undefined) byId.set(chat.id, chat)
  }
  return [...byId.values()].toSorted((a, b) => a.id < b.id ? -1 : 1)
}

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

/** Counts what was found. `rooms` and `chats` are how many were compared. */
export const reportOf = ({ chats, durationMs, outcomes, rooms, scope, startedAt }: {
  readonly scope: ReconciliationReport["scope"]
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  readonly durationMs: number
  readonly rooms: number
  readonly chats: number
  readonly outcomes: ReadonlyArray<Outcome>
}): ReconciliationReport => {
  const counts = { Unchanged: 0, Restored: 0, Updated: 0, Moved: 0, Detached: 0, Skipped: 0, Conflict: 0 }
  const reasons: Record<string, number> = {}
  const findings: Array<Outcome> = []
  for (const outcome of outcomes) {
    counts[outcome._tag]++
    const reason = `${outcome._tag.toLowerCase()}.${outcome.reason}`
    reasons[reason] = (reasons[reason] ?? 0) + 1
    if (outcome._tag !== "Unchanged" && findings.length < maximumFindings) findings.push(outcome)
  }
  return {
    scope,
    startedAt,
    durationMs,
    rooms,
    chats,
    unchanged: counts.Unchanged,
    restored: counts.Restored,
    updated: counts.Updated,
    moved: counts.Moved,
    detached: counts.Detached,
    skipped: counts.Skipped,
    conflicts: counts.Conflict,
    reasons,
    findings
  }
}
