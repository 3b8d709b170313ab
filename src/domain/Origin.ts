import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { maximumTitleLength } from "./Chat.ts"
import { ChatId, EventId, type RoomId, UserId } from "./Ids.ts"
import { type Marker, markerVersion } from "./Marker.ts"
import { endOf } from "./Reconciliation/Upgrades.ts"
import type { ServerRoom } from "./ServerRoom.ts"

/**
 * The key of the create event's content (`creation_content`) under which a room that the bot made says what for. It is there from the
 * room's first moment on and never changes: whoever asked for the room and never heard the answer finds it again by this.
 */
export const originType = "dev.homing.origin"

const Title = Schema.String.pipe(Schema.check(Schema.isMaxLength(maximumTitleLength)))

const common = {
  version: Schema.Literal(1),
  owner: UserId,
  /** Milliseconds since the epoch at which it was asked for. */
  created_at: Schema.Finite
}

/** The Space that lists the chats of `owner`: one for each. */
export const SpaceOrigin = Schema.Struct({ ...common, kind: Schema.Literal("space") })
export type SpaceOrigin = typeof SpaceOrigin.Type

/** A room for a new chat. */
export const ChatOrigin = Schema.Struct({
  ...common,
  kind: Schema.Literal("chat"),
  /** The message that asked for it: one room for each. */
  request: EventId,
  chat_id: ChatId,
  owner_name: Title,
  title: Title
})
export type ChatOrigin = typeof ChatOrigin.Type

/** What a room was made for: stored before it is asked for, and then in the room. */
export const Origin = Schema.Union([SpaceOrigin, ChatOrigin])
export type Origin = typeof Origin.Type

const decode = Schema.decodeUnknownOption(Origin)

/** Reads what a create event says under `originType`; undefined when that is nothing, or of a version that is not known here. */
export const readOrigin = (content: unknown): Origin | undefined =>
  content === undefined ? undefined : Option.getOrUndefined(decode(content))

/** The name of a request: there is to be one room for each. */
export const requestKey = (origin: Origin): string => origin.kind === "space" ? `space:${origin.owner}` : origin.request

/**
 * What a room that was made for a chat says as long as no marker stands in it: less than any marker (revision 0), so that
 * the chat is known and its marker still wants to be written.
 */
export const birthMarker = (account: UserId, roomId: RoomId, origin: ChatOrigin): Marker => ({
  version: markerVersion,
  account,
  chat_id: origin.chat_id,
  room_id: roomId,
  owner: origin.owner,
  owner_name: origin.owner_name,
  title: origin.title,
  archived: false,
  revision: 0,
  created_at: origin.created_at,
  bound_at: origin.created_at,
  room_name: origin.title
})

// --- which of the rooms are whose

/** A room that the bot made for a chat and is in. */
export interface ChatRoom extends ServerRoom {
  readonly origin: ChatOrigin
}

const isChatRoom = (room: ServerRoom): room is ChatRoom => room.membership === "join" && room.origin?.kind === "chat"

/**
 * The room that was made for a request, of those that the bot is in. Two can only be there when a homeserver took minutes to create the
 * first: then the one with more in it, else the smaller id.
 */
export const roomOfRequest = (rooms: ReadonlyArray<ServerRoom>, key: string): ServerRoom | undefined =>
  rooms.filter(({ membership, origin }) => membership === "join" && origin !== undefined && requestKey(origin) === key)
    .toSorted(byContent)[0]

const byContent = (a: ServerRoom, b: ServerRoom): number =>
  b.children.size - a.children.size ||
  Number(a.marker === undefined) - Number(b.marker === undefined) ||
  (a.roomId < b.roomId ? -1 : 1)

/** The Spaces that the bot made and is in, and what each was replaced by, which does not say itself whose it is. */
export const ownSpaces = (
  rooms: ReadonlyMap<RoomId, ServerRoom>
): ReadonlyArray<{ readonly made: ServerRoom; readonly origin: SpaceOrigin; readonly now: ServerRoom }> =>
  [...rooms.values()].flatMap((made) =>
    made.membership === "join" && made.origin?.kind === "space"
      ? [{ made, origin: made.origin, now: endOf(rooms, made) }]
      : []
  )

/** The Spaces of the bot that list a room now, also those that were replaced. */
export const spacesListing = (rooms: ReadonlyArray<ServerRoom>, room: RoomId): ReadonlyArray<RoomId> => {
  const spaces = ownSpaces(new Map(rooms.map((room) => [room.roomId, room]))).flatMap(({ made, now }) => [made, now])
  return [...new Set(spaces.filter(({ listed }) => listed.has(room)).map(({ roomId }) => roomId))]
}

/**
 * What making rooms left open: rooms that their owner's Space does not list, which is the last step; and Spaces that were made
 * twice and list nothing. Where the bot is in no Space of the owner it was sent away, and nothing is open.
 */
export const leftOpen = (rooms: ReadonlyArray<ServerRoom>): {
  readonly unlisted: ReadonlyArray<ChatRoom>
  readonly surplusSpaces: ReadonlyArray<ServerRoom>
} => {
  const spaces = ownSpaces(new Map(rooms.map((room) => [room.roomId, room])))
  const owners = new Set(spaces.map(({ origin }) => origin.owner))
  const listed = new Set(spaces.flatMap(({ made, now }) => [...made.children, ...now.children]))
  return {
    unlisted: rooms.filter(isChatRoom).filter(({ origin, roomId, tombstone }) =>
      owners.has(origin.owner) && !listed.has(roomId) && tombstone === undefined
    ),
    surplusSpaces: spaces.flatMap(({ made, origin }) =>
      made.children.size === 0 && made.tombstone === undefined && roomOfRequest(rooms, requestKey(origin)) !== made
        ? [made]
        : []
    )
  }
}
