/** Reading events: as a client sees them, filtered, and page by page. */
import * as Schema from "effect/Schema"
import { type Device, type Json, type Room, type Span, type StoredEvent, within } from "./Model.ts"
import { aggregationsOf } from "./Relations.ts"

/** An event as `device` sees it, with what is bundled from the events about it. `age` is in milliseconds. */
export const clientEvent = (event: StoredEvent, device: Device, now: number): Json => {
  const relations = aggregationsOf(event, device.userId, (child) => bareEvent(child, device, now, {}))
  return bareEvent(event, device, now, relations === undefined ? {} : { "m.relations": relations })
}

const bareEvent = (event: StoredEvent, device: Device, now: number, more: Json): Json => ({
  event_id: event.eventId,
  type: event.type,
  room_id: event.roomId,
  sender: event.sender,
  origin_server_ts: event.sentAt,
  content: event.content,
  ...(event.stateKey === undefined ? {} : { state_key: event.stateKey }),
  // Clients of rooms before version 11 look for `redacts` here (Client-Server API, "m.room.redaction").
  ...(event.type === "m.room.redaction" ? { redacts: event.content["redacts"] } : {}),
  unsigned: {
    age: Math.max(0, now - event.sentAt),
    ...(event.sentBy?.device === device ? { transaction_id: event.sentBy.transaction } : {}),
    ...(event.replaced === undefined
      ? {}
      : {
        replaces_state: event.replaced.eventId,
        prev_content: event.replaced.content,
        prev_sender: event.replaced.sender
      }),
    ...(event.redactedBecause === undefined
      ? {}
      : { redacted_because: bareEvent(event.redactedBecause, device, now, {}) }),
    ...more
  }
})

/** The same inside `/sync`, where the room is known from the place. */
export const syncEvent = (event: StoredEvent, device: Device, now: number): Json => {
  const { room_id: _, ...rest } = clientEvent(event, device, now)
  return rest
}

/** What an outsider may see of the state, in an invite. */
export const strippedEvent = (event: StoredEvent): Json => ({
  type: event.type,
  state_key: event.stateKey,
  sender: event.sender,
  content: event.content
})

const Names = Schema.optional(Schema.Array(Schema.String))

/** A `RoomEventFilter`, as far as this model knows it. */
export const EventFilter = Schema.Struct({
  limit: Schema.optional(Schema.Int),
  types: Names,
  not_types: Names,
  senders: Names,
  not_senders: Names,
  rooms: Names,
  not_rooms: Names,
  contains_url: Schema.optional(Schema.Boolean),
  lazy_load_members: Schema.optional(Schema.Boolean)
})
export type EventFilter = typeof EventFilter.Type

const matches = (pattern: string, type: string): boolean =>
  pattern === type || (pattern.endsWith("*") && type.startsWith(pattern.slice(0, -1)))

export const accepts = (filter: EventFilter) =>
(event: {
  readonly type: string
  readonly sender?: string
  readonly content?: Json
  readonly roomId?: string | undefined
}): boolean =>
  (event.roomId === undefined || acceptsRoom(filter, event.roomId)) &&
  filter.types?.some((pattern) => matches(pattern, event.type)) !== false &&
  filter.not_types?.some((pattern) => matches(pattern, event.type)) !== true &&
  (event.sender === undefined ||
    (filter.senders?.includes(event.sender) !== false && filter.not_senders?.includes(event.sender) !== true)) &&
  (filter.contains_url === undefined || filter.contains_url === (typeof event.content?.["url"] === "string"))

export const acceptsRoom = (filter: Pick<EventFilter, "rooms" | "not_rooms">, roomId: string): boolean =>
  filter.rooms?.includes(roomId) !== false && filter.not_rooms?.includes(roomId) !== true

/** Synapse answers at most this many events a request; so does the model, so that nobody comes to rely on more. */
export const maximumPage = 100

export const pageSize = (wanted: number | undefined): number => Math.min(Math.max(wanted ?? 10, 0), maximumPage)

export interface Page {
  /** In order of position. */
  readonly events: ReadonlyArray<StoredEvent>
  /** Whether the span holds more that pass the filter. */
  readonly more: boolean
}

/** The newest events of a span, at most `limit`. */
export const newest = (room: Room, span: Span, filter: EventFilter, limit: number): Page => {
  const page = take(within(room.events, span).toReversed(), filter, limit)
  return { events: page.events.toReversed(), more: page.more }
}

/** The oldest events of a span, at most `limit`. */
export const oldest = (room: Room, span: Span, filter: EventFilter, limit: number): Page =>
  take(within(room.events, span), filter, limit)

const take = (events: ReadonlyArray<StoredEvent>, filter: EventFilter, limit: number): Page => {
  const accept = accepts(filter)
  const taken: Array<StoredEvent> = []
  for (const event of events) {
    if (!accept(event)) continue
    if (taken.length === limit) return { events: taken, more: true }
    taken.push(event)
  }
  return { events: taken, more: false }
}
