/** Device keys and to-device messages (Client-Server API, "End-to-End Encryption" and "Send-to-Device messaging"). */
import { isDeepStrictEqual } from "node:util"
import { announceKeys } from "./DeviceLists.ts"
import { type Device, type Json, userOf, wake, type World } from "./Model.ts"
import { badParam } from "./Refusal.ts"

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

const recordOf = (value: unknown): Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {}

export interface KeyUpload {
  readonly device_keys?: Json | undefined
  readonly one_time_keys?: Json | undefined
  readonly fallback_keys?: Json | undefined
}

export const uploadKeys = (world: World, device: Device, upload: KeyUpload): Json => {
  for (const [name, key] of Object.entries(upload.one_time_keys ?? {})) {
    if (device.oneTimeKeys.has(name) && !isSameKey(device.oneTimeKeys.get(name), key)) {
      throw badParam("M_UNKNOWN", `One time key ${name} already exists`)
    }
  }
  if (upload.device_keys !== undefined) {
    device.keys = upload.device_keys
    announceKeys(world, device.userId)
  }
  for (const [name, key] of Object.entries(upload.one_time_keys ?? {})) device.oneTimeKeys.set(name, key)
  for (const [name, key] of Object.entries(upload.fallback_keys ?? {})) {
    const algorithm = name.slice(0, name.indexOf(":") + 1)
    for (const old of device.fallbackKeys.keys()) if (old.startsWith(algorithm)) device.fallbackKeys.delete(old)
    device.fallbackKeys.set(name, { key, used: false })
  }
  return { one_time_key_counts: oneTimeKeyCounts(device) }
}

/** Whether a key comes once more. It may be signed anew, as Synapse has it too. */
const isSameKey = (one: unknown, other: unknown): boolean => isDeepStrictEqual(unsigned(one), unsigned(other))

const unsigned = (key: unknown): unknown => {
  if (typeof key !== "object" || key === null) return key
  const { signatures: _, ...rest } = recordOf(key)
  return rest
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
