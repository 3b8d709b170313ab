import * as Effect from "effect/Effect"
import { type ChatRoom, leftOpen } from "../domain/Origin.ts"
import type { ServerRoom } from "../domain/ServerRoom.ts"
import { MatrixProvisioning, MatrixRooms } from "../layers/MatrixClient.ts"
import { Store } from "../layers/Store.ts"
import { provisionChat } from "./Provision.ts"

/**
 * Finishes the rooms that `!new` left half-made where nobody else will: its message was given up, or forgotten with the database. Rooms
 * that were made twice are closed. Runs after the gate, as unfinished business of a command; reconciliation itself only reads.
 */
export const finishRooms = Effect.fn("finishRooms")(function*() {
  const { surplusSpaces, unlisted } = leftOpen(yield* (yield* MatrixRooms).snapshot)
  yield* Effect.forEach(surplusSpaces, close, { discard: true })
  yield* Effect.forEach(unlisted, finish, { discard: true })
})

const finish = Effect.fnUntraced(function*(room: ChatRoom) {
  const { origin, roomId } = room
  const { chats, inbox } = yield* Store
  // The message that asked for it waits: it will be handled again.
  if ((yield* inbox.find(origin.request))?.state === "pending") return
  if ((yield* chats.deleted).has(origin.chat_id)) return
  const shownIn = (yield* chats.byId(origin.chat_id))?.binding?.roomId
  if (shownIn !== undefined && shownIn !== roomId) {
    // With a marker it is the other room that came later: a conflict, which was reported as such.
    if (room.marker === undefined) yield* close(room)
    return
  }
  yield* provisionChat(origin)
})

const close = Effect.fnUntraced(function*({ roomId }: ServerRoom) {
  yield* (yield* MatrixProvisioning).leave(roomId, "This room was made twice by mistake.")
  yield* Effect.logInfo("room_closed").pipe(Effect.annotateLogs({ room: roomId, reason: "made_twice" }))
})

/** Nothing else waits for it: what cannot be done now is tried at the next start. */
export const finishRoomsOrWarn = finishRooms().pipe(
  Effect.catch((error) => Effect.logWarning("rooms_not_finished").pipe(Effect.annotateLogs({ problem: error.message })))
)
