/** Rooms: making them, coming and going, and their state. */
import * as Schema from "effect/Schema"
import { isDeepStrictEqual } from "node:util"
import { type Json, positionOfToken, type Room } from "../Model.ts"
import { badParam, forbidden, notFound, Refusal } from "../Refusal.ts"
import { CreateRoom, createRoom, defaultRoomVersion, upgradeRoom } from "../RoomCreation.ts"
import {
  asOf,
  horizonOf,
  type MembershipChange,
  membershipIn,
  requireJoined,
  requirePower,
  roomOf,
  send,
  setMembership,
  stateAt,
  stateEvent
} from "../Rooms.ts"
import { at, type Call, route, routeBody } from "../Router.ts"
import { clientEvent } from "../Timeline.ts"

const Content = Schema.Record(Schema.String, Schema.Unknown)
const Reason = Schema.Struct({ reason: Schema.optional(Schema.String) })
const Target = Schema.Struct({ user_id: Schema.String, reason: Schema.optional(Schema.String) })

const aliased = (call: Call, idOrAlias: string): string => {
  if (!idOrAlias.startsWith("#")) return idOrAlias
  const roomId = call.world.aliases.get(idOrAlias)
  if (roomId === undefined) throw notFound(`Room alias ${idOrAlias} not found`)
  return roomId
}

const join = (call: Call, reason: string | undefined): Json => {
  const roomId = aliased(call, at(call).room)
  const room = call.world.rooms.get(roomId)
  if (room === undefined) {
    throw new Refusal(404, "M_NOT_FOUND", "Can't join remote room: no servers are known that are in it.")
  }
  const userId = call.user.userId
  setMembership(call.world, room, { action: "join", sender: userId, target: userId, reason }, call.now)
  return { room_id: roomId }
}

const knock = (call: Call, reason: string | undefined): Json => {
  const room = roomOf(call.world, aliased(call, at(call).room))
  const userId = call.user.userId
  setMembership(call.world, room, { action: "knock", sender: userId, target: userId, reason }, call.now)
  return { room_id: room.roomId }
}

const change = (call: Call, action: MembershipChange["action"], target: string, reason: string | undefined): Json => {
  const sender = call.user.userId
  setMembership(call.world, roomOf(call.world, at(call).room), { action, sender, target, reason }, call.now)
  return {}
}

const forget = (call: Call): Json => {
  const roomId = at(call).room
  if (call.world.rooms.get(roomId)?.joined.has(call.user.userId) === true) {
    throw badParam("M_UNKNOWN", `User ${call.user.userId} is in room ${roomId}`)
  }
  call.user.rooms.delete(roomId)
  return {}
}

/** A member event that a client writes by itself is a join, leave, invite, kick, ban or unban by another name. */
const actionOf = (room: Room, sender: string, target: string, content: Json): MembershipChange["action"] => {
  const standing = membershipIn(stateEvent(room, "m.room.member", target))
  switch (content["membership"]) {
    case "join":
      if (sender !== target) throw forbidden("Cannot force another user to join.")
      return "join"
    case "invite":
    case "knock":
      return content["membership"]
    case "ban":
      return "ban"
    case "leave":
      return sender === target ? "leave" : standing === "ban" ? "unban" : "kick"
    default:
      throw badParam("M_BAD_JSON", "Unknown membership")
  }
}

const putState = (call: Call, content: Json): Json => {
  const { stateKey, type } = at(call)
  const sender = call.user.userId
  const room = roomOf(call.world, at(call).room)
  if (type !== "m.room.member") {
    const standing = stateEvent(room, type, stateKey)
    // Saying what is so already makes no event, as on Synapse.
    if (standing?.sender === sender && isDeepStrictEqual(standing.content, content)) {
      requirePower(room, sender, type, true)
      return { event_id: standing.eventId }
    }
    return { event_id: send(call.world, room, { type, sender, stateKey, content }, call.now).eventId }
  }
  const { membership: _, ...more } = content
  const action = actionOf(room, sender, stateKey, content)
  return { event_id: setMembership(call.world, room, { action, sender, target: stateKey, more }, call.now).eventId }
}

const stateOf = (call: Call, position = Infinity) => {
  const room = roomOf(call.world, at(call).room)
  return stateAt(room, Math.min(position, horizonOf(call.world, room, call.user.userId)))
}

const getState = (call: Call): Json => {
  const { stateKey, type } = at(call)
  const room = roomOf(call.world, at(call).room)
  const event = asOf(stateEvent(room, type, stateKey), horizonOf(call.world, room, call.user.userId))
  if (event === undefined) throw notFound("Event not found.")
  return call.request.query["format"] === "event" ? clientEvent(event, call.device, call.now) : event.content
}

const members = (call: Call): Json => {
  const { at: token, membership, not_membership: not } = call.request.query
  return {
    chunk: stateOf(call, token === undefined ? undefined : positionOfToken(call.world, token))
      .filter((event) => event.type === "m.room.member")
      .filter((event) => membership === undefined || membershipIn(event) === membership)
      .filter((event) => not === undefined || membershipIn(event) !== not)
      .map((event) => clientEvent(event, call.device, call.now))
  }
}

const joinedMembers = (call: Call): Json => {
  const room = roomOf(call.world, at(call).room)
  requireJoined(room, call.user.userId)
  return {
    joined: Object.fromEntries([...room.joined].map((userId) => {
      const { avatar_url, displayname } = stateEvent(room, "m.room.member", userId)?.content ?? {}
      return [userId, { avatar_url: avatar_url ?? null, display_name: displayname ?? null }]
    }))
  }
}

const upgrade = (call: Call, version: string | undefined): Json => {
  const old = roomOf(call.world, at(call).room)
  return {
    replacement_room: upgradeRoom(call.world, old, call.user.userId, version ?? defaultRoomVersion, call.now).roomId
  }
}

const rooms = "/_matrix/client/v3/rooms/{roomId}"

export const roomRoutes = [
  routeBody("POST", "/_matrix/client/v3/createRoom", CreateRoom, (call, body) => ({
    room_id: createRoom(call.world, call.user.userId, body, call.now).roomId
  })),
  routeBody("POST", "/_matrix/client/v3/join/{roomId}", Reason, (call, body) => join(call, body.reason)),
  routeBody("POST", "/_matrix/client/v3/knock/{roomId}", Reason, (call, body) => knock(call, body.reason)),
  routeBody("POST", `${rooms}/join`, Reason, (call, body) => join(call, body.reason)),
  routeBody("POST", `${rooms}/leave`, Reason, (call, body) => change(call, "leave", call.user.userId, body.reason)),
  routeBody("POST", `${rooms}/invite`, Target, (call, body) => change(call, "invite", body.user_id, body.reason)),
  routeBody("POST", `${rooms}/kick`, Target, (call, body) => change(call, "kick", body.user_id, body.reason)),
  routeBody("POST", `${rooms}/ban`, Target, (call, body) => change(call, "ban", body.user_id, body.reason)),
  routeBody("POST", `${rooms}/unban`, Target, (call, body) => change(call, "unban", body.user_id, body.reason)),
  route("POST", `${rooms}/forget`, forget),
  routeBody(
    "POST",
    `${rooms}/upgrade`,
    Schema.Struct({ new_version: Schema.optional(Schema.String) }),
    (call, body) => upgrade(call, body.new_version)
  ),
  route("GET", "/_matrix/client/v3/joined_rooms", ({ user, world }) => ({
    joined_rooms: [...user.rooms.keys()].filter((roomId) => world.rooms.get(roomId)?.joined.has(user.userId) === true)
  })),
  route("GET", `${rooms}/members`, members),
  route("GET", `${rooms}/joined_members`, joinedMembers),
  route("GET", `${rooms}/state`, (call) => stateOf(call).map((event) => clientEvent(event, call.device, call.now))),
  routeBody("PUT", `${rooms}/state/{type}`, Content, putState),
  routeBody("PUT", `${rooms}/state/{type}/{stateKey}`, Content, putState),
  route("GET", `${rooms}/state/{type}`, getState),
  route("GET", `${rooms}/state/{type}/{stateKey}`, getState)
]
