import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type RoomId, SyncToken, type UserId } from "../../domain/Ids.ts"
import { markerType } from "../../domain/Marker.ts"
import { type Invite, RawEvent, type RoomTimeline, type SyncBatch } from "../../domain/SyncBatch.ts"
import { eventsOf, field, textField } from "./Json.ts"
import { departureOf, isUserId, ownMember, saysEncrypted, sectionsOf, stateOf } from "./RoomSection.ts"

const decodeEvent = Schema.decodeUnknownOption(RawEvent)
const decodeToken = Schema.decodeUnknownOption(SyncToken)

/** Events that decode, in order; the others are counted and passed over: one bad event must not stop a room. */
export const readEvents = (
  events: ReadonlyArray<unknown>
): { readonly events: ReadonlyArray<RawEvent>; readonly unreadable: number } => {
  const decoded: Array<RawEvent> = []
  for (const event of events) {
    const option = decodeEvent(event)
    if (Option.isSome(option)) decoded.push(option.value)
  }
  return { events: decoded, unreadable: events.length - decoded.length }
}

const readInvite = (roomId: RoomId, raw: unknown, self: UserId): Invite | undefined => {
  const stripped = eventsOf(field(raw, "invite_state"))
  const sender = textField(ownMember(stripped, self), "sender")
  if (!isUserId(sender)) return undefined
  return {
    roomId,
    sender,
    encrypted: stripped.some((event) => textField(event, "type") === "m.room.encryption"),
    isSpace: stripped.some((event) =>
      textField(event, "type") === "m.room.create" && textField(field(event, "content"), "type") === "m.space"
    )
  }
}

const reshapes = (event: unknown): boolean => {
  const type = textField(event, "type")
  return type === "m.room.tombstone" || type === "m.room.create" || type === "m.room.name"
}

const isMarker = (event: unknown): boolean => textField(event, "type") === markerType

/**
 * Reads one answer of `/sync` (Client-Server API, "Syncing") as it came over the wire. Undefined when it is no answer at
 * all: without `next_batch` there is nothing to go on from.
 */
export const readSyncResponse = (
  raw: unknown,
  context: { readonly self: UserId; readonly since: SyncToken | undefined; readonly initial: boolean }
): SyncBatch | undefined => {
  const nextBatch = decodeToken(field(raw, "next_batch"))
  if (Option.isNone(nextBatch)) return undefined

  const joined = sectionsOf(raw, "join")
  const invited = sectionsOf(raw, "invite")
  const left = sectionsOf(raw, "leave")
  let unreadable = joined.unreadable + invited.unreadable + left.unreadable

  const timelines: Array<RoomTimeline> = []
  const reshaped: Array<RoomId> = []
  for (const { raw: room, roomId } of joined.rooms) {
    const timeline = field(room, "timeline")
    const read = readEvents(eventsOf(timeline))
    unreadable += read.unreadable
    const limited = field(timeline, "limited") === true
    if (read.events.length > 0 || limited) {
      timelines.push({ roomId, events: read.events, limited, prevBatch: textField(timeline, "prev_batch") })
    }
    if (stateOf(room).some(reshapes) || eventsOf(field(room, "account_data")).some(isMarker)) reshaped.push(roomId)
  }

  const invites: Array<Invite> = []
  for (const { raw: room, roomId } of invited.rooms) {
    const invite = readInvite(roomId, room, context.self)
    if (invite === undefined) unreadable++
    else invites.push(invite)
  }

  return {
    since: context.since,
    nextBatch: nextBatch.value,
    initial: context.initial,
    timelines,
    invites,
    departures: left.rooms.map(({ raw: room, roomId }) => ({ roomId, membership: departureOf(room, context.self) })),
    reshaped,
    encrypted: [...joined.rooms, ...left.rooms].flatMap(({ raw: room, roomId }) =>
      stateOf(room).some(saysEncrypted) ? [roomId] : []
    ),
    unreadable
  }
}
