import type { RoomId } from "../Ids.ts"
import type { ServerRoom } from "../ServerRoom.ts"

/** Rooms that replaced one another, the newest first. At least two; the bot is in all of them but perhaps the last. */
export type UpgradePath = ReadonlyArray<RoomId>

/**
 * Every chain of upgrades that may be followed (Client-Server API, "Room Upgrades"). One step leads from a room to its
 * successor when the sender of the tombstone had the power for it, the bot has joined the successor, and the successor
 * names the room as its predecessor: a tombstone alone would let a room claim any other as its heir.
 *
 * A room that the bot has left can still be followed, as some clients leave the old room at once; what an invite tells of a
 * room was written by whoever invited. A room has one successor and one predecessor at most, so chains do not fork; one that
 * bites its own tail has no end and is no path. Linear in the number of rooms.
 */
export const upgradePaths = (rooms: ReadonlyMap<RoomId, ServerRoom>): ReadonlyArray<UpgradePath> => {
  const successorOf = (room: ServerRoom) => room.isSpace ? undefined : successorIn(rooms, room)

  const paths: Array<UpgradePath> = []
  for (const end of rooms.values()) {
    if (successorOf(end) !== undefined) continue
    const path = [end.roomId]
    for (let newer = end;;) {
      const older: ServerRoom | undefined = newer.predecessor === undefined ? undefined : rooms.get(newer.predecessor)
      if (older === undefined || successorOf(older) !== newer) break
      path.push(older.roomId)
      newer = older
    }
    if (path.length > 1) paths.push(path)
  }
  return paths
}

/** The room, or the Space, that replaced this one, where it may be followed. */
const successorIn = (rooms: ReadonlyMap<RoomId, ServerRoom>, room: ServerRoom): ServerRoom | undefined => {
  const wanted = wantedSuccessor(room)
  const successor = wanted === undefined ? undefined : rooms.get(wanted)
  return successor?.membership === "join" && successor.isSpace === room.isSpace && successor.predecessor === room.roomId
    ? successor
    : undefined
}

/** Where a room says that it goes on, and may say so. Whether that is so is for the successor to say. */
export const wantedSuccessor = (room: ServerRoom): RoomId | undefined =>
  room.tombstone?.permitted === true && !isHearsay(room) ? room.tombstone.successor : undefined

/** Where a room, or a Space, goes on now: itself where it was not replaced. One of a circle goes on nowhere else. */
export const endOf = (rooms: ReadonlyMap<RoomId, ServerRoom>, room: ServerRoom): ServerRoom => {
  const seen = new Set([room.roomId])
  let end = room
  for (let next = successorIn(rooms, end); next !== undefined; next = successorIn(rooms, end)) {
    if (seen.has(next.roomId)) return room
    seen.add(next.roomId)
    end = next
  }
  return end
}

const isHearsay = (room: ServerRoom): boolean => room.membership === "invite" || room.membership === "knock"
