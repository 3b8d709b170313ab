/**
 * The world of one homeserver: plain mutable maps, changed by plain synchronous functions. Nothing here waits, so that
 * every request sees and leaves a whole world; waiting is done at the edge (`Endpoints/Sync.ts`).
 */
import { createHash } from "node:crypto"
import type { Backup } from "./Backup.ts"
import type { Media } from "./Media.ts"
import type { Refusal } from "./Refusal.ts"
import { badParam, tooLarge } from "./Refusal.ts"

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
  /** The events that relate to this one (`m.relates_to`), in order; undefined while there are none. */
  related: Array<StoredEvent> | undefined
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
  /** As `hashPassword` makes it. Undefined for somebody who was only mentioned, and never registered. */
  passwordHash: string | undefined
  displayName: string | undefined
  avatarUrl: string | undefined
  /** As the user said it last. Kept no longer than this process. */
  presence: { readonly presence: string; readonly status_msg?: string | undefined } | undefined
  readonly devices: Map<string, Device>
  readonly filters: Array<Json>
  readonly accountData: Map<string, Stamped<Json>>
  /** The user's current membership event of every room that was not forgotten. */
  readonly rooms: Map<string, StoredEvent>
  /** Cross-signing keys by usage: `master`, `self_signing`, `user_signing`. */
  readonly crossSigning: Map<string, Json>
  /** Backups of room keys, the oldest first. */
  readonly backups: Array<Backup>
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
  /** Whether the public room directory shows it. */
  listed: boolean
  /** By user, then type. */
  readonly accountData: Map<string, Map<string, Stamped<Json>>>
  /** By user, receipt type and thread. */
  readonly receipts: Map<string, Stamped<Receipt>>
  /** Who is typing, and until when, in milliseconds since the epoch. */
  typing: Stamped<ReadonlyMap<string, number>>
}

export interface Receipt {
  readonly userId: string
  readonly eventId: string
  readonly type: string
  readonly threadId: string | undefined
  readonly at: number
}

export interface Token {
  readonly device: Device
  ended: undefined | "soft" | "hard"
  /** Milliseconds since the epoch; undefined for a token that lives until it is ended. */
  readonly expiresAt: number | undefined
}

export interface World {
  readonly serverName: string
  /** The last place in the stream that was given out. */
  position: number
  /** Part of every sync token: raising it makes all earlier ones unknown. */
  generation: number
  identifiers: number
  readonly users: Map<string, User>
  /** Access tokens by their digest: neither this world nor a file of it holds one. */
  readonly tokens: Map<string, Token>
  /** Refresh tokens by their digest. Each serves once. */
  readonly refreshTokens: Map<string, Device>
  /** `m.login.token`: the user ids that may sign in with one, once, by its digest. */
  readonly loginTokens: Map<string, string>
  readonly rooms: Map<string, Room>
  readonly events: Map<string, StoredEvent>
  readonly aliases: Map<string, string>
  /** Uploaded files by media id. */
  readonly media: Map<string, Media>
  /** Whose long polls are to be woken when the world is whole again. */
  readonly disturbed: Set<User>
  /** Where somebody is typing. */
  readonly typing: Set<Room>
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
  refreshTokens: new Map(),
  loginTokens: new Map(),
  rooms: new Map(),
  events: new Map(),
  aliases: new Map(),
  media: new Map(),
  disturbed: new Set(),
  typing: new Set(),
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
    passwordHash: undefined,
    displayName: undefined,
    avatarUrl: undefined,
    presence: undefined,
    devices: new Map(),
    filters: [],
    accountData: new Map(),
    rooms: new Map(),
    crossSigning: new Map(),
    backups: [],
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

/** Bytes of the content of an event. With the rest of the event it stays below the 65,536 of the specification. */
const largestContent = 64_000

/** A copy that nobody else holds. An event that is too large is refused as Synapse does. */
const contentOf = (content: Json): Json => {
  const text = JSON.stringify(content)
  if (text.length > largestContent / 3 && Buffer.byteLength(text) > largestContent) throw tooLarge("event too large")
  return JSON.parse(text)
}

/** Adds an event to a room without asking whether it is allowed, and tells everyone who may see it. */
export const append = (world: World, room: Room, draft: Draft, now: number): StoredEvent => {
  const content = contentOf(draft.content)
  const event: StoredEvent = {
    position: ++world.position,
    eventId: `$${freshOpaque(world, "event")}`,
    roomId: room.roomId,
    type: draft.type,
    sender: draft.sender,
    sentAt: now,
    stateKey: draft.stateKey,
    content,
    redactedBecause: undefined,
    replaced: replacedBy(room, draft),
    sentBy: draft.sentBy,
    related: undefined
  }
  for (const userId of record(world, room, event)) announce(world, room, userId)
  return event
}

/** The state event whose place a new one of this type and state key takes. */
export const replacedBy = (room: Room, { stateKey, type }: Pick<Draft, "type" | "stateKey">): StoredEvent | undefined =>
  stateKey === undefined ? undefined : room.state.get(stateKeyOf(type, stateKey))

/** Enters an event into everything that is kept of a room; who may see it is the result. */
export const record = (world: World, room: Room, event: StoredEvent): ReadonlySet<string> => {
  room.events.push(event)
  world.events.set(event.eventId, event)
  relate(world, event)
  if (event.stateKey !== undefined) room.state.set(stateKeyOf(event.type, event.stateKey), event)
  const audience = new Set(room.joined)
  if (event.type === "m.room.member" && event.stateKey !== undefined) {
    audience.add(event.stateKey)
    userOf(world, event.stateKey).rooms.set(room.roomId, event)
    if (event.content["membership"] === "join") room.joined.add(event.stateKey)
    else room.joined.delete(event.stateKey)
  }
  return audience
}

/** What an event says of its relation to another (`m.relates_to`). */
export const relationOf = (event: StoredEvent): { readonly type: string; readonly to: string } | undefined => {
  const relation = event.content["m.relates_to"]
  if (typeof relation !== "object" || relation === null) return undefined
  if (!("rel_type" in relation) || !("event_id" in relation)) return undefined
  const { event_id: to, rel_type: type } = relation
  return typeof type === "string" && typeof to === "string" ? { type, to } : undefined
}

const relate = (world: World, event: StoredEvent): void => {
  const parent = world.events.get(relationOf(event)?.to ?? "")
  if (parent?.roomId === event.roomId) (parent.related ??= []).push(event)
}

export const openRoom = (world: World, roomId: string, version: string): Room => {
  const room: Room = {
    roomId,
    version,
    events: [],
    state: new Map(),
    joined: new Set(),
    listed: false,
    accountData: new Map(),
    receipts: new Map(),
    typing: { position: 0, value: new Map() }
  }
  world.rooms.set(roomId, room)
  return room
}

/** Takes a room back that could not be made whole. */
export const abandonRoom = (world: World, room: Room): void => {
  world.rooms.delete(room.roomId)
  for (const { eventId } of room.events) world.events.delete(eventId)
  for (const [alias, roomId] of world.aliases) if (roomId === room.roomId) world.aliases.delete(alias)
  for (const user of world.users.values()) user.rooms.delete(room.roomId)
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
