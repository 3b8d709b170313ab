import { Chat, cleanTitle, foreignMarker } from "../Chat.ts"
import { type ChatSettings, readSettings } from "../ChatSettings.ts"
import type { ChatId, UserId } from "../Ids.ts"
import type { Marker } from "../Marker.ts"
import type { ServerRoom } from "../ServerRoom.ts"
import type { Note } from "./Survey.ts"

/** What a chat says of itself, and what counts in a revision: all but `roomName`. */
export interface Words {
  readonly ownerName: string
  readonly title: string
  readonly archived: boolean
  readonly settings: ChatSettings
  readonly revision: number
  readonly roomName: string | null
}

/** What is known of a chat without its room. */
export interface Known extends Words {
  readonly id: ChatId
  readonly owner: UserId
  readonly createdAt: number
}

export const wordsOf = ({ archived, ownerName, revision, roomName, settings, title }: Words): Words => ({
  archived,
  ownerName,
  revision,
  roomName,
  settings,
  title
})

const wordsOfMarker = ({ archived, owner_name, revision, room_name, settings, title }: Marker): Words => ({
  archived,
  ownerName: owner_name,
  // Chats begin with the first revision, also those of rooms that have no marker yet.
  revision: Math.max(1, revision),
  roomName: room_name ?? null,
  settings: readSettings(settings),
  title
})

/** The chat of a marker, of which nothing is known here. */
export const knownFrom = (marker: Marker): Known => ({
  ...wordsOfMarker(marker),
  id: marker.chat_id,
  owner: marker.owner,
  createdAt: marker.created_at
})

/** The same object unless the marker's revision is newer. */
export const newer = <A extends Words>(known: A, marker: Marker | undefined): A =>
  marker === undefined || marker.revision <= known.revision
    ? known
    : { ...known, ...wordsOfMarker(marker), roomName: marker.room_name ?? known.roomName }

/**
 * The same object unless the room shows another name of the owner, or is called otherwise than when that was last seen: then a new
 * revision, so that the marker learns it. The first sight of a room's name only notes it, as does one that is the title already: a
 * title that somebody gave stands as long as nobody renames the room.
 */
export const withNamesSeen = <A extends Known>(known: A, room: ServerRoom): A => {
  const ownerName = ownerNameIn(room, known.owner) || known.ownerName
  const roomName = cleanTitle(room.name ?? "") || known.roomName
  const renamed = roomName !== null && known.roomName !== null && roomName !== known.roomName
  const title = renamed ? roomName : known.title
  if (ownerName === known.ownerName && title === known.title) {
    return roomName === known.roomName ? known : { ...known, roomName }
  }
  return { ...known, ownerName, title, roomName, revision: known.revision + 1 }
}

const ownerNameIn = (room: ServerRoom, owner: UserId): string => {
  const member = room.members.get(owner)
  // What an invite says of a person's name was written by whoever invited.
  return member?.membership === "join" ? cleanTitle(member.displayName ?? "") : ""
}

/** Nothing is ever shown in a room whose marker claims another chat: a marker of ours is the one of the chat. */
export const markerRevisionIn = (note: Note | undefined): number => {
  if (note?._tag === "Foreign") return foreignMarker
  return note?._tag === "Ours" ? note.marker.revision : 0
}

/** The chat as it is to be shown in `room`, which `note` is of, from now on. */
export const shownIn = (room: ServerRoom, note: Note | undefined, known: Known, boundAt: number): Chat => {
  const named = withNamesSeen(known, room)
  return new Chat({
    ...wordsOf(named),
    id: named.id,
    owner: named.owner,
    createdAt: named.createdAt,
    binding: { roomId: room.roomId, boundAt },
    detached: null,
    markerRevision: markerRevisionIn(note)
    // What it is made of was decoded before: to check all of it again costs more than all the rest of the decision.
  }, { disableChecks: true })
}
