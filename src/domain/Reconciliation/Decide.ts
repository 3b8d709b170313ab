import { Chat, type DetachReason } from "../Chat.ts"
import type { ChatId, RoomId, UserId } from "../Ids.ts"
import type { Marker } from "../Marker.ts"
import type { Outcome } from "../Reconciliation.ts"
import type { ServerRoom } from "../ServerRoom.ts"
import { formerHomes } from "./FormerHomes.ts"
import { type Note, type Survey, survey } from "./Survey.ts"
import { knownFrom, markerRevisionIn, newer, shownIn, withNamesSeen, wordsOf } from "./Words.ts"

/**
 * Compares the rooms on the server with the chats here and says what is to become of each, in the order of room and chat
 * ids. Total and pure: it depends on nothing but its input, and not on the order of that; deciding again after its outcomes
 * were carried out changes nothing more.
 *
 * The input is closed: a chat whose room is not among `rooms` has lost it. No two chats are bound to one room (the store sees
 * to it) and no id stands twice. `now` is in milliseconds since the epoch, and becomes the `boundAt` of a room that a chat
 * followed into.
 *
 * Who keeps what, when sides disagree: a local binding before any marker; among markers of one chat the newest revision, for a chat that
 * was taken to another room got a new one there; then the oldest `bound_at`, then the smaller room id. A chat follows an upgrade only
 * into a room that neither shows nor claims another chat.
 */
export const decide = ({ account, chats, deleted = new Set(), now, rooms }: {
  readonly account: UserId
  readonly rooms: ReadonlyArray<ServerRoom>
  readonly chats: ReadonlyArray<Chat>
  /** Chats that were deleted for good: whatever names one of them speaks for nobody. */
  readonly deleted?: ReadonlySet<ChatId>
  readonly now: number
}): ReadonlyArray<Outcome> => {
  const world = survey(account, rooms, chats, deleted)

  const bound = chats.flatMap((chat) => outcomeOfBinding(world, chat, now) ?? [])
  const settled = new Map(
    bound.flatMap((outcome) =>
      outcome._tag === "Skipped" || outcome.chatId === null || outcome.roomId === null
        ? []
        : [[outcome.chatId, placeAfter(world, outcome.chatId, outcome.roomId, outcome)]]
    )
  )

  const claimed = [...claimsByChat(world, new Set(bound.flatMap(roomsOf)))].flatMap(([chat, claims]) =>
    outcomesOfClaims(world, chat, settled.get(chat), claims, now)
  )
  const restored = new Set(claimed.flatMap((outcome) => outcome._tag === "Restored" ? [outcome.chatId] : []))

  const left = chats.filter((chat) => !settled.has(chat.id) && !restored.has(chat.id))
  const homes = formerHomes(world, left, new Set([...bound, ...claimed].flatMap(roomsOf)))
  const roomless = left.map((chat) => outcomeOfRoomless(world, chat, homes, now))

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

/** Where a chat is shown once an outcome is carried out, and in which revision. */
interface Place {
  readonly roomId: RoomId
  readonly revision: number
}

const placeAfter = (world: Survey, id: ChatId, roomId: RoomId, outcome: Outcome): Place => ({
  roomId,
  revision: ("chat" in outcome ? outcome.chat : world.chats.get(id))?.revision ?? 0
})

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
    chat: shownIn(successor, world.notes.get(successor.roomId), newer(newer(chat, marker), claim), now),
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
  const named = withNamesSeen(marked, room)
  if (named.revision !== chat.revision) {
    const changed = new Chat({ ...chat, ...wordsOf(named), markerRevision: markerRevisionIn(note) })
    const seen = named.title === marked.title ? "owner_name_changed" : "room_renamed"
    return { _tag: "Updated", ...about, chat: changed, reason: marked === chat ? seen : "marker_newer" }
  }
  const noted = named.roomName === null || named.roomName === chat.roomName ? {} : { roomName: named.roomName }
  return { _tag: "Unchanged", ...about, ...noted, reason: agreement(chat, note) }
}

const agreement = (chat: Chat, note: Note): Extract<Outcome, { readonly _tag: "Unchanged" }>["reason"] => {
  if (note._tag !== "Ours") return note._tag === "Foreign" ? "marker_not_ours" : "marker_missing"
  return note.marker.revision < chat.revision ? "marker_behind" : "agrees"
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

/** One outcome for each room that claims `id`, and one for the room that it is restored in. `shown`: it is shown there already. */
const outcomesOfClaims = (
  world: Survey,
  id: ChatId,
  shown: Place | undefined,
  claims: ReadonlyArray<Claim>,
  now: number
): ReadonlyArray<Outcome> => {
  const local = world.chats.get(id)
  const winner = shown === undefined
    ? claims
      .filter(({ marker, room }) =>
        !world.outdated.has(room.roomId) && (local?.owner ?? marker.owner) === marker.owner &&
        !isStale(world, marker, local)
      )
      .toSorted(byPrecedence)[0]
    : undefined
  const home = winner && homeOf(world, winner.room)
  const owner = local?.owner ?? winner?.marker.owner

  const restored: ReadonlyArray<Extract<Outcome, { readonly _tag: "Restored" }>> =
    winner === undefined || home === undefined ? [] : [{
      _tag: "Restored",
      chatId: id,
      roomId: home.roomId,
      chat: restoredIn(world, home, winner, local, now),
      reason: local === undefined ? "no_local_chat" : local.binding === null ? "was_detached" : "bound_room_gone"
    }]
  const place = shown ??
    restored.map(({ chat, roomId }): Place => ({ roomId, revision: chat.revision }))[0]
  const revision = place?.revision ?? local?.revision ?? 0
  const others = claims.filter(({ room }) => room !== home).map(({ marker, room }): Outcome => {
    const skipped = (reason: SkipReason): Outcome => ({ _tag: "Skipped", roomId: room.roomId, reason })
    if (world.outdated.has(room.roomId)) return skipped("upgraded")
    if (marker.owner !== owner) return conflict(room, null, marker, "owner_disagrees")
    if (place !== undefined && world.ends.get(room.roomId) === place.roomId) return skipped("upgraded")
    if (marker.revision < revision) return skipped("shown_elsewhere")
    return conflict(room, null, marker, "two_rooms_one_chat")
  })
  return [...restored, ...others]
}

/** The chat was taken to another room, in a newer revision, and has lost that since: the marker that it left behind does not get it back. */
const isStale = (world: Survey, marker: Marker, local: Chat | undefined): boolean => {
  const last = local === undefined ? null : local.binding?.roomId ?? local.formerRoom
  if (local === undefined || last === null || marker.revision >= local.revision) return false
  return last !== marker.room_id && last !== world.ends.get(marker.room_id)
}

const byPrecedence = (a: Claim, b: Claim): number =>
  b.marker.revision - a.marker.revision || a.marker.bound_at - b.marker.bound_at ||
  (a.room.roomId < b.room.roomId ? -1 : 1)

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
  const known = newer(local ?? knownFrom(marker), marker)
  const boundAt = home === room ? marker.bound_at : now
  // What the room was called when it showed the chat stands in its marker: the chat may have been elsewhere since.
  return shownIn(
    home,
    world.notes.get(home.roomId),
    { ...known, roomName: marker.room_name ?? known.roomName },
    boundAt
  )
}

// --- the rest

const outcomeOfRoomless = (
  world: Survey,
  chat: Chat,
  homes: ReadonlyMap<ChatId, ServerRoom>,
  now: number
): Outcome => {
  const home = homes.get(chat.id)
  if (home !== undefined) {
    const back = shownIn(home, world.notes.get(home.roomId), chat, now)
    return { _tag: "Restored", chatId: chat.id, roomId: home.roomId, chat: back, reason: "was_detached" }
  }
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
