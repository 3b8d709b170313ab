import * as Schema from "effect/Schema"

/** Why an event was not answered. Stored with the event, so that one can ask. */
export const IgnoreReason = Schema.Literals([
  "own_message",
  "sender_not_allowed",
  "notice",
  "edit",
  "not_addressed",
  "malformed",
  "not_a_text_message",
  "encrypted",
  "before_first_start",
  "answered_before_database_loss",
  "invite_not_allowed",
  "space_invite",
  "room_left"
])
export type IgnoreReason = typeof IgnoreReason.Type
