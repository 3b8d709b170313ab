import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { RoomId } from "../../domain/Ids.ts"
import { markerType } from "../../domain/Marker.ts"
import { MatrixProvisioning } from "../MatrixClient.ts"
import { MatrixRequests, Nothing, path } from "./Requests.ts"
import { SignedIn } from "./SignedIn.ts"

const Created = Schema.Struct({ room_id: RoomId })

const make = Effect.gen(function*() {
  const { request } = yield* MatrixRequests
  const signedIn = yield* SignedIn

  return MatrixProvisioning.of({
    join: (room) =>
      request({ name: "join", method: "POST", path: path`/rooms/${room}/join`, body: {}, schema: Nothing }).pipe(
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

    createRoom: Effect.fn("MatrixProvisioning.createRoom")(function*({ invite, isSpace, name }) {
      const created = yield* request({
        name: "create room",
        method: "POST",
        path: "/createRoom",
        body: {
          name,
          invite,
          // Those who are invited have the bot's own power, so that the room is theirs as much.
          preset: "trusted_private_chat",
          visibility: "private",
          ...(isSpace ? { creation_content: { type: "m.space" } } : {})
        },
        schema: Created
      })
      return created.room_id
    }),

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
