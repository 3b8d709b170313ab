import type { Chat } from "../Chat.ts"
import type { ChatId, RoomId, UserId } from "../Ids.ts"
import { type Marker, readMarker } from "../Marker.ts"
import { birthMarker } from "../Origin.ts"
import type { ServerRoom } from "../ServerRoom.ts"
import { upgradePaths } from "./Upgrades.ts"

/** What the marker of a room is worth to this account. */
export type Note =
  | { readonly _tag: "Ours"; readonly marker: Marker }
  /** There is none, or none that means anything here: it may be written. */
  | {
    readonly _tag: "None"
    readonly reason: "no_marker" | "malformed_marker" | "marker_of_another_room" | "chat_deleted"
  }
  /** Somebody else's, and never to be overwritten. */
  | { readonly _tag: "Foreign"; readonly reason: "marker_of_another_account" | "newer_marker_version" }

const noteOf = (account: UserId, room: ServerRoom, deleted: ReadonlySet<ChatId>): Note => {
  const note = noteThere(account, room)
  return note._tag === "Ours" && deleted.has(note.marker.chat_id) ? { _tag: "None", reason: "chat_deleted" } : note
}

const noteThere = (account: UserId, room: ServerRoom): Note => {
  const reading = readMarker(room.marker)
  switch (reading._tag) {
    case "NoMarker":
      // An empty marker was taken away; where there never was one, what the room was made for speaks.
      return room.marker === undefined && room.origin?.kind === "chat"
        ? { _tag: "Ours", marker: birthMarker(account, room.roomId, room.origin) }
        : { _tag: "None", reason: "no_marker" }
    case "Malformed":
      return { _tag: "None", reason: "malformed_marker" }
    case "NewerVersion":
      return { _tag: "Foreign", reason: "newer_marker_version" }
    case "Valid":
      if (reading.marker.account !== account) return { _tag: "Foreign", reason: "marker_of_another_account" }
      if (reading.marker.room_id !== room.roomId) return { _tag: "None", reason: "marker_of_another_room" }
      return { _tag: "Ours", marker: reading.marker }
  }
}

/** The chat that a room claims to show: by its marker, or where there never was one by what it was made for. */
export const chatClaimedBy = (account: UserId, room: ServerRoom): ChatId | undefined => {
  const note = noteThere(account, room)
  return note._tag === "Ours" ? note.marker.chat_id : undefined
}

/** Both sides, indexed: everything that the decision asks for, in constant time. */
export interface Survey {
  readonly rooms: ReadonlyMap<RoomId, ServerRoom>
  readonly chats: ReadonlyMap<ChatId, Chat>
  /** The chat that a room shows, as far as is known here. */
  readonly shownIn: ReadonlyMap<RoomId, Chat>
  /** The markers of joined rooms. Those of other rooms have no say. */
  readonly notes: ReadonlyMap<RoomId, Note>
  /** The last successor of a room that was upgraded. */
  readonly ends: ReadonlyMap<RoomId, RoomId>
  /** By the end of a path: the newest room of the path that shows a chat or claims one. It alone may lead to the end. */
  readonly heirs: ReadonlyMap<RoomId, RoomId>
  /** Old rooms whose chat a newer room of their path shows or claims too. */
  readonly outdated: ReadonlySet<RoomId>
}

/** Looks at everything once. */
export const survey = (
  account: UserId,
  serverRooms: ReadonlyArray<ServerRoom>,
  localChats: ReadonlyArray<Chat>,
  deleted: ReadonlySet<ChatId>
): Survey => {
  const rooms = new Map(serverRooms.map((room) => [room.roomId, room]))
  const chats = new Map(localChats.map((chat) => [chat.id, chat]))
  const shownIn = new Map<RoomId, Chat>()
  for (const chat of localChats) if (chat.binding !== null) shownIn.set(chat.binding.roomId, chat)

  const notes = new Map<RoomId, Note>()
  for (const room of rooms.values()) {
    // A Space shows no chat, but what is bound to one by mistake is still compared.
    if (room.membership !== "join" || (room.isSpace && !shownIn.has(room.roomId))) continue
    notes.set(room.roomId, noteOf(account, room, deleted))
  }

  const ends = new Map<RoomId, RoomId>()
  const heirs = new Map<RoomId, RoomId>()
  const outdated = new Set<RoomId>()
  for (const path of upgradePaths(rooms)) {
    const end = path[0]
    if (end === undefined) continue
    const seen = new Set<ChatId>()
    for (const room of path) {
      if (room !== end) ends.set(room, end)
      const note = notes.get(room)
      const shown = shownIn.get(room)
      const chat = shown?.id ?? (note?._tag === "Ours" ? note.marker.chat_id : undefined)
      if (chat === undefined) continue
      if (!heirs.has(end)) heirs.set(end, room)
      if (seen.has(chat)) outdated.add(room)
      seen.add(chat)
    }
  }
  return { rooms, chats, shownIn, notes, ends, heirs, outdated }
}
