/** Device keys and to-device messages (Client-Server API, "End-to-End Encryption" and "Send-to-Device messaging"). */
import { type Device, type Json, laterThan, type User, userOf, wake, type World } from "./Model.ts"

/** To-device messages for an answer since `since`. What the client has thereby acknowledged is dropped. */
export const drainInbox = (device: Device, since: number | undefined): Array<Json> => {
  if (since !== undefined) device.inbox = device.inbox.filter(({ position }) => position > since)
  return device.inbox.map(({ value }) => value)
}

export const oneTimeKeyCounts = (device: Device): Record<string, number> => {
  // Always present: a missing count would make the SDK upload keys after every sync.
  const counts: Record<string, number> = { signed_curve25519: 0 }
  for (const name of device.oneTimeKeys.keys()) {
    const algorithm = name.slice(0, name.indexOf(":"))
    counts[algorithm] = (counts[algorithm] ?? 0) + 1
  }
  return counts
}

export const keyCounts = (device: Device): Json => ({
  device_one_time_keys_count: oneTimeKeyCounts(device),
  device_unused_fallback_key_types: [...device.fallbackKeys]
    .flatMap(([name, { used }]) => used ? [] : [name.slice(0, name.indexOf(":"))])
})

/** Everybody who shares a room with the user, the user too. */
export const companions = (world: World, user: User): Set<string> => {
  const users = new Set([user.userId])
  for (const roomId of user.rooms.keys()) {
    const room = world.rooms.get(roomId)
    if (room?.joined.has(user.userId) === true) { for (const userId of room.joined) users.add(userId) }
  }
  return users
}

/** Whose keys are to be asked for again: those who changed them, and those whom a join has brought together. */
export const usersWithNewKeys = (world: World, user: User, since: number): Array<string> => {
  const changed = new Set<string>()
  for (const { userId } of laterThan(world.keyChanges, since)) {
    if (userId === user.userId || sharesRoom(world, user, userId)) changed.add(userId)
  }
  for (const roomId of new Set(laterThan(user.feed, since).map((entry) => entry.roomId))) {
    const room = world.rooms.get(roomId)
    if (room === undefined || !room.joined.has(user.userId)) continue
    for (const event of laterThan(room.events, since)) {
      if (event.type !== "m.room.member" || event.content["membership"] !== "join") continue
      if (event.replaced?.content["membership"] === "join" || event.stateKey === undefined) continue
      if (event.stateKey === user.userId) { for (const userId of room.joined) changed.add(userId) }
      else changed.add(event.stateKey)
    }
  }
  return [...changed]
}

const sharesRoom = (world: World, user: User, other: string): boolean => {
  for (const roomId of user.rooms.keys()) {
    const room = world.rooms.get(roomId)
    if (room?.joined.has(user.userId) === true && room.joined.has(other)) return true
  }
  return false
}

const recordOf = (value: unknown): Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {}

export interface KeyUpload {
  readonly device_keys?: Json | undefined
  readonly one_time_keys?: Json | undefined
  readonly fallback_keys?: Json | undefined
}

export const uploadKeys = (world: World, device: Device, upload: KeyUpload): Json => {
  if (upload.device_keys !== undefined) {
    device.keys = upload.device_keys
    const user = userOf(world, device.userId)
    world.keyChanges.push({ position: ++world.position, userId: device.userId })
    for (const userId of companions(world, user)) wake(world, userOf(world, userId))
  }
  for (const [name, key] of Object.entries(upload.one_time_keys ?? {})) device.oneTimeKeys.set(name, key)
  for (const [name, key] of Object.entries(upload.fallback_keys ?? {})) {
    const algorithm = name.slice(0, name.indexOf(":") + 1)
    for (const old of device.fallbackKeys.keys()) if (old.startsWith(algorithm)) device.fallbackKeys.delete(old)
    device.fallbackKeys.set(name, { key, used: false })
  }
  return { one_time_key_counts: oneTimeKeyCounts(device) }
}

/** The keys of the devices asked for: every device of a user for whom the list is empty. */
export const queryDevices = (world: World, wanted: Readonly<Record<string, ReadonlyArray<string>>>): Json => {
  const found: Record<string, Record<string, Json>> = {}
  for (const [userId, deviceIds] of Object.entries(wanted)) {
    const user = world.users.get(userId)
    // A user without devices is there with none: a missing one would be asked for again and again.
    const ofUser: Record<string, Json> = found[userId] = {}
    for (const device of user?.devices.values() ?? []) {
      if (device.keys === undefined || (deviceIds.length > 0 && !deviceIds.includes(device.deviceId))) continue
      ofUser[device.deviceId] = {
        ...device.keys,
        unsigned: { device_display_name: device.displayName ?? device.deviceId }
      }
    }
  }
  return found
}

/** Hands out one key a device: a one-time key while there are any, then the fallback key. */
export const claimKeys = (world: World, wanted: Readonly<Record<string, Readonly<Record<string, string>>>>): Json => {
  const claimed: Record<string, Record<string, Json>> = {}
  for (const [userId, devices] of Object.entries(wanted)) {
    for (const [deviceId, algorithm] of Object.entries(devices)) {
      const device = world.users.get(userId)?.devices.get(deviceId)
      if (device === undefined) continue
      const key = takeKey(device, `${algorithm}:`)
      if (key !== undefined) (claimed[userId] ??= {})[deviceId] = key
      wake(world, userOf(world, userId))
    }
  }
  return { one_time_keys: claimed, failures: {} }
}

const takeKey = (device: Device, prefix: string): Json | undefined => {
  for (const [name, key] of device.oneTimeKeys) {
    if (!name.startsWith(prefix)) continue
    device.oneTimeKeys.delete(name)
    return { [name]: key }
  }
  for (const [name, fallback] of device.fallbackKeys) {
    if (!name.startsWith(prefix)) continue
    fallback.used = true
    return { [name]: fallback.key }
  }
  return undefined
}

/** Puts a message into the inbox of the devices named; `*` names all of a user. */
export const sendToDevice = (
  world: World,
  sender: string,
  type: string,
  messages: Readonly<Record<string, Readonly<Record<string, unknown>>>>
): void => {
  for (const [userId, devices] of Object.entries(messages)) {
    const user = world.users.get(userId)
    if (user === undefined) continue
    for (const [deviceId, content] of Object.entries(devices)) {
      const targets = deviceId === "*" ? [...user.devices.values()] : [user.devices.get(deviceId)]
      for (const target of targets) {
        target?.inbox.push({ position: ++world.position, value: { sender, type, content: recordOf(content) } })
      }
    }
    wake(world, user)
  }
}
