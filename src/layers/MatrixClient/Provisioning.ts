import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { RoomId, serverOf } from "../../domain/Ids.ts"
import { markerType } from "../../domain/Marker.ts"
import { originType } from "../../domain/Origin.ts"
import { MatrixProvisioning } from "../MatrixClient.ts"
import { makeDirectRooms } from "./DirectRooms.ts"
import { MatrixRequests, Nothing, path } from "./Requests.ts"
import { Sealing } from "./Sealing.ts"
import { SignedIn } from "./SignedIn.ts"

const Created = Schema.Struct({ room_id: RoomId })

/** The one algorithm for rooms (Client-Server API, "m.room.encryption"). */
const encryption = { algorithm: "m.megolm.v1.aes-sha2" }

const make = Effect.gen(function*() {
  const requests = yield* MatrixRequests
  const { request } = requests
  const signedIn = yield* SignedIn
  const sealing = yield* Sealing
  const direct = makeDirectRooms(requests, signedIn)

  return MatrixProvisioning.of({
    // People write as soon as they see the bot.
    join: (room, via) =>
      sealing.announced.pipe(
        Effect.andThen(
          via === undefined
            ? request({ name: "join", method: "POST", path: path`/rooms/${room}/join`, body: {}, schema: Nothing })
            : request({
              name: "join",
              method: "POST",
              path: path`/join/${room}`,
              // `via` since 1.12, and what it was called before.
              query: { via, server_name: via },
              body: {},
              schema: Nothing
            })
        ),
        Effect.asVoid
      ),

    leave: (room, reason) =>
      request({
        name: "leave",
        method: "POST",
        path: path`/rooms/${room}/leave`,
        body: reason === undefined ? {} : { reason },
        schema: Nothing
      }).pipe(Effect.asVoid),

    forget: (room) =>
      request({ name: "forget", method: "POST", path: path`/rooms/${room}/forget`, body: {}, schema: Nothing }).pipe(
        Effect.asVoid
      ),

    invite: (room, user) =>
      request({
        name: "invite",
        method: "POST",
        path: path`/rooms/${room}/invite`,
        body: { user_id: user },
        schema: Nothing
      }).pipe(Effect.asVoid),

    createRoom: Effect.fn("MatrixProvisioning.createRoom")(function*({ encrypted, name, origin, space, topic }) {
      const { session } = yield* signedIn.credentials
      const isSpace = origin.kind === "space"
      const created = yield* request({
        name: isSpace ? "create space" : "create room",
        method: "POST",
        path: "/createRoom",
        body: {
          name,
          topic,
          invite: [origin.owner],
          // Those who are invited have the bot's own power, whatever the room's version calls it, so that the room is theirs.
          preset: "trusted_private_chat",
          visibility: "private",
          creation_content: { [originType]: origin, ...(isSpace ? { type: "m.space" } : {}) },
          // A Space lists rooms; nobody talks in it.
          ...(isSpace ? { power_level_content_override: { events_default: 100 } } : {}),
          initial_state: [
            ...(encrypted ? [{ type: "m.room.encryption", state_key: "", content: encryption }] : []),
            ...(space === undefined ? [] : [{
              type: "m.space.parent",
              state_key: space,
              content: { canonical: true, via: [serverOf(session.userId)] }
            }])
          ]
        },
        schema: Created
      })
      return created.room_id
    }),

    setName: (room, name) =>
      request({
        name: "name room",
        method: "PUT",
        path: path`/rooms/${room}/state/m.room.name`,
        body: { name },
        schema: Nothing
      }).pipe(Effect.asVoid),

    addDirect: direct.add,
    removeDirect: direct.remove,

    addToSpace: Effect.fn("MatrixProvisioning.addToSpace")(function*(space, room) {
      const { session } = yield* signedIn.credentials
      yield* request({
        name: "add to space",
        method: "PUT",
        path: path`/rooms/${space}/state/m.space.child/${room}`,
        body: { via: [serverOf(session.userId)] },
        schema: Nothing
      })
    }),

    removeFromSpace: (space, room) =>
      request({
        name: "remove from space",
        method: "PUT",
        path: path`/rooms/${space}/state/m.space.child/${room}`,
        body: {},
        schema: Nothing
      }).pipe(Effect.asVoid),

    writeMarker: Effect.fn("MatrixProvisioning.writeMarker")(function*(room, marker) {
      const { session } = yield* signedIn.credentials
      yield* request({
        name: "write marker",
        method: "PUT",
        path: path`/user/${session.userId}/rooms/${room}/account_data/${markerType}`,
        // Account data cannot be deleted: an empty object is how a marker is taken away.
        body: marker === undefined ? {} : { ...marker },
        schema: Nothing
      })
    })
  })
})

/** Makes and changes rooms over `MatrixRequests`. */
export const layer = Layer.effect(MatrixProvisioning, make)
