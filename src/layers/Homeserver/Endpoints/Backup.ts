/** The backup of room keys. */
import * as Schema from "effect/Schema"
import { type Backup, backupOf, countOf, keepSession, newBackup, sessionsOf, writableBackup } from "../Backup.ts"
import type { Json } from "../Model.ts"
import { badParam, notFound } from "../Refusal.ts"
import { type Call, route, routeBody } from "../Router.ts"

const Content = Schema.Record(Schema.String, Schema.Unknown)
const Version = Schema.Struct({
  algorithm: Schema.String,
  auth_data: Content,
  version: Schema.optional(Schema.String)
})
const Session = Schema.Struct({
  first_message_index: Schema.Int,
  forwarded_count: Schema.Int,
  is_verified: Schema.Boolean,
  session_data: Content
})
const Room = Schema.Struct({ sessions: Schema.Record(Schema.String, Session) })
const Rooms = Schema.Struct({ rooms: Schema.Record(Schema.String, Room) })

const params = (call: Call) => ({ room: call.params["roomId"] ?? "", session: call.params["sessionId"] ?? "" })

const versionOf = (backup: Backup): Json => ({
  algorithm: backup.algorithm,
  auth_data: backup.authData,
  version: backup.version,
  ...countOf(backup)
})

const readable = (call: Call): Backup => backupOf(call.user, call.request.query["version"])
const writable = (call: Call): Backup => writableBackup(call.user, call.request.query["version"])

const keepAll = (backup: Backup, rooms: (typeof Rooms.Type)["rooms"]): Json => {
  for (const [room, { sessions }] of Object.entries(rooms)) {
    for (const [id, session] of Object.entries(sessions)) keepSession(backup, room, id, session)
  }
  return countOf(backup)
}

const drop = (call: Call, remove: (backup: Backup) => void): Json => {
  const backup = writable(call)
  remove(backup)
  backup.etag++
  return countOf(backup)
}

const room = "/_matrix/client/v3/room_keys/keys/{roomId}"
const version = "/_matrix/client/v3/room_keys/version"

export const backupRoutes = [
  routeBody("POST", version, Version, ({ user }, body) => ({
    version: newBackup(user, body.algorithm, body.auth_data).version
  })),
  route("GET", version, ({ user }) => versionOf(backupOf(user))),
  route("GET", `${version}/{name}`, ({ params, user }) => versionOf(backupOf(user, params["name"]))),
  routeBody("PUT", `${version}/{name}`, Version, ({ params, user }, body) => {
    const backup = backupOf(user, params["name"])
    if (backup.algorithm !== body.algorithm) throw badParam("M_INVALID_PARAM", "Algorithm does not match")
    backup.authData = body.auth_data
    return {}
  }),
  route("DELETE", `${version}/{name}`, ({ params, user }) => {
    backupOf(user, params["name"]).deleted = true
    return {}
  }),
  routeBody("PUT", "/_matrix/client/v3/room_keys/keys", Rooms, (call, body) => keepAll(writable(call), body.rooms)),
  routeBody("PUT", room, Room, (call, body) => keepAll(writable(call), { [params(call).room]: body })),
  routeBody(
    "PUT",
    `${room}/{sessionId}`,
    Session,
    (call, body) => keepAll(writable(call), { [params(call).room]: { sessions: { [params(call).session]: body } } })
  ),
  route("GET", "/_matrix/client/v3/room_keys/keys", (call) => ({ rooms: sessionsOf(readable(call)) })),
  route("GET", room, (call) => ({
    sessions: Object.fromEntries(readable(call).rooms.get(params(call).room) ?? [])
  })),
  route("GET", `${room}/{sessionId}`, (call) => {
    const session = readable(call).rooms.get(params(call).room)?.get(params(call).session)
    if (session === undefined) throw notFound("No room_keys found")
    return { ...session }
  }),
  route("DELETE", "/_matrix/client/v3/room_keys/keys", (call) => drop(call, ({ rooms }) => rooms.clear())),
  route("DELETE", room, (call) => drop(call, ({ rooms }) => void rooms.delete(params(call).room))),
  route(
    "DELETE",
    `${room}/{sessionId}`,
    (call) => drop(call, ({ rooms }) => void rooms.get(params(call).room)?.delete(params(call).session))
  )
]
