/** How rooms come to be: created, or by the upgrade of another (Client-Server API, "Creation" and "Room Upgrades"). */
import * as Schema from "effect/Schema"
import {
  abandonRoom,
  append,
  freshOpaque,
  type Json,
  openRoom,
  type Room,
  type StoredEvent,
  type World
} from "./Model.ts"
import { badParam } from "./Refusal.ts"
import { numberIn, requirePower, send, setMembership, stateContent, stateEvent } from "./Rooms.ts"

const Content = Schema.Record(Schema.String, Schema.Unknown)

export const CreateRoom = Schema.Struct({
  preset: Schema.optional(Schema.Literals(["private_chat", "trusted_private_chat", "public_chat"])),
  visibility: Schema.optional(Schema.Literals(["public", "private"])),
  name: Schema.optional(Schema.String),
  topic: Schema.optional(Schema.String),
  room_alias_name: Schema.optional(Schema.String),
  room_version: Schema.optional(Schema.String),
  invite: Schema.optional(Schema.Array(Schema.String)),
  is_direct: Schema.optional(Schema.Boolean),
  creation_content: Schema.optional(Content),
  initial_state: Schema.optional(Schema.Array(Schema.Struct({
    type: Schema.String,
    state_key: Schema.optional(Schema.String),
    content: Content
  }))),
  power_level_content_override: Schema.optional(Content)
})
export type CreateRoom = typeof CreateRoom.Type

/** The version of a new room. 11 is the last one whose room ids name the server. */
export const defaultRoomVersion = "11"

/** Those whose rules are the ones of this model. */
export const roomVersions = ["10", defaultRoomVersion]

const newRoomId = (world: World): string => `!${freshOpaque(world, "room").slice(0, 18)}:${world.serverName}`

const powerLevels = (creator: string, trusted: ReadonlyArray<string>, override: Json): Json => ({
  users: Object.fromEntries([creator, ...trusted].map((user) => [user, 100])),
  users_default: 0,
  events: {
    "m.room.name": 50,
    "m.room.power_levels": 100,
    "m.room.history_visibility": 100,
    "m.room.canonical_alias": 50,
    "m.room.avatar": 50,
    "m.room.tombstone": 100,
    "m.room.server_acl": 100,
    "m.room.encryption": 100
  },
  events_default: 0,
  state_default: 50,
  ban: 50,
  kick: 50,
  redact: 50,
  invite: 0,
  ...override
})

/** Creates a room. What cannot be created whole, as with an invite of nobody, leaves nothing behind. */
export const createRoom = (world: World, creator: string, options: CreateRoom, now: number): Room => {
  const alias = options.room_alias_name === undefined ? undefined : `#${options.room_alias_name}:${world.serverName}`
  if (alias !== undefined && world.aliases.has(alias)) throw badParam("M_ROOM_IN_USE", "Room alias already taken")
  if (options.room_version !== undefined && !roomVersions.includes(options.room_version)) {
    throw badParam("M_UNSUPPORTED_ROOM_VERSION", "Your homeserver does not support this room version")
  }

  const room = openRoom(world, newRoomId(world), options.room_version ?? defaultRoomVersion)
  try {
    fill(world, room, creator, alias, options, now)
  } catch (problem) {
    abandonRoom(world, room)
    throw problem
  }
  return room
}

/** The first events of a room, in the order that the specification of `POST /createRoom` gives. */
const fill = (
  world: World,
  room: Room,
  creator: string,
  alias: string | undefined,
  options: CreateRoom,
  now: number
): void => {
  const preset = options.preset ?? (options.visibility === "public" ? "public_chat" : "private_chat")
  const isPublic = preset === "public_chat"
  const invited = options.invite ?? []
  const put = (type: string, content: Json, stateKey = "") =>
    append(world, room, { type, sender: creator, stateKey, content }, now)

  room.listed = options.visibility === "public"
  put("m.room.create", { ...options.creation_content, room_version: room.version })
  // The creator's join passes no rule: there are no join rules yet.
  const { avatarUrl, displayName } = world.users.get(creator) ?? {}
  put("m.room.member", {
    membership: "join",
    ...(displayName === undefined ? {} : { displayname: displayName }),
    ...(avatarUrl === undefined ? {} : { avatar_url: avatarUrl })
  }, creator)
  const trusted = preset === "trusted_private_chat" ? invited : []
  put("m.room.power_levels", powerLevels(creator, trusted, options.power_level_content_override ?? {}))
  if (alias !== undefined) {
    world.aliases.set(alias, room.roomId)
    put("m.room.canonical_alias", { alias })
  }
  const given = new Set(options.initial_state?.map((event) => event.type))
  if (!given.has("m.room.join_rules")) put("m.room.join_rules", { join_rule: isPublic ? "public" : "invite" })
  if (!given.has("m.room.history_visibility")) put("m.room.history_visibility", { history_visibility: "shared" })
  if (!given.has("m.room.guest_access")) {
    put("m.room.guest_access", { guest_access: isPublic ? "forbidden" : "can_join" })
  }
  for (const event of options.initial_state ?? []) put(event.type, event.content, event.state_key ?? "")
  if (options.name !== undefined) put("m.room.name", { name: options.name })
  if (options.topic !== undefined) put("m.room.topic", { topic: options.topic })
  for (const target of invited) {
    setMembership(world, room, {
      sender: creator,
      target,
      action: "invite",
      ...(options.is_direct === true ? { more: { is_direct: true } } : {})
    }, now)
  }
}

/** State that the new room takes over from the old one. */
const carried = [
  "m.room.name",
  "m.room.topic",
  "m.room.avatar",
  "m.room.encryption",
  "m.room.join_rules",
  "m.room.history_visibility",
  "m.room.guest_access",
  "m.room.server_acl"
]

/** Replaces a room: a tombstone in the old one, a new one that names it as its predecessor. Nobody is moved. */
export const upgradeRoom = (world: World, old: Room, sender: string, version: string, now: number): Room => {
  // Asked first, so that a refusal leaves no room behind.
  requirePower(old, sender, "m.room.tombstone", true)
  const created = stateEvent(old, "m.room.create")
  const levels = stateContent(old, "m.room.power_levels")
  const initial = carried.flatMap((type) => {
    const event: StoredEvent | undefined = stateEvent(old, type)
    return event === undefined ? [] : [{ type, state_key: "", content: event.content }]
  })
  const room = createRoom(world, sender, {
    room_version: version,
    initial_state: initial,
    power_level_content_override: levels,
    creation_content: {
      ...(created?.content["type"] === undefined ? {} : { type: created.content["type"] }),
      predecessor: { room_id: old.roomId }
    }
  }, now)
  send(world, old, {
    type: "m.room.tombstone",
    sender,
    stateKey: "",
    content: { body: "This room has been replaced", replacement_room: room.roomId }
  }, now)
  // Nobody but moderators speaks in the old room any more ("Server behaviour" of room upgrades).
  const quiet = Math.max(50, numberIn(levels, "users_default", 0) + 1)
  const raised = {
    ...levels,
    events_default: Math.max(quiet, numberIn(levels, "events_default", 0)),
    invite: Math.max(quiet, numberIn(levels, "invite", 0))
  }
  append(world, old, { type: "m.room.power_levels", sender, stateKey: "", content: raised }, now)
  return room
}
