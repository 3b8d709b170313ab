import * as Effect from "effect/Effect"
import { codeSpan } from "../domain/CodeSpan.ts"
import { afterFailure } from "../domain/Delivery.ts"
import type { MatrixFailure } from "../domain/Errors.ts"
import type { RoomId, UserId } from "../domain/Ids.ts"
import { notice } from "../domain/Message.ts"
import { type ChatOrigin, type Origin, requestKey, roomOfRequest, type SpaceOrigin } from "../domain/Origin.ts"
import { endOf } from "../domain/Reconciliation/Upgrades.ts"
import type { ServerRoom } from "../domain/ServerRoom.ts"
import { AppConfig } from "../layers/AppConfig.ts"
import { ChatManager } from "../layers/ChatManager.ts"
import { makeTurns } from "../layers/Lanes.ts"
import { MatrixMessages, MatrixProvisioning, MatrixRooms, MatrixSession } from "../layers/MatrixClient.ts"
import { statement } from "../layers/Rendering.ts"
import { Store } from "../layers/Store.ts"
import { writeMarkerOrLater } from "./Markers.ts"

/** What makes rooms for a person comes one after the other: two at once would make two Spaces. */
const inTurn = makeTurns<UserId>()

/**
 * Makes the room of a new chat, and its owner's Space when there is none: kept here -> Space -> room -> chat and marker -> invites ->
 * greeting -> listed in the Space.
 *
 * Every step can be done again, and does nothing where it was done: ended anywhere and begun anew, also without the database, it comes to
 * the same room, chat and Space. Waits for a homeserver that is away or wants to be asked later; what it refuses for good fails.
 */
export const provisionChat = (asked: ChatOrigin) => inTurn(asked.owner, provision(asked))

const provision = Effect.fn("provisionChat")(function*(asked: ChatOrigin) {
  const store = yield* Store
  const begun = yield* store.provisioning.begin(asked)
  if (begun.done && begun.roomId !== undefined) {
    return { roomId: begun.roomId, title: ofChat(begun.origin, asked).title }
  }

  const space = yield* madeRoom(spaceOf(asked), undefined)
  const made = yield* madeRoom(asked, space.roomId)
  const { roomId } = made
  const origin = ofChat(made.origin, asked)
  yield* learnEncryption(roomId)
  // From here on what people write in the room finds its chat.
  yield* showChat(origin, roomId)
  yield* invite(space.roomId, asked.owner)
  yield* invite(roomId, asked.owner)
  yield* greet(origin, roomId)
  // The last step, and the one that shows that all others were done: `leftOpen` looks for it.
  yield* listInSpace(space.roomId, roomId)
  yield* store.provisioning.done(asked)
  return { roomId, title: origin.title }
})

/** The request of a chat names a room of a chat. */
const ofChat = (origin: Origin, asked: ChatOrigin): ChatOrigin => origin.kind === "chat" ? origin : asked

const spaceOf = ({ created_at, owner, version }: ChatOrigin): SpaceOrigin => ({
  version,
  kind: "space",
  owner,
  created_at
})

interface MadeRoom {
  readonly roomId: RoomId
  /** What stands in it: after a lost database not what was asked for now, but then. */
  readonly origin: Origin
}

/**
 * The room of a request: the one that is there, else a new one. A request that got no answer may have been carried out, so every attempt
 * looks first.
 */
const madeRoom = Effect.fnUntraced(function*(asked: Origin, space: RoomId | undefined) {
  const { provisioning } = yield* Store
  // What was kept first is what counts: a title that was edited meanwhile makes no other room.
  const { origin, roomId: kept } = yield* provisioning.begin(asked)
  const made = yield* patiently(Effect.gen(function*() {
    const found = (yield* findRoom(requestKey(origin))) ?? (yield* keptRoom(origin, kept))
    return found ?? { origin, roomId: yield* createRoom(origin, space) }
  }))
  yield* provisioning.made(made.origin, made.roomId)
  return made
})

const createRoom = Effect.fnUntraced(function*(origin: Origin, space: RoomId | undefined) {
  const { commandPrefix, encryptNewRooms } = yield* AppConfig
  const { userId: self } = yield* (yield* MatrixSession).self
  const [name, topic] = origin.kind === "space"
    ? [`Chats with ${self}`, `The chats that you open with ${commandPrefix}new are listed here.`]
    : [origin.title, `A chat with ${self}. Type ${commandPrefix}help to see what it can do.`]
  const roomId = yield* (yield* MatrixProvisioning).createRoom({
    origin,
    name,
    topic,
    space,
    encrypted: encryptNewRooms && origin.kind === "chat"
  })
  yield* Effect.logInfo("room_made").pipe(Effect.annotateLogs({ room: roomId, user: origin.owner, kind: origin.kind }))
  return roomId
})

/** As the last sync answer tells, and where that tells nothing, as the server does: it may know of rooms that no answer has told of yet. */
const findRoom = Effect.fnUntraced(
  function*(key: string): Effect.fn.Return<MadeRoom | undefined, MatrixFailure, MatrixRooms> {
    const rooms = yield* MatrixRooms
    const known = yield* rooms.snapshot
    const seen = madeRoomOf(known, key)
    if (seen !== undefined) return seen
    const knownIds = new Set(known.filter(({ membership }) => membership === "join").map(({ roomId }) => roomId))
    const unknown = (yield* rooms.joined).filter((room) => !knownIds.has(room))
    const read = yield* Effect.forEach(unknown, (room) =>
      rooms.read(room).pipe(
        // The bot left it a moment ago.
        Effect.catchIf(isRefusal, () => Effect.succeed(undefined))
      ), { concurrency: 4 })
    return madeRoomOf(read.filter((room) => room !== undefined), key)
  }
)

/** Where it was replaced by another, that one is meant, which says nothing of what it was made for. */
const madeRoomOf = (rooms: ReadonlyArray<ServerRoom>, key: string): MadeRoom | undefined => {
  const room = roomOfRequest(rooms, key)
  if (room?.origin === undefined) return undefined
  const end = endOf(new Map(rooms.map((room) => [room.roomId, room])), room)
  return { roomId: end.roomId, origin: room.origin }
}

/** What replaced a room that the bot has left since is known here only. */
const keptRoom = Effect.fnUntraced(function*(origin: Origin, kept: RoomId | undefined) {
  const room = kept === undefined ? undefined : yield* (yield* MatrixRooms).view(kept)
  const made: MadeRoom | undefined = room?.membership === "join" ? { origin, roomId: room.roomId } : undefined
  return made
})

/**
 * Before a word is said there: a sync may have told of the room while the homeserver was making it, and of its encryption not yet. What is not
 * known to be encrypted would be greeted in clear.
 */
const learnEncryption = Effect.fnUntraced(function*(room: RoomId) {
  const { encrypted } = yield* patiently((yield* MatrixRooms).read(room))
  if (encrypted) yield* (yield* Store).noteEncrypted(room)
})

const showChat = Effect.fnUntraced(function*(origin: ChatOrigin, room: RoomId) {
  const chats = yield* ChatManager
  const chat = yield* chats.register({
    id: origin.chat_id,
    room,
    owner: origin.owner,
    ownerName: origin.owner_name,
    title: origin.title,
    // The room was made with this name.
    roomName: origin.title
  }).pipe(
    // Somebody registered one there before the room's own was known: theirs it is.
    Effect.catchTag("RoomTaken", ({ chat }) => Effect.catchTag(chats.get(chat), "ChatNotFound", Effect.die))
  )
  yield* writeMarkerOrLater(chat)
})

/** The room was made with this invite. It is wanting where the server did not carry it out, or where the owner has left the Space. */
const invite = Effect.fnUntraced(function*(room: RoomId, user: UserId) {
  const rooms = yield* MatrixRooms
  const { members } = (yield* rooms.view(room)) ?? (yield* patiently(rooms.read(room)))
  if (members.has(user)) return
  yield* unlessRefused("owner_not_invited", room, (yield* MatrixProvisioning).invite(room, user))
})

/**
 * The first words in the room. Not by the outbox, which would be lost with the database: they are said before the room counts as done,
 * and the server drops them when they come again.
 */
const greet = Effect.fnUntraced(function*({ request, title }: ChatOrigin, roomId: RoomId) {
  const { commandPrefix } = yield* AppConfig
  const words = `Hello! This room is your chat ${codeSpan(title)}, opened with ${codeSpan(`${commandPrefix}new`)}. ` +
    `Write to me here and I will answer. Type ${codeSpan(`${commandPrefix}help`)} to see what else I can do.`
  const greeting = yield* statement(roomId, `new.${request}`, notice(words))
  yield* unlessRefused("room_not_greeted", roomId, Effect.asVoid((yield* MatrixMessages).send(greeting)))
})

const listInSpace = Effect.fnUntraced(function*(space: RoomId, room: RoomId) {
  if ((yield* (yield* MatrixRooms).view(space))?.children.has(room) === true) return
  yield* unlessRefused("room_not_listed", room, (yield* MatrixProvisioning).addToSpace(space, room))
})

/** The room is of use without it: what is refused for good, because somebody else changed the room, is told to the operator only. */
const unlessRefused = <R>(event: string, room: RoomId, step: Effect.Effect<void, MatrixFailure, R>) =>
  patiently(step).pipe(
    Effect.catchTag(
      "MatrixFailure",
      (failure) => Effect.logWarning(event).pipe(Effect.annotateLogs({ room, problem: failure.message }))
    )
  )

const isRefusal = ({ reason }: MatrixFailure): boolean => afterFailure(reason, 1)._tag === "Dead"

/** Again and again until it succeeds or is refused for good: after what the server asks for, or 1 s, 2 s, 4 s … 60 s. */
const patiently = <A, R>(
  attempt: Effect.Effect<A, MatrixFailure, R>,
  failures = 1
): Effect.Effect<A, MatrixFailure, R> =>
  Effect.catchTag(attempt, "MatrixFailure", (failure) => {
    const next = afterFailure(failure.reason, failures)
    return next._tag === "Dead"
      ? Effect.fail(failure)
      : Effect.andThen(Effect.sleep(next.after), patiently(attempt, failures + 1))
  })
