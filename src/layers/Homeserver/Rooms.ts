/** What may be done in a room, and by whom: state, membership and power levels (Client-Server API, "Rooms"). */
import {
  append,
  type Draft,
  type Json,
  type Membership,
  type Room,
  stateKeyOf,
  type StoredEvent,
  type World
} from "./Model.ts"
import { badParam, forbidden, notFound } from "./Refusal.ts"

export const roomOf = (world: World, roomId: string): Room => {
  const room = world.rooms.get(roomId)
  // As Synapse says it: whether a room exists is nothing that an outsider may learn.
  if (room === undefined) throw forbidden(`You aren't a member of room ${roomId}`)
  return room
}

export const stateEvent = (room: Room, type: string, stateKey = ""): StoredEvent | undefined =>
  room.state.get(stateKeyOf(type, stateKey))

export const stateContent = (room: Room, type: string, stateKey = ""): Json =>
  stateEvent(room, type, stateKey)?.content ?? {}

/** What `event` was at `position`, following the chain of the events that it replaced. */
export const asOf = (event: StoredEvent | undefined, position: number): StoredEvent | undefined => {
  let standing = event
  while (standing !== undefined && standing.position > position) standing = standing.replaced
  return standing
}

/** The whole state as it stood at `position`. */
export const stateAt = (room: Room, position: number): Array<StoredEvent> => {
  const events: Array<StoredEvent> = []
  for (const current of room.state.values()) {
    const standing = asOf(current, position)
    if (standing !== undefined) events.push(standing)
  }
  return events
}

export const membershipIn = (event: StoredEvent | undefined): Membership => {
  const membership = event?.content["membership"]
  return membership === "join" || membership === "invite" || membership === "knock" || membership === "ban"
    ? membership
    : "leave"
}

export const membershipOf = (room: Room, userId: string): Membership =>
  membershipIn(stateEvent(room, "m.room.member", userId))

export const requireJoined = (room: Room, userId: string): void => {
  if (!room.joined.has(userId)) throw forbidden(`User ${userId} not in room ${room.roomId}`)
}

/**
 * The last position that the user may see in the room: now for a member, the own leave for somebody who left. History
 * before the join is visible (`shared`); an outsider sees nothing, nor does who has forgotten the room.
 */
export const horizonOf = (world: World, room: Room, userId: string): number => {
  if (room.joined.has(userId)) return world.position
  if (world.users.get(userId)?.rooms.has(room.roomId) !== true) {
    throw forbidden(`User ${userId} not in room ${room.roomId}`)
  }
  let event = stateEvent(room, "m.room.member", userId)
  const last = event
  while (event !== undefined && membershipIn(event) !== "join") event = event.replaced
  if (event === undefined || last === undefined) throw forbidden(`User ${userId} not in room ${room.roomId}`)
  let horizon = last
  while (horizon.replaced !== event && horizon.replaced !== undefined) horizon = horizon.replaced
  return horizon.position
}

// --- power levels

export const numberIn = (content: Json, key: string, otherwise: number): number => {
  const value = content[key]
  return typeof value === "number" ? value : otherwise
}
const recordIn = (content: Json, key: string): Json => {
  const value = content[key]
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : {}
}

const powerOf = (room: Room, userId: string): number => {
  const levels = stateEvent(room, "m.room.power_levels")
  if (levels === undefined) return stateEvent(room, "m.room.create")?.sender === userId ? 100 : 0
  return numberIn(recordIn(levels.content, "users"), userId, numberIn(levels.content, "users_default", 0))
}

/** The level that sending an event of this type takes. */
const powerFor = (room: Room, type: string, isState: boolean): number => {
  const levels = stateContent(room, "m.room.power_levels")
  return numberIn(
    recordIn(levels, "events"),
    type,
    isState ? numberIn(levels, "state_default", 50) : numberIn(levels, "events_default", 0)
  )
}

/** Only who is in the room and has the power for it sends events of a type. */
export const requirePower = (room: Room, userId: string, type: string, isState: boolean): void => {
  requireJoined(room, userId)
  if (powerOf(room, userId) < powerFor(room, type, isState)) {
    throw forbidden(`You don't have permission to post ${type} in ${room.roomId}`)
  }
}

type Action = "invite" | "kick" | "ban" | "redact"
const actionDefault: Record<Action, number> = { invite: 0, kick: 50, ban: 50, redact: 50 }

const may = (room: Room, userId: string, action: Action): boolean =>
  powerOf(room, userId) >= numberIn(stateContent(room, "m.room.power_levels"), action, actionDefault[action])

const requireAction = (room: Room, userId: string, action: Action): void => {
  requireJoined(room, userId)
  if (!may(room, userId, action)) throw forbidden(`You don't have permission to ${action} in ${room.roomId}`)
}

/** Nobody gives or takes a level above the own one (room version 11, authorization rule 9). */
const requireLevelsWithin = (room: Room, sender: string, next: Json): void => {
  const before = stateEvent(room, "m.room.power_levels")?.content
  if (before === undefined) return
  const own = powerOf(room, sender)
  const check = (name: string, from: unknown, to: unknown): void => {
    if (from === to) return
    if ((typeof from === "number" && from > own) || (typeof to === "number" && to > own)) {
      throw forbidden(`You don't have permission to change the power level of ${name}`)
    }
  }
  for (const name of ["users_default", "events_default", "state_default", "ban", "kick", "redact", "invite"]) {
    check(name, before[name], next[name])
  }
  for (const group of ["events", "users"]) {
    const [from, to] = [recordIn(before, group), recordIn(next, group)]
    for (const name of new Set([...Object.keys(from), ...Object.keys(to)])) {
      check(name, from[name], to[name])
      if (group === "users" && name !== sender && from[name] === own && to[name] !== own) {
        throw forbidden(`You don't have permission to lower the power level of ${name}`)
      }
    }
  }
}

// --- joining

export const joinRuleOf = (room: Room): string => {
  const rule = stateContent(room, "m.room.join_rules")["join_rule"]
  return typeof rule === "string" ? rule : "invite"
}

/** Whether somebody may come in without an invite: the room is public, or lets the members of another one in. */
export const mayJoin = (world: World, room: Room, userId: string): boolean => {
  const rule = joinRuleOf(room)
  if (rule !== "restricted" && rule !== "knock_restricted") return rule === "public"
  const allow = stateContent(room, "m.room.join_rules")["allow"]
  return Array.isArray(allow) &&
    allow.some((entry: unknown) =>
      typeof entry === "object" && entry !== null && "room_id" in entry &&
      world.rooms.get(String(entry.room_id))?.joined.has(userId) === true
    )
}

// --- sending

/** Appends an event that anybody may ask for: every rule but those of membership, which `setMembership` has. */
export const send = (world: World, room: Room, draft: Draft, now: number): StoredEvent => {
  requirePower(room, draft.sender, draft.type, draft.stateKey !== undefined)
  if (draft.type === "m.room.create") throw forbidden("A room is created once")
  if (draft.stateKey?.startsWith("@") === true && draft.stateKey !== draft.sender) {
    throw forbidden("You are not allowed to set others state")
  }
  if (draft.type === "m.room.power_levels") requireLevelsWithin(room, draft.sender, draft.content)
  return append(world, room, draft, now)
}

export interface MembershipChange {
  readonly sender: string
  readonly target: string
  readonly action: "join" | "leave" | "invite" | "knock" | "kick" | "ban" | "unban"
  readonly reason?: string | undefined
  readonly more?: Json
}

/** Joins, leaves, invites, kicks, bans and unbans (room version 11, authorization rule 5). */
export const setMembership = (world: World, room: Room, change: MembershipChange, now: number): StoredEvent => {
  const { action, sender, target } = change
  const standing = membershipOf(room, target)
  const outranks = () => {
    if (powerOf(room, sender) <= powerOf(room, target)) throw forbidden(`You cannot ${action} user ${target}.`)
  }
  switch (action) {
    case "join": {
      if (standing === "ban") throw forbidden(`${target} is banned from the room`)
      if (standing !== "join" && standing !== "invite" && !mayJoin(world, room, target)) {
        throw forbidden("You are not invited to this room.")
      }
      break
    }
    case "knock":
      if (!joinRuleOf(room).startsWith("knock")) throw forbidden("You don't have permission to knock")
      if (standing === "ban" || standing === "join" || standing === "invite") {
        throw forbidden(`${target} cannot knock: ${standing}`)
      }
      break
    case "leave":
      if (standing === "ban" || (standing === "leave" && stateEvent(room, "m.room.member", target) === undefined)) {
        throw forbidden(`User ${target} not in room ${room.roomId}`)
      }
      break
    case "invite":
      if (!/^@[^:]+:.+/.test(target)) throw badParam("M_INVALID_PARAM", `${target} is not a user id`)
      requireAction(room, sender, "invite")
      if (standing === "ban") throw forbidden(`${target} is banned from the room`)
      if (standing === "join") throw forbidden(`${target} is already in the room.`)
      break
    case "kick":
      requireAction(room, sender, "kick")
      if (standing !== "join" && standing !== "invite" && standing !== "knock") {
        throw forbidden("The target user is not in the room")
      }
      outranks()
      break
    case "ban":
      requireAction(room, sender, "ban")
      outranks()
      break
    case "unban":
      requireAction(room, sender, "ban")
      if (standing !== "ban") throw forbidden(`User ${target} is not banned`)
      outranks()
      break
  }
  const membership: Membership = action === "kick" || action === "unban" ? "leave" : action
  const current = stateEvent(room, "m.room.member", target)
  // Joining or leaving twice changes nothing, as on Synapse: no second event.
  if (current !== undefined && sender === target && standing === membership && change.more === undefined) return current
  const profile = world.users.get(target)
  return append(world, room, {
    type: "m.room.member",
    sender,
    stateKey: target,
    content: {
      membership,
      ...(membership === "join" || membership === "invite" || membership === "knock" ? profileOf(profile) : {}),
      ...(change.reason === undefined ? {} : { reason: change.reason }),
      ...change.more
    }
  }, now)
}

const profileOf = (
  user: { readonly displayName: string | undefined; readonly avatarUrl: string | undefined } | undefined
) => ({
  ...(user?.displayName === undefined ? {} : { displayname: user.displayName }),
  ...(user?.avatarUrl === undefined ? {} : { avatar_url: user.avatarUrl })
})

// --- redaction

/** What a redaction leaves of the content (room version 11, "Redactions"). */
const kept: Record<string, ReadonlyArray<string>> = {
  "m.room.member": ["membership"],
  "m.room.join_rules": ["join_rule", "allow"],
  "m.room.history_visibility": ["history_visibility"],
  "m.room.redaction": ["redacts"],
  "m.room.power_levels": [
    "ban",
    "events",
    "events_default",
    "invite",
    "kick",
    "redact",
    "state_default",
    "users",
    "users_default"
  ]
}

export const redact = (world: World, room: Room, draft: Draft, eventId: string, now: number): StoredEvent => {
  const target = world.events.get(eventId)
  if (target === undefined || target.roomId !== room.roomId) throw notFound("Event not found")
  if (target.sender !== draft.sender) requireAction(room, draft.sender, "redact")
  const redaction = send(world, room, { ...draft, content: { ...draft.content, redacts: eventId } }, now)
  target.redactedBecause = redaction
  if (target.type !== "m.room.create") {
    const keep = kept[target.type] ?? []
    target.content = Object.fromEntries(Object.entries(target.content).filter(([key]) => keep.includes(key)))
  }
  return redaction
}
