import { Arbitrary, Schema } from "effect"
import { Chat } from "../../../src/domain/Chat.ts"
import { ChatId, EventId, RoomId, UserId } from "../../../src/domain/Ids.ts"
import { type Marker, markerVersion } from "../../../src/domain/Marker.ts"
import type { OwnMembership, RoomMember, ServerRoom } from "../../../src/domain/ServerRoom.ts"

export const bot = UserId.make("@bot:example.org")
export const otherBot = UserId.make("@other:example.org")
export const ann = UserId.make("@ann:example.org")
export const bob = UserId.make("@bob:example.org")

export const roomId = (name: string) => RoomId.make(`!${name}:example.org`)
export const chatId = (name: string) => ChatId.make(name)

/** A joined room without anything. `name` is the local part of its id. */
export const room = (name: string, options: Partial<Omit<ServerRoom, "roomId">> = {}): ServerRoom => ({
  roomId: roomId(name),
  membership: "join",
  isSpace: false,
  name: undefined,
  encrypted: false,
  marker: undefined,
  tombstone: undefined,
  predecessor: undefined,
  origin: undefined,
  children: new Set(),
  listed: new Set(),
  members: new Map(),
  ...options
})

export const marker = (room: string, chat: string, options: Partial<Marker> = {}): Marker => ({
  version: markerVersion,
  account: bot,
  chat_id: chatId(chat),
  room_id: roomId(room),
  owner: ann,
  owner_name: "Ann",
  title: "From the marker",
  archived: false,
  revision: 1,
  created_at: 100,
  bound_at: 200,
  ...options
})

/** A chat of Ann, in room `where`, whose marker is written. */
export const chat = (
  id: string,
  where: string | null,
  options: Partial<Omit<ConstructorParameters<typeof Chat>[0], "id">> = {}
): Chat =>
  new Chat({
    id: chatId(id),
    owner: ann,
    ownerName: "Ann",
    title: "From the database",
    archived: false,
    revision: 1,
    createdAt: 100,
    binding: where === null ? null : { roomId: roomId(where), boundAt: 200 },
    detached: where === null ? "left" : null,
    markerRevision: 1,
    ...options
  })

export const tombstone = (successor: string, permitted = true): NonNullable<ServerRoom["tombstone"]> => ({
  successor: roomId(successor),
  sender: bob,
  permitted,
  maySpeak: true
})

export const named = (user: UserId, displayName: string, membership: RoomMember["membership"] = "join") =>
  new Map<UserId, RoomMember>([[user, { membership, displayName }]])

// --- worlds of any shape, out of a few ids, so that everything collides with everything

/** Each of `values` as often as it stands there. */
export const oneOf = <const A extends ReadonlyArray<unknown>>(...values: A): Arbitrary.Arbitrary<A[number]> =>
  Arbitrary.schema(Schema.Literals(values.map((_, index) => index))).pipe(Arbitrary.map((index) => values[index]))

const roomNames = ["r1", "r2", "r3", "r4", "r5", "r6"] as const
const chatNames = ["c1", "c2", "c3", "c4"] as const
const aRoom = oneOf(...roomNames)
const aChat = oneOf(...chatNames)
const anOwner = oneOf(ann, ann, ann, bob)
const aRevision = oneOf(1, 2, 3)
const aName = oneOf("Ann", "Ann", "Ann", "Annie", " \u202e")

/** Values that no marker should hold, and that JSON can. Built when they are asked for, as some are large. */
export const hostileJson: Arbitrary.Arbitrary<() => unknown> = Arbitrary.all([
  oneOf(null, true, "", "text", -1, 1.5, [], {}, [null], { version: 1 }, { version: "1" }, { version: -1 }),
  oneOf("plain", "deep", "wide", "number", "prototype", "long")
]).pipe(Arbitrary.map(([json, kind]) => (): unknown => {
  switch (kind) {
    case "plain":
      return json
    case "deep":
      return Array.from({ length: 2000 }).reduce((inner) => [inner], json)
    case "wide":
      return Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`k${index}`, json]))
    case "number":
      return -0.5e300
    case "prototype":
      return JSON.parse(`{"__proto__": {"version": 1}, "constructor": null, "toString": 1}`)
    case "long":
      return "\u{1f98a}\u0000".repeat(5000)
  }
}))

const markerFields = Object.keys(marker("r1", "c1"))

const aMarker = Arbitrary.all({
  kind: oneOf("ours", "ours", "ours", "ours", "ours", "none", "account", "room", "version", "hostile", "broken"),
  chat: aChat,
  room: aRoom,
  field: oneOf(...markerFields),
  hostile: hostileJson,
  options: Arbitrary.all({
    owner: anOwner,
    owner_name: oneOf("Ann", "Ann of old"),
    title: oneOf("One", "Two"),
    archived: oneOf(true, false),
    settings: oneOf({}, { backlog: "skip" }, { backlog: "digest", colour: "blue" }, null, [7], { members: 7 }),
    revision: oneOf(1, 2, 3, 2_147_483_646),
    room_name: oneOf("One", "Three"),
    bound_at: oneOf(1, 2, 3)
  })
}).pipe(Arbitrary.map(({ chat, field, hostile, kind, options, room }) => (own: string): unknown => {
  switch (kind) {
    case "ours":
      return marker(own, chat, options)
    case "none":
      return undefined
    case "account":
      return marker(own, chat, { ...options, account: otherBot })
    case "room":
      return marker(room, chat, options)
    case "version":
      return { ...marker(own, chat, options), version: 2 }
    case "hostile":
      return hostile()
    case "broken":
      return { ...marker(own, chat, options), [field]: hostile() }
  }
}))

/** What a room was made for counts where no marker ever stood. */
const anOrigin = Arbitrary.all({
  made: oneOf(true, true, false),
  chat: aChat,
  owner: anOwner,
  created_at: oneOf(1, 2, 3)
}).pipe(
  Arbitrary.map(({ chat, made, ...about }): ServerRoom["origin"] =>
    made
      ? {
        ...about,
        version: 1,
        kind: "chat",
        request: EventId.make(`$${chat}`),
        chat_id: chatId(chat),
        owner_name: "Ann",
        title: "Made"
      }
      : undefined
  )
)

const memberships: ReadonlyArray<OwnMembership> = [
  "join",
  "join",
  "join",
  "join",
  "join",
  "join",
  "left",
  "kicked",
  "banned",
  "invite",
  "knock"
]

const aServerRoom = Arbitrary.all({
  known: oneOf(true, true, true, true, false),
  membership: oneOf(...memberships),
  isSpace: oneOf(false, false, false, false, false, false, false, true),
  marker: aMarker,
  origin: anOrigin,
  successor: oneOf(undefined, ...roomNames),
  permitted: oneOf(true, true, true, false),
  honest: oneOf(true, true, true, false),
  name: oneOf(undefined, undefined, "One", "Three", " \u202e"),
  ownerName: oneOf(undefined, undefined, "Ann", "Annie", "\u0007"),
  ownerMembership: oneOf("join", "join", "invite")
})

const aLocalChat = Arbitrary.all({
  known: oneOf(true, true, true, false),
  owner: anOwner,
  ownerName: aName,
  title: oneOf("One", "Three"),
  revision: aRevision,
  markerRevision: oneOf(0, 1, 2, 3),
  where: oneOf(...roomNames, ...roomNames, "gone", null, null),
  boundAt: oneOf(1, 2, 3),
  detached: oneOf("left", "kicked", "banned", "room_gone", "moved_away"),
  roomName: oneOf(null, "", "One", "Three"),
  former: oneOf(null, null, ...roomNames, "gone"),
  fresh: oneOf(true, false)
})

export interface World {
  readonly account: UserId
  readonly rooms: ReadonlyArray<ServerRoom>
  readonly chats: ReadonlyArray<Chat>
  readonly deleted: ReadonlySet<ChatId>
  readonly now: number
}

/** Worlds that keep what the store keeps: unique ids, and one chat a room. */
export const worlds: Arbitrary.Arbitrary<World> = Arbitrary.all({
  rooms: Arbitrary.all([aServerRoom, aServerRoom, aServerRoom, aServerRoom, aServerRoom, aServerRoom]),
  chats: Arbitrary.all([aLocalChat, aLocalChat, aLocalChat, aLocalChat]),
  deletion: Arbitrary.all({ chat: aChat, happened: oneOf(false, false, true) })
}).pipe(Arbitrary.map(({ chats, deletion, rooms }) => {
  const predecessors = new Map<string, RoomId>()
  rooms.forEach(({ honest, successor }, index) => {
    if (honest && successor !== undefined) predecessors.set(successor, roomId(`r${index + 1}`))
  })
  const taken = new Set<string | null>([null])
  return {
    account: bot,
    now: 5000,
    deleted: new Set(deletion.happened ? [chatId(deletion.chat)] : []),
    rooms: rooms.flatMap((seed, index) => {
      const name = `r${index + 1}`
      const owner = { displayName: seed.ownerName, membership: seed.ownerMembership }
      return seed.known
        ? [room(name, {
          membership: seed.membership,
          name: seed.name,
          isSpace: seed.isSpace,
          marker: seed.marker(name),
          origin: seed.origin,
          tombstone: seed.successor === undefined ? undefined : tombstone(seed.successor, seed.permitted),
          predecessor: predecessors.get(name),
          members: new Map<UserId, RoomMember>([[ann, owner], [bob, owner]])
        })]
        : []
    }),
    chats: chats.flatMap(({ boundAt, detached, former, known, where, ...options }, index) => {
      if (!known || (deletion.happened && deletion.chat === `c${index + 1}`)) return []
      const free = where !== null && !taken.has(where)
      if (free) taken.add(where)
      return [chat(`c${index + 1}`, null, {
        ...options,
        binding: free ? { roomId: roomId(where), boundAt } : null,
        detached: free ? null : detached,
        formerRoom: former === null ? null : roomId(former)
      })]
    })
  }
}))
