import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as MutableRef from "effect/MutableRef"
import * as Schema from "effect/Schema"
import { markerType } from "../../domain/Marker.ts"
import { RawEvent } from "../../domain/SyncBatch.ts"
import { MatrixRooms } from "../MatrixClient.ts"
import { MatrixRequests, path } from "./Requests.ts"
import { isRoomId } from "./RoomSection.ts"
import { emptyView, readRoom, type RoomView } from "./RoomView.ts"
import { SignedIn } from "./SignedIn.ts"
import { readEvents } from "./SyncResponse.ts"

/** The rooms as of the last sync answer. The sync writes it, `MatrixRooms` reads it. */
export class LatestView extends Context.Service<LatestView, MutableRef.MutableRef<RoomView>>()(
  "homing/MatrixClient/LatestView"
) {
  static readonly layer = Layer.sync(LatestView, () => MutableRef.make(emptyView))
}

const State = Schema.Array(Schema.Unknown)
const Joined = Schema.Struct({ joined_rooms: Schema.Array(Schema.String) })
const Content = Schema.Record(Schema.String, Schema.Unknown)
const Page = Schema.Struct({ chunk: Schema.Array(Schema.Unknown), end: Schema.optionalKey(Schema.String) })

const make = Effect.gen(function*() {
  const { request } = yield* MatrixRequests
  const signedIn = yield* SignedIn
  const view = yield* LatestView

  return MatrixRooms.of({
    snapshot: Effect.sync(() => Array.from(MutableRef.get(view).values(), (known) => known.room)),
    view: (room) => Effect.sync(() => MutableRef.get(view).get(room)?.room),

    read: Effect.fn("MatrixRooms.read")(function*(room) {
      const { session } = yield* signedIn.credentials
      const [state, marker] = yield* Effect.all([
        request({ name: "read room state", method: "GET", path: path`/rooms/${room}/state`, schema: State }),
        request({
          name: "read marker",
          method: "GET",
          path: path`/user/${session.userId}/rooms/${room}/account_data/${markerType}`,
          schema: Content
        }).pipe(
          Effect.catchIf((error) => error.reason._tag === "NotFound", () => Effect.succeed(undefined))
        )
      ], { concurrency: 2 })
      return readRoom(room, state, marker, session.userId)
    }),

    joined: Effect.map(
      request({ name: "list joined rooms", method: "GET", path: "/joined_rooms", schema: Joined }),
      ({ joined_rooms }) => joined_rooms.filter(isRoomId)
    ),

    event: (room, event) =>
      request({ name: "read event", method: "GET", path: path`/rooms/${room}/event/${event}`, schema: RawEvent }),

    history: Effect.fn("MatrixRooms.history")(function*(room, { from, limit, to }) {
      const page = yield* request({
        name: "read history",
        method: "GET",
        path: path`/rooms/${room}/messages`,
        query: { dir: "b", from, limit: String(limit), ...(to === undefined ? {} : { to }) },
        schema: Page
      })
      // A page may repeat its own token for ever instead of leaving `end` out when there is nothing more.
      const end = page.end === from || page.chunk.length === 0 ? undefined : page.end
      return { events: readEvents(page.chunk).events, end }
    })
  })
})

/** Reads over `MatrixRequests`. */
export const layer = Layer.effect(MatrixRooms, make)
