/** Whose devices a client is to ask for again, and whose it may forget (Client-Server API, "Tracking the device list for a user"). */
import { laterThan, type Room, type User, userOf, wake, type World } from "./Model.ts"
import { asOf, membershipIn, stateEvent } from "./Rooms.ts"

/** Everybody who shares a room with the user, the user too. */
const companions = (world: World, user: User): Set<string> => {
  const users = new Set([user.userId])
  for (const room of joinedRooms(world, user)) for (const userId of room.joined) users.add(userId)
  return users
}

function* joinedRooms(world: World, user: User) {
  for (const roomId of user.rooms.keys()) {
    const room = world.rooms.get(roomId)
    if (room?.joined.has(user.userId) === true) yield room
  }
}

/** The user's keys changed: those who share a room with them are to ask again. */
export const announceKeys = (world: World, userId: string): void => {
  world.keyChanges.push({ position: ++world.position, userId })
  for (const other of companions(world, userOf(world, userId))) wake(world, userOf(world, other))
}

export interface DeviceLists {
  /** Those who changed their keys, and those whom a join has brought together with the user. */
  readonly changed: ReadonlyArray<string>
  /** Those with whom the user shared an encrypted room, and shares none any more. */
  readonly left: ReadonlyArray<string>
}

/** What became of the device lists after the position `since`. */
export const deviceLists = (world: World, user: User, since: number): DeviceLists => {
  const left = usersLeft(world, user, since)
  return { changed: usersChanged(world, user, since).filter((userId) => !left.includes(userId)), left }
}

/** The rooms in which something has happened, as far as the user may know. */
function* touchedRooms(world: World, user: User, since: number) {
  for (const roomId of new Set(laterThan(user.feed, since).map((entry) => entry.roomId))) {
    const room = world.rooms.get(roomId)
    if (room !== undefined) yield room
  }
}

const usersChanged = (world: World, user: User, since: number): ReadonlyArray<string> => {
  const changed = new Set<string>()
  for (const { userId } of laterThan(world.keyChanges, since)) {
    if (userId === user.userId || shares(world, user, userId, () => true)) changed.add(userId)
  }
  for (const room of touchedRooms(world, user, since)) {
    if (!room.joined.has(user.userId)) continue
    for (const event of laterThan(room.events, since)) {
      if (event.type !== "m.room.member" || event.content["membership"] !== "join") continue
      if (event.replaced?.content["membership"] === "join" || event.stateKey === undefined) continue
      if (event.stateKey === user.userId) { for (const userId of room.joined) changed.add(userId) }
      else changed.add(event.stateKey)
    }
  }
  return [...changed]
}

const usersLeft = (world: World, user: User, since: number): ReadonlyArray<string> => {
  const parted = new Set<string>()
  for (const room of touchedRooms(world, user, since)) {
    if (!isEncrypted(room) || !wasIn(room, user.userId, since)) continue
    for (const other of room.joined.has(user.userId) ? leavers(room, since) : membersAt(room, since)) parted.add(other)
  }
  parted.delete(user.userId)
  return [...parted].filter((userId) => !shares(world, user, userId, isEncrypted))
}

/** Those whose membership ended after `since`. */
const leavers = (room: Room, since: number): ReadonlyArray<string> =>
  laterThan(room.events, since).flatMap(({ stateKey, type }) =>
    type === "m.room.member" && stateKey !== undefined && !room.joined.has(stateKey) && wasIn(room, stateKey, since)
      ? [stateKey]
      : []
  )

const membersAt = (room: Room, position: number): ReadonlyArray<string> =>
  [...room.state.values()].flatMap(({ stateKey, type }) =>
    type === "m.room.member" && stateKey !== undefined && wasIn(room, stateKey, position) ? [stateKey] : []
  )

const wasIn = (room: Room, userId: string, position: number): boolean =>
  membershipIn(asOf(stateEvent(room, "m.room.member", userId), position)) === "join"

const isEncrypted = (room: Room): boolean => stateEvent(room, "m.room.encryption") !== undefined

const shares = (world: World, user: User, other: string, counts: (room: Room) => boolean): boolean => {
  for (const room of joinedRooms(world, user)) if (room.joined.has(other) && counts(room)) return true
  return false
}
