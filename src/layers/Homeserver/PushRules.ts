/** The push rules that everybody has from the start (Client-Server API, "Predefined Rules"). Nobody can change them. */
import type { Json, User } from "./Model.ts"

const notify = ["notify"]
const loud = ["notify", { set_tweak: "sound", value: "default" }]
const highlight = ["notify", { set_tweak: "highlight" }]
const ringing = ["notify", { set_tweak: "sound", value: "ring" }]

const rule = (
  rule_id: string,
  conditions: ReadonlyArray<Json>,
  actions: ReadonlyArray<unknown>,
  enabled = true
): Json => ({
  rule_id,
  default: true,
  enabled,
  conditions,
  actions
})

const matches = (key: string, pattern: string): Json => ({ kind: "event_match", key, pattern })
const type = (pattern: string): Json => matches("type", pattern)
const roomOfTwo: Json = { kind: "room_member_count", is: "2" }

export const pushRulesOf = (user: User): Json => ({
  override: [
    rule(".m.rule.master", [], [], false),
    rule(".m.rule.suppress_notices", [matches("content.msgtype", "m.notice")], []),
    rule(
      ".m.rule.invite_for_me",
      [type("m.room.member"), matches("content.membership", "invite"), matches("state_key", user.userId)],
      loud
    ),
    rule(".m.rule.member_event", [type("m.room.member")], []),
    rule(".m.rule.is_user_mention", [{
      kind: "event_property_contains",
      key: "content.m\\.mentions.user_ids",
      value: user.userId
    }], [...loud, { set_tweak: "highlight" }]),
    rule(".m.rule.is_room_mention", [
      { kind: "event_property_is", key: "content.m\\.mentions.room", value: true },
      { kind: "sender_notification_permission", key: "room" }
    ], highlight),
    rule(".m.rule.tombstone", [type("m.room.tombstone"), matches("state_key", "")], highlight),
    rule(".m.rule.reaction", [type("m.reaction")], []),
    rule(".m.rule.room.server_acl", [type("m.room.server_acl"), matches("state_key", "")], []),
    rule(".m.rule.suppress_edits", [{
      kind: "event_property_is",
      key: "content.m\\.relates_to.rel_type",
      value: "m.replace"
    }], [])
  ],
  content: [],
  room: [],
  sender: [],
  underride: [
    rule(".m.rule.call", [type("m.call.invite")], ringing),
    rule(".m.rule.encrypted_room_one_to_one", [roomOfTwo, type("m.room.encrypted")], loud),
    rule(".m.rule.room_one_to_one", [roomOfTwo, type("m.room.message")], loud),
    rule(".m.rule.message", [type("m.room.message")], notify),
    rule(".m.rule.encrypted", [type("m.room.encrypted")], notify)
  ]
})
