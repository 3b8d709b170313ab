import * as Effect from "effect/Effect"
import { transactionIdOf } from "../domain/Delivery.ts"
import { notice } from "../domain/Message.ts"
import { type ChatRoom, leftOpen } from "../domain/Origin.ts"
import type { ServerRoom } from "../domain/ServerRoom.ts"
import { AppConfig } from "../layers/AppConfig.ts"
import { MatrixMessages, MatrixProvisioning, MatrixRooms } from "../layers/MatrixClient.ts"
import { contentOf } from "../layers/Rendering.ts"
import { Store } from "../layers/Store.ts"
import { greeting } from "./Commands/NewChat.ts"
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
  const shownIn = (yield* chats.byId(origin.chat_id))?.binding?.roomId
  if (shownIn !== undefined && shownIn !== roomId) {
    // With a marker it is the other room that came later: a conflict, which was reported as such.
    if (room.marker === undefined) yield* close(room)
    return
  }
  const { again, title } = yield* provisionChat(origin)
  if (again) return
  const words = notice(greeting(title, yield* AppConfig))
  const content = yield* contentOf(words, { "m.mentions": {} })
  // The id that the greeting has when the command itself says it.
  const transactionId = transactionIdOf(origin.request, 1)
  yield* (yield* MatrixMessages).send({ roomId, transactionId, type: "m.room.message", content })
  yield* Effect.logInfo("room_finished").pipe(Effect.annotateLogs({ room: roomId, user: origin.owner }))
})

const close = Effect.fnUntraced(function*({ roomId }: ServerRoom) {
  yield* (yield* MatrixProvisioning).leave(roomId, "This room was made twice by mistake.")
  yield* Effect.logInfo("room_closed").pipe(Effect.annotateLogs({ room: roomId, reason: "made_twice" }))
})

/** Nothing else waits for it: what cannot be done now is tried at the next start. */
export const finishRoomsOrWarn = finishRooms().pipe(
  Effect.catch((error) => Effect.logWarning("rooms_not_finished").pipe(Effect.annotateLogs({ problem: error.message })))
)
