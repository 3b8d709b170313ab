import { Chat, cleanTitle, type DetachReason, foreignMarker } from "../Chat.ts"
import { type ChatSettings, readSettings } from "../ChatSettings.ts"
import type { ChatId, RoomId, UserId } from "../Ids.ts"
import type { Marker } from "../Marker.ts"
import type { Outcome } from "../Reconciliation.ts"
import type { ServerRoom } from "../ServerRoom.ts"
import { type Note, type Survey, survey } from "./Survey.ts"

/**
 * Compares the rooms on the server with the chats here and says what is to become of each, in the order of room and chat
 * ids. Total and pure: it depends on nothing but its input, and not on the order of that; deciding again after its outcomes
 * were carried out changes nothing more.
 *
 * The input is closed: a chat whose room is not among `rooms` has lost it. No two chats are bound to one room (the store sees
 * to it) and no id stands twice. `now` is in milliseconds since the epoch, and becomes the `boundAt` of a room that a chat
 * followed into.
 *
 * Who keeps what, when sides disagree: a local binding before any marker; among markers of one chat the oldest `bound_at`,
 * then the smaller room id. A chat follows an upgrade only into a room that neither shows nor claims another chat.
 */
export const decide = ({ account, chats, now, rooms }: {
  readonly account: UserId
  readonly rooms: ReadonlyArray<ServerRoom>
  readonly chats: ReadonlyArray<Chat>
  readonly now: number
}): ReadonlyArray<Outcome> => {
  const world = survey(account, rooms, chats)

  const bound = chats.flatMap((chat) => outcomeOfBinding(world, chat, now) ?? [])
  const settled = new Map(
    bound.flatMap((outcome) =>
      outcome._tag === "Skipped" || outcome.chatId === null ? [] : [[outcome.chatId, outcome.roomId]]
    )
  )

  const claimed = [...claimsByChat(world, new Set(bound.flatMap(roomsOf)))].flatMap(([chat, claims]) =>
    outcomesOfClaims(world, chat, settled.get(chat) ?? undefined, claims, now)
  )
  const restored = new Set(claimed.flatMap((outcome) => outcome._tag === "Restored" ? [outcome.chatId] : []))

  const roomless = chats.filter((chat) => !settled.has(chat.id) && !restored.has(chat.id)).map((chat) =>
    outcomeOfRoomless(world, chat)
  )

  const told = new Set([...bound, ...claimed, ...roomless].flatMap(roomsOf))
  const untold = rooms.filter((room) => !told.has(room.roomId)).map((room) => outcomeOfRoom(world, room))

  return [...bound, ...claimed, ...roomless, ...untold].toSorted(byRoomThenChat)
}

// --- chats that a room shows

/** What becomes of a chat whose binding holds or moves; undefined when the bot is no longer in its room. */
const outcomeOfBinding = (world: Survey, chat: Chat, now: number): Outcome | undefined => {
  const room = chat.binding === null ? undefined : world.rooms.get(chat.binding.roomId)
  if (room === undefined) return undefined
  const note = world.notes.get(room.roomId)
  const marker = note?._tag === "Ours" ? note.marker : undefined

  if (marker !== undefined && marker.chat_id !== chat.id) {
    return conflict(room, chat, marker, "one_room_two_chats")
  }
  if (marker !== undefined && marker.owner !== chat.owner) return conflict(room, chat, marker, "owner_disagrees")
  return outcomeOfUpgrade(world, chat, room, marker, now) ??
    (note === undefined ? undefined : outcomeOfComparison(chat, room, note))
}

const conflict = (
  room: ServerRoom,
  chat: Chat | null,
  marker: Marker,
  reason: Extract<Outcome, { readonly _tag: "Conflict" }>["reason"]
): Outcome => ({ _tag: "Conflict", roomId: room.roomId, chatId: chat && chat.id, claimed: marker.chat_id, reason })

/** The binding follows when this room leads to the end of its path, or when the room that leads there claims this very chat. */
const outcomeOfUpgrade = (
  world: Survey,
  chat: Chat,
  room: ServerRoom,
  marker: Marker | undefined,
  now: number
): Outcome | undefined => {
  const end = world.ends.get(room.roomId)
  const successor = end && world.rooms.get(end)
  const heir = end && world.heirs.get(end)
  if (successor === undefined || heir === undefined) return undefined
  const claim = heir === room.roomId ? undefined : claimOf(world, heir)
  if (heir !== room.roomId && (claim?.chat_id !== chat.id || claim.owner !== chat.owner)) return undefined
  return {
    _tag: "Moved",
    chatId: chat.id,
    fromRoomId: room.roomId,
    roomId: successor.roomId,
    chat: shownIn(world, successor, newer(newer(chat, marker), claim), now),
    reason: "room_upgraded"
  }
}

/** The marker of a room that shows no chat. */
const claimOf = (world: Survey, room: RoomId): Marker | undefined => {
  const note = world.notes.get(room)
  return note?._tag === "Ours" && !world.shownIn.has(room) ? note.marker : undefined
}

const outcomeOfComparison = (chat: Chat, room: ServerRoom, note: Note): Outcome => {
  const about = { chatId: chat.id, roomId: room.roomId }
  const marker = note._tag === "Ours" ? note.marker : undefined
  const marked = newer(chat, marker)
  const named = withNameSeen(marked, room)
  if (named !== chat) {
    const changed = new Chat({ ...chat, ...wordsOf(named), markerRevision: markerRevisionIn(note) })
    return { _tag: "Updated", ...about, chat: changed, reason: marked === chat ? "owner_name_changed" : "marker_newer" }
  }
  if (marker === undefined) {
    return { _tag: "Unchanged", ...about, reason: note._tag === "Foreign" ? "marker_not_ours" : "marker_missing" }
  }
  return { _tag: "Unchanged", ...about, reason: marker.revision < chat.revision ? "marker_behind" : "agrees" }
}

// --- rooms that claim a chat

type Claim = { readonly room: ServerRoom; readonly marker: Marker }

const claimsByChat = (world: Survey, told: ReadonlySet<RoomId>): ReadonlyMap<ChatId, ReadonlyArray<Claim>> => {
  const claims = new Map<ChatId, Array<Claim>>()
  for (const room of world.rooms.values()) {
    const marker = told.has(room.roomId) ? undefined : claimOf(world, room.roomId)
    if (marker === undefined) continue
    const others = claims.get(marker.chat_id)
    if (others === undefined) claims.set(marker.chat_id, [{ room, marker }])
    else others.push({ room, marker })
  }
  return claims
}

/** One outcome for each room that claims `id`, and one for the room that it is restored in. `shown` is where it is shown already. */
const outcomesOfClaims = (
  world: Survey,
  id: ChatId,
  shown: RoomId | undefined,
  claims: ReadonlyArray<Claim>,
  now: number
): ReadonlyArray<Outcome> => {
  const local = world.chats.get(id)
  const mayReturn = shown === undefined && local?.detached !== "requested"
  const winner = claims
    .filter(({ marker, room }) =>
      mayReturn && !world.outdated.has(room.roomId) && (local?.owner ?? marker.owner) === marker.owner
    )
    .toSorted(byAge)[0]
  const home = winner && homeOf(world, winner.room)
  const owner = local?.owner ?? winner?.marker.owner
  const shownAt = shown ?? home?.roomId

  const restored: ReadonlyArray<Outcome> = winner === undefined || home === undefined ? [] : [{
    _tag: "Restored",
    chatId: id,
    roomId: home.roomId,
    chat: restoredIn(world, home, winner, local, now),
    reason: local === undefined ? "no_local_chat" : local.binding === null ? "was_detached" : "bound_room_gone"
  }]
  const others = claims.filter(({ room }) => room !== home).map(({ marker, room }): Outcome => {
    const skipped = (reason: SkipReason): Outcome => ({ _tag: "Skipped", roomId: room.roomId, reason })
    if (world.outdated.has(room.roomId)) return skipped("upgraded")
    if (marker.owner !== owner) return conflict(room, null, marker, "owner_disagrees")
    if (shownAt === undefined) return skipped("detached_on_request")
    if (world.ends.get(room.roomId) === shownAt) return skipped("upgraded")
    return conflict(room, null, marker, "two_rooms_one_chat")
  })
  return [...restored, ...others]
}

const byAge = (a: Claim, b: Claim): number =>
  a.marker.bound_at - b.marker.bound_at || (a.room.roomId < b.room.roomId ? -1 : 1)

/** Where the chat of a marker is to be shown: in its own room, or in the one that replaced it. */
const homeOf = (world: Survey, room: ServerRoom): ServerRoom => {
  const end = world.ends.get(room.roomId)
  return end !== undefined && world.heirs.get(end) === room.roomId ? world.rooms.get(end) ?? room : room
}

const restoredIn = (
  world: Survey,
  home: ServerRoom,
  { marker, room }: Claim,
  local: Chat | undefined,
  now: number
): Chat => {
  const known = local ??
    { ...wordsOfMarker(marker), id: marker.chat_id, owner: marker.owner, createdAt: marker.created_at }
  return shownIn(world, home, newer(known, marker), home === room ? marker.bound_at : now)
}

// --- the rest

const outcomeOfRoomless = (world: Survey, chat: Chat): Outcome => {
  if (chat.binding === null) return { _tag: "Unchanged", chatId: chat.id, roomId: null, reason: "still_detached" }
  const { roomId } = chat.binding
  return { _tag: "Detached", chatId: chat.id, roomId, reason: absence(world.rooms.get(roomId)) }
}

const absence = (room: ServerRoom | undefined): DetachReason => {
  if (room === undefined) return "room_gone"
  // Whoever was invited again or knocks has left before.
  return room.membership === "kicked" || room.membership === "banned" ? room.membership : "left"
}

type SkipReason = Extract<Outcome, { readonly _tag: "Skipped" }>["reason"]

const outcomeOfRoom = (world: Survey, room: ServerRoom): Outcome => ({
  _tag: "Skipped",
  roomId: room.roomId,
  reason: skipReason(world, room)
})

const skipReason = (world: Survey, room: ServerRoom): SkipReason => {
  if (room.membership === "invite") return "pending_invite"
  if (room.membership !== "join") return "not_joined"
  if (room.isSpace) return "space"
  const note = world.notes.get(room.roomId)
  const reason = note === undefined || note._tag === "Ours" ? "no_marker" : note.reason
  return reason === "no_marker" && world.ends.has(room.roomId) ? "upgraded" : reason
}

const roomsOf = (outcome: Outcome): ReadonlyArray<RoomId> => {
  if (outcome._tag === "Moved") return [outcome.fromRoomId, outcome.roomId]
  return outcome.roomId === null ? [] : [outcome.roomId]
}

/** Chats without a room come last. */
const byRoomThenChat = (a: Outcome, b: Outcome): number => {
  const [roomA, roomB] = [a.roomId ?? "~", b.roomId ?? "~"]
  if (roomA !== roomB) return roomA < roomB ? -1 : 1
  return chatOf(a) < chatOf(b) ? -1 : 1
}

const chatOf = (outcome: Outcome): string => (outcome._tag === "Skipped" ? undefined : outcome.chatId) ?? ""

// --- what a chat says of itself

/** What counts in a revision. */
interface Words {
  readonly ownerName: string
  readonly title: string
  readonly archived: boolean
  readonly settings: ChatSettings
  readonly revision: number
}

/** What is known of a chat without its room. */
interface Known extends Words {
  readonly id: ChatId
  readonly owner: UserId
  readonly createdAt: number
}

const wordsOf = ({ archived, ownerName, revision, settings, title }: Words): Words => ({
  archived,
  ownerName,
  revision,
  settings,
  title
})

const wordsOfMarker = ({ archived, owner_name, revision, settings, title }: Marker): Words => ({
  archived,
  ownerName: owner_name,
  // Chats begin with the first revision, also those of rooms that have no marker yet.
  revision: Math.max(1, revision),
  settings: readSettings(settings),
  title
})

/** The same object unless the marker's revision is newer. */
const newer = <A extends Words>(known: A, marker: Marker | undefined): A =>
  marker === undefined || marker.revision <= known.revision ? known : { ...known, ...wordsOfMarker(marker) }

/** The same object unless the room shows another name of the owner: then a new revision, so that the marker learns it. */
const withNameSeen = <A extends Known>(known: A, room: ServerRoom): A => {
  const member = room.members.get(known.owner)
  // What an invite says of a person's name was written by whoever invited.
  const name = member?.membership === "join" ? cleanTitle(member.displayName ?? "") : ""
  return name === "" || name === known.ownerName ? known : { ...known, ownerName: name, revision: known.revision + 1 }
}

/** Nothing is ever shown in a room whose marker claims another chat: a marker of ours is the one of the chat. */
const markerRevisionIn = (note: Note | undefined): number => {
  if (note?._tag === "Foreign") return foreignMarker
  return note?._tag === "Ours" ? note.marker.revision : 0
}

/** The chat as it is to be shown in `room` from now on. */
const shownIn = (world: Survey, room: ServerRoom, known: Known, boundAt: number): Chat => {
  const named = withNameSeen(known, room)
  return new Chat({
    ...wordsOf(named),
    id: known.id,
    owner: known.owner,
    createdAt: known.createdAt,
    binding: { roomId: room.roomId, boundAt },
    detached: null,
    markerRevision: markerRevisionIn(world.notes.get(room.roomId))
  })
}
