import * as Effect from "effect/Effect"
import type { Chat } from "../domain/Chat.ts"
import type { RoomId } from "../domain/Ids.ts"
import { type Marker, markerOf, type MarkerReading, readMarker } from "../domain/Marker.ts"
import { spacesListing } from "../domain/Origin.ts"
import type { ServerRoom } from "../domain/ServerRoom.ts"
import { ChatManager } from "../layers/ChatManager.ts"
import { makeTurns } from "../layers/Lanes.ts"
import { MatrixProvisioning, MatrixRooms, MatrixSession } from "../layers/MatrixClient.ts"
import { Store } from "../layers/Store.ts"
import { unlessRefused } from "./UnlessRefused.ts"

/** A newer Homing knows the chat of this room: what it wrote is not ours to overwrite, and no chat is registered over it. */
export const showsNewerChat = (room: ServerRoom | undefined): boolean =>
  readMarker(room?.marker)._tag === "NewerVersion"

export const newerChatText = "This room shows a chat of a newer version of me. Ask the operator to update Homing."

/** The writers of a room's marker come one after the other: an older marker that is still on its way never lands on a newer one. */
const inTurn = makeTurns<string>()

/** Writes the marker of a chat to its room, as the chat is when the turn has come, and notes that it stands there. */
const writeMarker = ({ binding, id }: Chat, wanted: (chat: Chat, marker: Marker) => Effect.Effect<boolean>) => {
  const write = Effect.fn("writeMarker")(function*() {
    const { userId: account } = yield* (yield* MatrixSession).self
    const chats = yield* ChatManager
    const chat = yield* chats.get(id)
    const marker = markerOf(account, chat)
    // Whoever took the chat to another room meanwhile sees to its marker there.
    if (marker === undefined || marker.room_id !== binding?.roomId || !(yield* wanted(chat, marker))) return
    yield* (yield* MatrixProvisioning).writeMarker(marker.room_id, marker)
    yield* chats.markerWritten(id, chat.revision)
  })
  return binding === null ? Effect.void : inTurn(binding.roomId, write()).pipe(
    // It was forgotten meanwhile: there is nothing to say of it.
    Effect.catchTag("ChatNotFound", () => Effect.void),
    // What was done must not be spoiled by a marker that cannot be written now: the next round writes it.
    Effect.catchTag("MatrixFailure", (failure) =>
      Effect.logWarning("marker_not_written").pipe(
        Effect.annotateLogs({ chat: id, room: binding.roomId, problem: failure.message })
      ))
  )
}

/** For a chat that somebody just made or changed: the marker says so at once, or with the next round when the server cannot be reached. */
export const writeMarkerOrLater = (chat: Chat) => writeMarker(chat, () => Effect.succeed(true))

/** Takes the marker of a room away, before the room shows another chat. */
export const clearMarker = Effect.fn("clearMarker")(function*(room: RoomId) {
  yield* inTurn(room, (yield* MatrixProvisioning).writeMarker(room, undefined))
})

/** The same as `writeMarkerOrLater` for a chat that came from another room: where its marker stands, the one that it left behind goes. */
export const writeMarkerAndLeave = Effect.fnUntraced(function*(chat: Chat) {
  yield* writeMarkerOrLater(chat)
  yield* clearFormerMarker(chat)
})

/**
 * Not before the chat's own marker stands: one of them always speaks for it. The one left behind is older, and is believed only by a bot that
 * has nothing newer.
 */
const clearFormerMarker = Effect.fn("clearFormerMarker")(function*({ formerRoom, id }: Chat) {
  if (formerRoom === null) return
  const chats = yield* ChatManager
  const store = yield* Store
  const clear = Effect.gen(function*() {
    const chat = yield* chats.get(id)
    if (chat.formerRoom !== formerRoom || chat.binding === null || chat.markerRevision < chat.revision) return
    // What the room shows now writes its own, and what claims it for another chat is not this one's.
    const standing = readMarker((yield* (yield* MatrixRooms).view(formerRoom))?.marker)
    const isTaken = (yield* store.chats.byRoom(formerRoom)) !== undefined || standing._tag === "NewerVersion" ||
      (standing._tag === "Valid" && standing.marker.chat_id !== id)
    if (!isTaken) yield* unlessRefused((yield* MatrixProvisioning).writeMarker(formerRoom, undefined))
    yield* chats.leftBehind(id, formerRoom)
  })
  yield* inTurn(formerRoom, clear).pipe(
    Effect.catchTag("ChatNotFound", () => Effect.void),
    Effect.catchTag("MatrixFailure", (failure) =>
      Effect.logWarning("marker_not_taken_away").pipe(
        Effect.annotateLogs({ chat: id, room: formerRoom, problem: failure.message })
      ))
  )
})

/**
 * Writes every marker that is missing or behind, and takes away what chats left behind: what a crash, an unreachable server or a repair left open. Runs after the
 * gate, as unfinished business of the commands and invites that made the chats; reconciliation itself only reads. Where the
 * marker in the room speaks for somebody else, the conflict is left as it was reported.
 */
export const writeOpenMarkers = Effect.fn("writeOpenMarkers")(function*() {
  const rooms = yield* MatrixRooms
  const open = yield* (yield* ChatManager).unmarked
  const stillOpen = (chat: Chat, marker: Marker) =>
    Effect.map(
      rooms.view(marker.room_id),
      (room) => chat.markerRevision < chat.revision && !isRival(readMarker(room?.marker), marker)
    )
  yield* Effect.forEach(
    open,
    (chat) => Effect.andThen(writeMarker(chat, stillOpen), clearFormerMarker(chat)),
    { concurrency: 4, discard: true }
  )
})

/**
 * Takes the marker of a chat that was deleted away, takes its room out of the Spaces of the bot, and leaves it. What the server refuses for
 * good needs no doing: the bot is not there any more, or has no say in the Space. All of it can be done again.
 */
export const leaveForGood = Effect.fn("leaveForGood")(function*(room: RoomId) {
  const provisioning = yield* MatrixProvisioning
  yield* inTurn(room, unlessRefused(provisioning.writeMarker(room, undefined)))
  yield* Effect.forEach(
    spacesListing(yield* (yield* MatrixRooms).snapshot, room),
    (space) => unlessRefused(provisioning.removeFromSpace(space, room)),
    { discard: true }
  )
  yield* unlessRefused(provisioning.leave(room))
})

/** Whether the marker that stands in a room speaks for a newer Homing, another account, another chat or another owner. */
const isRival = (standing: MarkerReading, wanted: Marker): boolean => {
  if (standing._tag !== "Valid") return standing._tag === "NewerVersion"
  const { account, chat_id, owner, room_id } = standing.marker
  // One that was copied from another room means nothing here.
  const claims = room_id === wanted.room_id && (chat_id !== wanted.chat_id || owner !== wanted.owner)
  return claims || account !== wanted.account
}
