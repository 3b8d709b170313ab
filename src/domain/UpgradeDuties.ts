import { type RoomId, type ServerName, serverOf } from "./Ids.ts"
import { ownSpaces, type SpaceOrigin } from "./Origin.ts"
import { endOf, wantedSuccessor } from "./Reconciliation/Upgrades.ts"
import type { ServerRoom } from "./ServerRoom.ts"

/** What is to be done about a room, or a Space, that was replaced by another. */
export type UpgradeDuty =
  /** The bot is not in the successor yet. `via`: the server of who replaced the room. */
  | { readonly _tag: "Join"; readonly room: RoomId; readonly successor: RoomId; readonly via: ServerName }
  /** A Space of the bot lists the old room: it is to list the new one, unless somebody took it out, and the old one no more. */
  | {
    readonly _tag: "Relist"
    readonly room: RoomId
    readonly successor: RoomId
    readonly space: RoomId
    readonly add: boolean
  }
  /** A Space that the bot made: what the old one lists, the new one lists, and new chats go there. */
  | {
    readonly _tag: "MoveSpace"
    readonly room: RoomId
    readonly successor: RoomId
    readonly origin: SpaceOrigin
    readonly add: ReadonlyArray<RoomId>
  }

/** Whether `id` is, or is to be, what a Space of the bot goes on in: the bot belongs there. */
export const replacesOwnSpace = (rooms: ReadonlyMap<RoomId, ServerRoom>, id: RoomId): boolean =>
  ownSpaces(rooms).some(({ now }) => now.roomId === id || wantedSuccessor(now) === id)

/**
 * Everything that upgrades left to do, by the room that was replaced; what is done has no duty. `showing`: the rooms that show a chat. Into
 * the successor of any other room the bot does not go. Linear in the number of rooms.
 */
export const upgradeDuties = (
  rooms: ReadonlyMap<RoomId, ServerRoom>,
  showing: ReadonlySet<RoomId>
): ReadonlyArray<UpgradeDuty> => {
  const spaces = ownSpaces(rooms)
  const spacesOnTheWay = new Set(spaces.map(({ now }) => now.roomId))
  const current = new Set(spaces.map(({ now }) => now))
  const duties: Array<UpgradeDuty> = []
  for (const room of rooms.values()) {
    const wanted = wantedSuccessor(room)
    if (wanted === undefined || room.tombstone === undefined) continue
    if (room.membership === "join" && (showing.has(room.roomId) || spacesOnTheWay.has(room.roomId))) {
      const standing = rooms.get(wanted)?.membership
      // Whoever sent the bot out of the successor does not want it there.
      if (standing === undefined || standing === "invite") {
        duties.push({
          _tag: "Join",
          room: room.roomId,
          successor: wanted,
          via: serverOf(room.tombstone.sender)
        })
      }
    }
    const end = endOf(rooms, room)
    if (end === room) continue
    for (const space of current) {
      if (!space.listed.has(room.roomId)) continue
      duties.push({
        _tag: "Relist",
        room: room.roomId,
        successor: end.roomId,
        space: space.roomId,
        add: !space.children.has(end.roomId)
      })
    }
  }
  for (const { made, now, origin } of spaces) {
    if (now === made) continue
    const listed = [...made.listed].flatMap((child) => {
      const room = rooms.get(child)
      return room === undefined ? [] : [endOf(rooms, room)]
    })
    const add = listed.filter(({ membership, roomId }) => membership === "join" && !now.children.has(roomId))
    duties.push({
      _tag: "MoveSpace",
      room: made.roomId,
      successor: now.roomId,
      origin,
      add: [...new Set(add.map(({ roomId }) => roomId))]
    })
  }
  return duties
}
