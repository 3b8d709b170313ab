import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import type { MatrixFailure } from "../../domain/Errors.ts"
import type { RoomId, UserId } from "../../domain/Ids.ts"
import type { MatrixRequests } from "./Requests.ts"
import { path } from "./Requests.ts"
import type { SignedIn } from "./SignedIn.ts"

/** The rooms that the account takes for direct chats, by the other person (Client-Server API, "m.direct"). Whatever else stands there is kept. */
type Direct = Readonly<Record<string, unknown>>

const Content = Schema.Record(Schema.String, Schema.Unknown)

/** Beyond this many rooms nothing is added: account data has to fit into one event. */
const mostRooms = 500

const roomsIn = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

const withRoom = (direct: Direct, room: RoomId, user: UserId): Direct => {
  const known = roomsIn(direct[user])
  const count = Object.values(direct).reduce((sum: number, value) => sum + roomsIn(value).length, 0)
  return known.includes(room) || count >= mostRooms ? direct : { ...direct, [user]: [...known, room] }
}

const withoutRooms = (direct: Direct, rooms: ReadonlySet<unknown>): Direct => {
  const holds = (value: unknown) => roomsIn(value).some((room) => rooms.has(room))
  if (!Object.values(direct).some(holds)) return direct
  return Object.fromEntries(
    Object.entries(direct).flatMap(([user, value]) => {
      if (!holds(value)) return [[user, value]]
      const kept = roomsIn(value).filter((room) => !rooms.has(room))
      return kept.length === 0 ? [] : [[user, kept]]
    })
  )
}

/** Reads, changes and writes `m.direct`, one change at a time: two would lose one of them. */
export const makeDirectRooms = (
  { request }: MatrixRequests["Service"],
  signedIn: SignedIn["Service"]
) => {
  const turn = Semaphore.makeUnsafe(1)
  /** As it was when it was last read or written. */
  let seen: Direct | undefined

  const change = Effect.fnUntraced(function*(
    f: (direct: Direct) => Direct
  ): Effect.fn.Return<void, MatrixFailure> {
    const { session } = yield* signedIn.credentials
    const at = path`/user/${session.userId}/account_data/m.direct`
    const direct: Direct = yield* request({ name: "read direct rooms", method: "GET", path: at, schema: Content }).pipe(
      Effect.catchIf((error) => error.reason._tag === "NotFound", () => Effect.succeed({}))
    )
    const changed = f(direct)
    if (changed !== direct) {
      yield* request({ name: "write direct rooms", method: "PUT", path: at, body: changed, schema: Schema.Unknown })
    }
    seen = changed
  })

  return {
    add: (room: RoomId, user: UserId) => turn.withPermit(change((direct) => withRoom(direct, room, user))),
    remove: (rooms: ReadonlySet<RoomId>) =>
      turn.withPermit(Effect.suspend(() =>
        // Nothing is asked for rooms that were none of these a moment ago.
        seen !== undefined && withoutRooms(seen, rooms) === seen
          ? Effect.void
          : change((direct) => withoutRooms(direct, rooms))
      ))
  }
}
