import * as Effect from "effect/Effect"
import { serverOf, type UserId } from "../domain/Ids.ts"
import { notice } from "../domain/Message.ts"
import type { Outcome } from "../domain/Reconciliation.ts"
import { moveKeyOf } from "../domain/Reconciliation/Explain.ts"
import type { ServerRoom } from "../domain/ServerRoom.ts"
import { statement } from "../layers/Rendering.ts"
import { Store } from "../layers/Store.ts"
import { linkTo } from "./Commands/RoomLink.ts"

/**
 * Tells a room whose chat has followed an upgrade where it goes on, if the bot may speak there still. Part of the transaction that moves
 * the chat: no crash in between leaves the room without the word, and nothing says it again.
 */
export const tellOfMoves = Effect.fn("tellOfMoves")(function*(
  outcomes: ReadonlyArray<Outcome>,
  rooms: ReadonlyArray<ServerRoom>,
  self: UserId
) {
  const moves = outcomes.flatMap((outcome) => outcome._tag === "Moved" ? [outcome] : [])
  if (moves.length === 0) return
  const { outbox } = yield* Store
  const speakable = new Set(
    rooms.flatMap(({ membership, roomId, tombstone }) =>
      membership === "join" && tombstone?.maySpeak === true ? [roomId] : []
    )
  )
  for (const { fromRoomId, roomId } of moves.filter(({ fromRoomId }) => speakable.has(fromRoomId))) {
    const about = moveKeyOf(fromRoomId)
    const link = linkTo(roomId, serverOf(self))
    const message = yield* statement(fromRoomId, about, notice(`This chat goes on in the new room: [open](${link})`))
    yield* outbox.announce(message, { about, sender: self })
  }
})
