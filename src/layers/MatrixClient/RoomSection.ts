import * as Schema from "effect/Schema"
import { RoomId, UserId } from "../../domain/Ids.ts"
import type { OwnMembership } from "../../domain/ServerRoom.ts"
import { entries, eventsOf, field, textField } from "./Json.ts"

export const isRoomId = Schema.is(RoomId)
export const isUserId = Schema.is(UserId)

/** One room as it stands in a sync answer. */
export interface RoomSection {
  readonly roomId: RoomId
  readonly raw: unknown
}

/** The rooms of one kind. Those without a valid room id are only counted. */
export const sectionsOf = (
  sync: unknown,
  kind: "join" | "invite" | "knock" | "leave"
): { readonly rooms: ReadonlyArray<RoomSection>; readonly unreadable: number } => {
  const rooms: Array<RoomSection> = []
  let unreadable = 0
  for (const [roomId, raw] of entries(field(field(sync, "rooms"), kind))) {
    if (isRoomId(roomId)) rooms.push({ roomId, raw })
    else unreadable++
  }
  return { rooms, unreadable }
}

const isState = (event: unknown): boolean => textField(event, "state_key") !== undefined

/**
 * The state events of a joined or left room, in the order in which they apply. With `state_after` (MSC4222) it is the
 * state after the timeline and the timeline's own state events do not count: they may have lost a state resolution.
 * Without it, `state` stands before the timeline and the timeline goes on top.
 */
export const stateOf = (room: unknown): ReadonlyArray<unknown> => {
  const after = field(room, "org.matrix.msc4222.state_after") ?? field(room, "state_after")
  return after !== undefined
    ? eventsOf(after)
    : [...eventsOf(field(room, "state")), ...eventsOf(field(room, "timeline")).filter(isState)]
}

/** Once it stands in a room's state, the room is encrypted for good, whatever its content. */
export const saysEncrypted = (event: unknown): boolean =>
  textField(event, "type") === "m.room.encryption" && textField(event, "state_key") === ""

/** The last membership event of `self` among `events`. */
export const ownMember = (events: ReadonlyArray<unknown>, self: UserId): unknown =>
  events.findLast((event) => textField(event, "type") === "m.room.member" && textField(event, "state_key") === self)

/** Whether the account went by itself, was made to go, or may not come back. */
export const departureOf = (room: unknown, self: UserId): OwnMembership => {
  const event = ownMember([...stateOf(room), ...eventsOf(field(room, "timeline"))], self)
  return departureBy(event, self)
}

export const departureBy = (event: unknown, self: UserId): OwnMembership => {
  if (textField(field(event, "content"), "membership") === "ban") return "banned"
  const sender = textField(event, "sender")
  return sender === undefined || sender === self ? "left" : "kicked"
}
