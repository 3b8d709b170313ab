import type { RoomId, UserId } from "./Ids.ts"
import type { Origin } from "./Origin.ts"

/** How the bot's own account stands to a room. `kicked` is a leave that somebody else sent. */
export type OwnMembership = "join" | "invite" | "knock" | "left" | "kicked" | "banned"

export interface RoomMember {
  readonly membership: "join" | "invite"
  readonly displayName: string | undefined
  /** Of an invite: it asks into a direct chat (`is_direct`). */
  readonly direct?: true
}

/** What the server knows of one room, as far as Homing needs it. A value: it is read once and does not change. */
export interface ServerRoom {
  readonly roomId: RoomId
  readonly membership: OwnMembership
  /** `m.room.create` says `type: m.space`. */
  readonly isSpace: boolean
  readonly name: string | undefined
  /** `m.room.encryption` stands in the state. It can never be taken back. */
  readonly encrypted: boolean
  /** The content of the marker as found, not yet decoded; undefined when there is none. */
  readonly marker: unknown
  readonly tombstone: Tombstone | undefined
  /** The room that this one replaced, as its create event says. */
  readonly predecessor: RoomId | undefined
  /** What this account made the room for; undefined for rooms that others made, whatever those say. */
  readonly origin: Origin | undefined
  /** Of a Space: the rooms that it lists, and those that it ever listed (`m.space.child`). */
  readonly children: ReadonlySet<RoomId>
  /** Of these, the ones that it lists now. */
  readonly listed: ReadonlySet<RoomId>
  /** Joined and invited members, the bot included. Empty when the bot is not in the room. */
  readonly members: ReadonlyMap<UserId, RoomMember>
}

export interface Tombstone {
  readonly successor: RoomId
  readonly sender: UserId
  /** Whether the sender has the power level for `m.room.tombstone` in that room (its creators always have, from room version 12 on). */
  readonly permitted: boolean
  /** Whether the bot has the power level for `m.room.message` in that room still: an upgrade raises what it takes. */
  readonly maySpeak: boolean
}

/** How many members have joined. */
export const joinedCount = (room: ServerRoom): number => {
  let joined = 0
  for (const member of room.members.values()) if (member.membership === "join") joined++
  return joined
}
