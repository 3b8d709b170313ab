/** What `/sync` says (Client-Server API, "Syncing"), computed at one instant from the world. */
import * as Schema from "effect/Schema"
import { deviceLists } from "./DeviceLists.ts"
import { ephemeralAfter } from "./Ephemeral.ts"
import { drainInbox, keyCounts } from "./Keys.ts"
import {
  type Device,
  type Json,
  laterThan,
  type Room,
  type Span,
  stateKeyOf,
  type StoredEvent,
  syncToken,
  timelineToken,
  type User,
  within,
  type World
} from "./Model.ts"
import { asOf, membershipIn, stateAt, stateEvent } from "./Rooms.ts"
import { accepts, acceptsRoom, EventFilter, newest, pageSize, strippedEvent, syncEvent } from "./Timeline.ts"

/** A filter, as far as this model knows it: what it does not know it takes for absent. */
export const Filter = Schema.Struct({
  room: Schema.optional(Schema.Struct({
    rooms: EventFilter.fields.rooms,
    not_rooms: EventFilter.fields.not_rooms,
    include_leave: Schema.optional(Schema.Boolean),
    timeline: Schema.optional(EventFilter),
    state: Schema.optional(EventFilter),
    account_data: Schema.optional(EventFilter),
    ephemeral: Schema.optional(EventFilter)
  })),
  account_data: Schema.optional(EventFilter)
})
export type Filter = typeof Filter.Type

export interface SyncOptions {
  /** The position of `since`. */
  readonly since: number | undefined
  readonly fullState: boolean
  /** `org.matrix.msc4222.use_state_after`: the state at the end of the timeline, under another name. */
  readonly stateAfter: boolean
  readonly filter: Filter
  /** At most so many events of a room, whatever the filter wants. */
  readonly timelineLimit?: number | undefined
}

export interface SyncAnswer {
  readonly body: Json
  /** Whether there is nothing in it that a long poll would wake for. */
  readonly empty: boolean
}

export const sync = (world: World, user: User, device: Device, options: SyncOptions, now: number): SyncAnswer => {
  const view: View = { world, user, device, options, now }
  const join: Record<string, Json> = {}
  const invite: Record<string, Json> = {}
  const knock: Record<string, Json> = {}
  const leave: Record<string, Json> = {}
  for (const roomId of candidates(view)) {
    const room = world.rooms.get(roomId)
    const own = user.rooms.get(roomId)
    if (room === undefined || own === undefined || !acceptsRoom(options.filter.room ?? {}, roomId)) continue
    const changed = options.since === undefined || own.position > options.since
    switch (membershipIn(own)) {
      case "join": {
        const section = joinedSection(view, room)
        if (section !== undefined) join[roomId] = section
        break
      }
      case "invite":
        if (changed) invite[roomId] = { invite_state: { events: inviteState(room, own) } }
        break
      case "knock":
        if (changed) knock[roomId] = { knock_state: { events: inviteState(room, own) } }
        break
      default: {
        // Who was made to leave is told even by a first sync, as on Synapse; who left knows.
        const isTold = options.since !== undefined || own.sender !== user.userId
        if (changed && (isTold || options.filter.room?.include_leave === true)) {
          leave[roomId] = leftSection(view, room, own)
        }
      }
    }
  }
  const since = options.since
  const accountData = entriesAfter(user.accountData, options.fullState ? undefined : since, options.filter.account_data)
  const toDevice = drainInbox(device, since)
  const lists = since === undefined ? { changed: [], left: [] } : deviceLists(world, user, since)
  const rooms = {
    ...(isEmpty(join) ? {} : { join }),
    ...(isEmpty(invite) ? {} : { invite }),
    ...(isEmpty(knock) ? {} : { knock }),
    ...(isEmpty(leave) ? {} : { leave })
  }
  return {
    empty: isEmpty(rooms) && accountData.length === 0 && toDevice.length === 0 && lists.changed.length === 0 &&
      lists.left.length === 0,
    body: {
      next_batch: syncToken(world, world.position),
      ...(isEmpty(rooms) ? {} : { rooms }),
      account_data: { events: accountData },
      presence: { events: [] },
      to_device: { events: toDevice },
      device_lists: lists,
      ...keyCounts(device)
    }
  }
}

interface View {
  readonly world: World
  readonly user: User
  readonly device: Device
  readonly options: SyncOptions
  readonly now: number
}

const isEmpty = (record: object): boolean => Object.keys(record).length === 0

/** Rooms that may have something to say: all of them at first, then those in the tail of the user's feed. */
const candidates = ({ options, user }: View): Iterable<string> => {
  if (options.since === undefined || options.fullState) return user.rooms.keys()
  return new Set(laterThan(user.feed, options.since).map((entry) => entry.roomId))
}

const joinedSection = (view: View, room: Room): Json | undefined => {
  const { now, options, user, world } = view
  const acceptEphemeral = accepts(options.filter.room?.ephemeral ?? {})
  // Who was away in between sees the room as a new one: the earlier sync cannot have told everything up to the join.
  const since = options.since !== undefined && stayedSince(room, user.userId, options.since) ? options.since : undefined
  const span = { after: since ?? 0, upTo: world.position }
  const parts = timelineAndState(view, room, since, span)
  const accountData = entriesAfter(
    room.accountData.get(user.userId),
    options.fullState ? undefined : since,
    options.filter.room?.account_data,
    room.roomId
  )
  const ephemeral = ephemeralAfter(room, user, since, now)
    .filter(({ type }) => acceptEphemeral({ type: String(type), roomId: room.roomId }))
  const quiet = parts.events === 0 && accountData.length === 0 && ephemeral.length === 0
  if (quiet && since !== undefined && !options.fullState) return undefined
  return {
    ...parts.section,
    account_data: { events: accountData },
    ephemeral: { events: ephemeral },
    summary: summaryOf(room, user.userId),
    unread_notifications: { notification_count: 0, highlight_count: 0 }
  }
}

const leftSection = (view: View, room: Room, own: StoredEvent): Json => {
  const { options, user } = view
  const since = options.since ?? 0
  // Who refused an invite, or was banned from outside, learns of that one event and of nothing else in the room.
  const wasIn = stayedBefore(room, user.userId, own)
  const span = { after: wasIn ? since : own.position - 1, upTo: own.position }
  const { section } = timelineAndState(view, room, wasIn ? options.since : span.after, span)
  return { ...section, account_data: { events: [] } }
}

/** The timeline of a span, and the state that goes before it (or, by MSC4222, that stands after it). */
const timelineAndState = (view: View, room: Room, since: number | undefined, span: Span) => {
  const { device, now, options } = view
  const filter = options.filter.room?.timeline ?? {}
  const page = newest(room, span, filter, Math.min(pageSize(filter.limit), options.timelineLimit ?? Infinity))
  const start = page.events[0]?.position ?? span.upTo + 1
  const stateEnd = options.stateAfter ? span.upTo : start - 1
  const full = since === undefined || options.fullState
  const stateFilter = options.filter.room?.state ?? {}
  const changes = full ? stateAt(room, stateEnd) : stateChanges(room, { after: since, upTo: stateEnd })
  const lazy = stateFilter.lazy_load_members === true ? speakers(view, room, page.events, stateEnd, full) : undefined
  const wanted = lazy === undefined
    ? changes
    : [...changes.filter((event) => event.type !== "m.room.member" || !full), ...lazy]
  const state = [...new Set(wanted)].filter(accepts(stateFilter))
  const render = (event: StoredEvent) => syncEvent(event, device, now)
  return {
    // Members that come along with what they said are no news of their own.
    events: page.events.length + changes.filter(accepts(stateFilter)).length,
    section: {
      timeline: { events: page.events.map(render), limited: page.more, prev_batch: timelineToken(start - 1) },
      [options.stateAfter ? "org.matrix.msc4222.state_after" : "state"]: { events: state.map(render) }
    }
  }
}

/**
 * The members that a client needs for a timeline when it loads them lazily: who spoke, and at first the user, and those
 * after whom a nameless room is called.
 */
const speakers = (
  { user }: View,
  room: Room,
  events: ReadonlyArray<StoredEvent>,
  stateEnd: number,
  full: boolean
): ReadonlyArray<StoredEvent> => {
  const isNamed = [stateEvent(room, "m.room.name"), stateEvent(room, "m.room.canonical_alias")].some(Boolean)
  const atFirst = full ? [user.userId, ...(isNamed ? [] : heroesOf(room, user.userId))] : []
  return [...new Set([...events.map(({ sender }) => sender), ...atFirst])].flatMap((userId) =>
    asOf(stateEvent(room, "m.room.member", userId), stateEnd) ?? []
  )
}

const stateChanges = (room: Room, span: Span): Array<StoredEvent> => {
  const changes = new Map<string, StoredEvent>()
  for (const event of within(room.events, span)) {
    if (event.stateKey !== undefined) changes.set(stateKeyOf(event.type, event.stateKey), event)
  }
  return [...changes.values()]
}

/** Whether the user was joined at `since` and ever after. */
const stayedSince = (room: Room, userId: string, since: number): boolean => {
  let event = stateEvent(room, "m.room.member", userId)
  while (event !== undefined && membershipIn(event) === "join" && event.position > since) event = event.replaced
  return membershipIn(event) === "join"
}

/** Whether the user was joined right before `own`, or before the last leave when that has turned into a ban. */
const stayedBefore = (room: Room, userId: string, own: StoredEvent): boolean =>
  membershipIn(asOf(stateEvent(room, "m.room.member", userId), own.position - 1)) === "join"

/** What an invited user may see, as of the invite (Client-Server API, "Stripped state"), the invite itself last. */
const inviteState = (room: Room, own: StoredEvent): Array<Json> => {
  const shown = [
    "m.room.create",
    "m.room.join_rules",
    "m.room.canonical_alias",
    "m.room.name",
    "m.room.topic",
    "m.room.avatar",
    "m.room.encryption"
  ].map((type) => stateEvent(room, type))
  return [...shown, stateEvent(room, "m.room.member", own.sender), own]
    .map((event) => asOf(event, own.position))
    .flatMap((event) => event === undefined ? [] : [strippedEvent(event)])
}

const entriesAfter = (
  entries: ReadonlyMap<string, { readonly position: number; readonly value: Json }> | undefined,
  since: number | undefined,
  filter: EventFilter = {},
  roomId?: string
): Array<Json> => {
  const accept = accepts(filter)
  return [...entries ?? []].flatMap(([type, { position, value }]) =>
    position > (since ?? 0) && accept({ type, roomId }) ? [{ type, content: value }] : []
  )
}

/** The first five others of a room, after whom a nameless one is called. */
const heroesOf = (room: Room, userId: string): ReadonlyArray<string> => {
  const heroes: Array<string> = []
  for (const event of room.state.values()) {
    if (event.type !== "m.room.member" || event.stateKey === undefined || event.stateKey === userId) continue
    const membership = membershipIn(event)
    if (membership === "join" || membership === "invite") heroes.push(event.stateKey)
    if (heroes.length === 5) break
  }
  return heroes
}

const summaryOf = (room: Room, userId: string): Json => {
  let invited = 0
  for (const event of room.state.values()) {
    if (event.type === "m.room.member" && membershipIn(event) === "invite") invited++
  }
  return {
    "m.heroes": heroesOf(room, userId),
    "m.joined_member_count": room.joined.size,
    "m.invited_member_count": invited
  }
}
