/**
 * The world of one homeserver: plain mutable maps, changed by plain synchronous functions. Nothing here waits, so that
 * every request sees and leaves a whole world; waiting is done at the edge (`Endpoints/Sync.ts`).
 */
import { createHash } from "node:crypto"
import type { Refusal } from "./Refusal.ts"
import { badParam } from "./Refusal.ts"

export type Json = Readonly<Record<string, unknown>>
export type Membership = "join" | "invite" | "knock" | "leave" | "ban"

/** An event as the server keeps it. Only a redaction ever changes one. */
export interface StoredEvent {
  /** Place in the one stream of everything that happens in this world. */
  readonly position: number
  readonly eventId: string
  readonly roomId: string
  readonly type: string
  readonly sender: string
  /** Milliseconds since the epoch. */
  readonly sentAt: number
  readonly stateKey: string | undefined
  content: Json
  redactedBecause: StoredEvent | undefined
  /** The state event that this one took the place of: the history of the state is a chain back from the current one. */
  readonly replaced: StoredEvent | undefined
  /** Whose send this was, so that this device alone sees its transaction id in `unsigned`. */
  readonly sentBy: { readonly device: Device; readonly transaction: string } | undefined
}

/** Something of the account data that remembers when it was last written. */
export interface Stamped<A> {
  readonly position: number
  readonly value: A
}

export interface Device {
  readonly userId: string
  readonly deviceId: string
  displayName: string | undefined
  /** Event ids by endpoint and transaction id (Client-Server API, "Transaction identifiers"). */
  readonly transactions: Map<string, string>
  /** To-device messages that this device has not acknowledged with a later `since`. */
  inbox: Array<Stamped<Json>>
  /** `device_keys` as uploaded. */
  keys: Json | undefined
  /** `algorithm:id` to key, handed out once each. */
  readonly oneTimeKeys: Map<string, unknown>
  readonly fallbackKeys: Map<string, { readonly key: unknown; used: boolean }>
}

export interface User {
  readonly userId: string
  /** Undefined for somebody who was only mentioned, and never registered. */
  password: string | undefined
  displayName: string | undefined
  avatarUrl: string | undefined
  readonly devices: Map<string, Device>
  readonly filters: Array<Json>
  readonly accountData: Map<string, Stamped<Json>>
  /** The user's current membership event of every room that was not forgotten. */
  readonly rooms: Map<string, StoredEvent>
  /** Every room change that this user may see, in order of position: an incremental sync reads the tail of it. */
  readonly feed: Array<{ readonly position: number; readonly roomId: string }>
  /** Counts everything that may wake a long poll. */
  changes: number
  readonly waiters: Set<() => void>
}

export interface Room {
  readonly roomId: string
  readonly version: string
  /** In order of position. */
  readonly events: Array<StoredEvent>
  /** Current state by `stateKeyOf(type, state key)`. */
  readonly state: Map<string, StoredEvent>
  readonly joined: Set<string>
  /** By user, then type. */
  readonly accountData: Map<string, Map<string, Stamped<Json>>>
  /** By user, receipt type and thread. */
  readonly receipts: Map<string, Stamped<Receipt>>
  typing: Stamped<ReadonlyMap<string, number>>
}

export interface Receipt {
  readonly userId: string
  readonly eventId: string
  readonly type: string
  readonly threadId: string | undefined
  readonly at: number
}

export type Token = { readonly device: Device; readonly ended: undefined | "soft" | "hard" }

export interface World {
  readonly serverName: string
  /** The last place in the stream that was given out. */
  position: number
  /** Part of every sync token: raising it makes all earlier ones unknown. */
  generation: number
  identifiers: number
  readonly users: Map<string, User>
  readonly tokens: Map<string, Token>
  readonly rooms: Map<string, Room>
  readonly events: Map<string, StoredEvent>
  readonly aliases: Map<string, string>
  /** Whose long polls are to be woken when the world is whole again. */
  readonly disturbed: Set<User>
  /** Whose device keys changed, in order of position. */
  readonly keyChanges: Array<{ readonly position: number; readonly userId: string }>
}

export const makeWorld = (serverName: string): World => ({
  serverName,
  position: 0,
  generation: 1,
  identifiers: 0,
  users: new Map(),
  tokens: new Map(),
  rooms: new Map(),
  events: new Map(),
  aliases: new Map(),
  disturbed: new Set(),
  keyChanges: []
})

/** 43 characters of URL-safe base64 that no other call gives: a counter, hashed, so that every run gives the same. */
export const freshOpaque = (world: World, kind: string): string =>
  createHash("sha256").update(`${world.serverName} ${kind} ${++world.identifiers}`).digest("base64url")

export const stateKeyOf = (type: string, stateKey: string): string => `${type}\0${stateKey}`

/** The user's record; anyone who is mentioned gets one. */
export const userOf = (world: World, userId: string): User => {
  const known = world.users.get(userId)
  if (known !== undefined) return known
  const user: User = {
    userId,
    password: undefined,
    displayName: undefined,
    avatarUrl: undefined,
    devices: new Map(),
    filters: [],
    accountData: new Map(),
    rooms: new Map(),
    feed: [],
    changes: 0,
    waiters: new Set()
  }
  world.users.set(userId, user)
  return user
}

/** Has the user's long polls woken by the next `settle`. */
export const wake = (world: World, user: User): void => {
  user.changes++
  world.disturbed.add(user)
}

/**
 * Wakes the long polls of everybody for whom something has changed. Called when a rule is done and never by one: a
 * waiter looks at the world at once, and would see a room with half its state.
 */
export const settle = (world: World): void => {
  const users = [...world.disturbed]
  world.disturbed.clear()
  for (const user of users) for (const waiter of Array.from(user.waiters)) waiter()
}

/** Notes for `userId` that `room` changed at the world's present position. */
export const announce = (world: World, room: Room, userId: string): void => {
  const user = userOf(world, userId)
  user.feed.push({ position: world.position, roomId: room.roomId })
  wake(world, user)
}

export interface Draft {
  readonly type: string
  readonly sender: string
  readonly content: Json
  readonly stateKey?: string | undefined
  readonly sentBy?: StoredEvent["sentBy"]
}

/** Adds an event to a room without asking whether it is allowed, and tells everyone who may see it. */
export const append = (world: World, room: Room, draft: Draft, now: number): StoredEvent => {
  const key = draft.stateKey === undefined ? undefined : stateKeyOf(draft.type, draft.stateKey)
  const event: StoredEvent = {
    position: ++world.position,
    eventId: `$${freshOpaque(world, "event")}`,
    roomId: room.roomId,
    type: draft.type,
    sender: draft.sender,
    sentAt: now,
    stateKey: draft.stateKey,
    content: structuredClone(draft.content),
    redactedBecause: undefined,
    replaced: key === undefined ? undefined : room.state.get(key),
    sentBy: draft.sentBy
  }
  room.events.push(event)
  world.events.set(event.eventId, event)
  if (key !== undefined) room.state.set(key, event)
  const audience = new Set(room.joined)
  if (event.type === "m.room.member" && event.stateKey !== undefined) {
    audience.add(event.stateKey)
    userOf(world, event.stateKey).rooms.set(room.roomId, event)
    if (event.content["membership"] === "join") room.joined.add(event.stateKey)
    else room.joined.delete(event.stateKey)
  }
  for (const userId of audience) announce(world, room, userId)
  return event
}

export const openRoom = (world: World, roomId: string, version: string): Room => {
  const room: Room = {
    roomId,
    version,
    events: [],
    state: new Map(),
    joined: new Set(),
    accountData: new Map(),
    receipts: new Map(),
    typing: { position: 0, value: new Map() }
  }
  world.rooms.set(roomId, room)
  return room
}

/** A user id from a localpart or a user id. */
export const fullUserId = (world: World, nameOrId: string): string =>
  nameOrId.startsWith("@") ? nameOrId : `@${nameOrId}:${world.serverName}`

// --- positions as clients see them: `s` for sync tokens, `t` for places in a timeline

export const syncToken = (world: World, position: number): string => `s${world.generation}_${position}`
export const timelineToken = (position: number): string => `t0_${position}`

/** The position of a sync token. Refuses one of before `forgetPositions`, or of another world. */
export const positionOfSyncToken = (world: World, token: string): number => positionOf(world, token, /^s(\d+)_(\d+)$/)

/** The position of a `prev_batch`, of an `end`, or of a sync token. */
export const positionOfToken = (world: World, token: string): number => positionOf(world, token, /^[st](\d+)_(\d+)$/)

const positionOf = (world: World, token: string, pattern: RegExp): number => {
  const match = pattern.exec(token)
  const position = Number(match?.[2])
  const stale = token.startsWith("s") && Number(match?.[1]) !== world.generation
  if (match === null || stale || position > world.position) throw unknownToken()
  return position
}

const unknownToken = (): Refusal => badParam("M_UNKNOWN", "Invalid stream token")

/** A stretch of the stream. */
export interface Span {
  /** Exclusive. */
  readonly after: number
  /** Inclusive. */
  readonly upTo: number
}

/** The elements of a span, of a list that is in order of position. */
export const within = <A extends { readonly position: number }>(list: ReadonlyArray<A>, span: Span): ReadonlyArray<A> =>
  list.slice(firstAfter(list, span.after), firstAfter(list, span.upTo))

/** The elements after `position`, of a list that is in order of position. */
export const laterThan = <A extends { readonly position: number }>(
  list: ReadonlyArray<A>,
  position: number
): ReadonlyArray<A> => list.slice(firstAfter(list, position))

const firstAfter = (list: ReadonlyArray<{ readonly position: number }>, position: number): number => {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((list[middle]?.position ?? 0) <= position) low = middle + 1
    else high = middle
  }
  return low
}
