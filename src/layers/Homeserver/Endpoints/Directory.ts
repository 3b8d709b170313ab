/** Aliases, the public directory, the hierarchy of Spaces, and finding people. */
import * as Schema from "effect/Schema"
import { findUsers, hierarchyOf, publicRooms } from "../Directory.ts"
import type { Json, Room } from "../Model.ts"
import { badParam, forbidden, notFound, Refusal } from "../Refusal.ts"
import { requireJoined, requirePower, roomOf } from "../Rooms.ts"
import { at, type Call, open, route, routeBody } from "../Router.ts"

/** One page of a list. The token of the next page is where it begins. */
const pageOf = (list: ReadonlyArray<Json>, limit: number, from: string | undefined) => {
  const start = Number(from ?? "0")
  if (!Number.isInteger(start)) throw badParam("M_INVALID_PARAM", "Unknown pagination token")
  const page = list.slice(start, start + limit)
  return { page, ...(start + limit < list.length ? { next_batch: String(start + limit) } : {}) }
}

const directory = (call: Call, words: string, limit: number | undefined, since: string | undefined): Json => {
  const all = publicRooms(call.world, words)
  const { page, ...more } = pageOf(all, limit ?? 100, since)
  return { chunk: page, total_room_count_estimate: all.length, ...more }
}

const hierarchy = (call: Call): Json => {
  const { query } = call.request
  const room = call.world.rooms.get(at(call).room)
  const wish = { suggestedOnly: query["suggested_only"] === "true", maxDepth: Number(query["max_depth"] ?? "50") }
  const rooms = room === undefined ? [] : hierarchyOf(call.world, room, call.user, wish)
  if (rooms.length === 0) throw forbidden(`User ${call.user.userId} not in room ${at(call).room}`)
  const { page, ...more } = pageOf(rooms, Number(query["limit"] ?? "50"), query["from"])
  return { rooms: page, ...more }
}

const aliasesOf = (call: Call, room: Room): ReadonlyArray<string> =>
  [...call.world.aliases].flatMap(([alias, roomId]) => roomId === room.roomId ? [alias] : [])

const setAlias = (call: Call, roomId: string): Json => {
  const alias = at(call).name
  if (!alias.startsWith("#") || !alias.endsWith(`:${call.world.serverName}`)) {
    throw badParam("M_INVALID_PARAM", "Room alias must be local")
  }
  if (call.world.aliases.has(alias)) throw new Refusal(409, "M_UNKNOWN", `Room alias ${alias} already exists`)
  requireJoined(roomOf(call.world, roomId), call.user.userId)
  call.world.aliases.set(alias, roomId)
  return {}
}

const removeAlias = (call: Call): Json => {
  const roomId = call.world.aliases.get(at(call).name)
  if (roomId === undefined) throw notFound("Unknown room alias")
  requirePower(roomOf(call.world, roomId), call.user.userId, "m.room.canonical_alias", true)
  call.world.aliases.delete(at(call).name)
  return {}
}

const Search = Schema.Struct({
  limit: Schema.optional(Schema.Int),
  since: Schema.optional(Schema.String),
  filter: Schema.optional(Schema.Struct({ generic_search_term: Schema.optional(Schema.String) }))
})

const client = "/_matrix/client/v3"
const alias = `${client}/directory/room/{name}`
const listing = `${client}/directory/list/room/{roomId}`

export const directoryRoutes = [
  open("GET", alias, (visit) => {
    const roomId = visit.world.aliases.get(at(visit).name)
    if (roomId === undefined) throw notFound(`Room alias ${at(visit).name} not found`)
    return { room_id: roomId, servers: [visit.world.serverName] }
  }),
  routeBody("PUT", alias, Schema.Struct({ room_id: Schema.String }), (call, body) => setAlias(call, body.room_id)),
  route("DELETE", alias, removeAlias),
  route("GET", `${client}/rooms/{roomId}/aliases`, (call) => {
    const room = roomOf(call.world, at(call).room)
    requireJoined(room, call.user.userId)
    return { aliases: aliasesOf(call, room) }
  }),
  open("GET", listing, (visit) => {
    const room = visit.world.rooms.get(at(visit).room)
    if (room === undefined) throw notFound("Unknown room")
    return { visibility: room.listed ? "public" : "private" }
  }),
  routeBody("PUT", listing, Schema.Struct({ visibility: Schema.optional(Schema.String) }), (call, body) => {
    const room = roomOf(call.world, at(call).room)
    requirePower(room, call.user.userId, "m.room.canonical_alias", true)
    room.listed = body.visibility !== "private"
    return {}
  }),
  route("GET", `${client}/publicRooms`, (call) => {
    const { limit, since } = call.request.query
    return directory(call, "", limit === undefined ? undefined : Number(limit), since)
  }),
  routeBody(
    "POST",
    `${client}/publicRooms`,
    Search,
    (call, body) => directory(call, body.filter?.generic_search_term ?? "", body.limit, body.since)
  ),
  route("GET", "/_matrix/client/v1/rooms/{roomId}/hierarchy", hierarchy),
  routeBody(
    "POST",
    `${client}/user_directory/search`,
    Schema.Struct({ search_term: Schema.String, limit: Schema.optional(Schema.Int) }),
    ({ user, world }, { limit = 10, search_term }) => {
      const found = findUsers(world, user, search_term)
      return { results: found.slice(0, limit), limited: found.length > limit }
    }
  )
]
