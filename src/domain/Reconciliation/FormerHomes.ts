import type { Chat } from "../Chat.ts"
import type { ChatId, RoomId } from "../Ids.ts"
import type { ServerRoom } from "../ServerRoom.ts"
import type { Survey } from "./Survey.ts"

/** Rooms that the bot is in again and that lost their marker, by the chat without a room that each showed last. `told`: they have another fate. */
export const formerHomes = (
  world: Survey,
  chats: ReadonlyArray<Chat>,
  told: ReadonlySet<RoomId>
): ReadonlyMap<ChatId, ServerRoom> => {
  const free = (roomId: RoomId | null): ServerRoom | undefined => {
    const note = roomId === null || told.has(roomId) || world.ends.has(roomId) ? undefined : world.notes.get(roomId)
    return roomId !== null && note?._tag === "None" && note.reason === "no_marker" ? world.rooms.get(roomId) : undefined
  }
  const homes = new Map<RoomId, readonly [Chat, ServerRoom]>()
  for (const chat of chats) {
    const room = chat.binding === null ? free(chat.formerRoom) : undefined
    const rival = room && homes.get(room.roomId)?.[0]
    if (room !== undefined && (rival === undefined || isYounger(chat, rival))) homes.set(room.roomId, [chat, room])
  }
  return new Map(Array.from(homes.values(), ([chat, room]) => [chat.id, room]))
}

const isYounger = (a: Chat, b: Chat): boolean => (a.createdAt - b.createdAt || (a.id < b.id ? 1 : -1)) > 0
