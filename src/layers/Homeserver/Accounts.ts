/** Accounts, their devices and tokens (Client-Server API, "Client Authentication"). */
import { type Device, freshOpaque, fullUserId, type User, userOf, wake, type World } from "./Model.ts"
import { badParam, forbidden, Refusal } from "./Refusal.ts"

/** Names of user ids as new ones may be (Matrix spec, Appendices, "User Identifiers"). */
const localpart = /^[a-z0-9._=/+-]+$/

export const registerUser = (world: World, name: string, password: string): User => {
  const userId = fullUserId(world, name)
  if (!localpart.test(userId.slice(1, userId.indexOf(":"))) || !userId.endsWith(`:${world.serverName}`)) {
    throw badParam("M_INVALID_USERNAME", "User ID can only contain characters a-z, 0-9, or '=_-./+'")
  }
  const user = userOf(world, userId)
  if (user.password !== undefined) throw badParam("M_USER_IN_USE", "User ID already taken.")
  user.password = password
  user.displayName ??= userId.slice(1, userId.indexOf(":"))
  return user
}

export interface DeviceWish {
  readonly deviceId?: string | undefined
  readonly displayName?: string | undefined
}

/** A new token. A device that is there already is signed in anew: its earlier tokens end. */
export const signIn = (
  world: World,
  user: User,
  wish: DeviceWish
): { readonly device: Device; readonly token: string } => {
  const deviceId = wish.deviceId ?? freshOpaque(world, "device").replaceAll(/[^A-Za-z]/g, "").slice(0, 10).toUpperCase()
  const known = user.devices.get(deviceId)
  const device: Device = known ?? {
    userId: user.userId,
    deviceId,
    displayName: wish.displayName,
    transactions: new Map(),
    inbox: [],
    keys: undefined,
    oneTimeKeys: new Map(),
    fallbackKeys: new Map()
  }
  user.devices.set(deviceId, device)
  endTokens(world, device, "hard")
  const token = `homing_${freshOpaque(world, "token")}`
  world.tokens.set(token, { device, ended: undefined })
  return { device, token }
}

/** The user of an `m.id.user` and password. Says no more than that one of them is wrong. */
export const checkPassword = (world: World, name: string, password: string): User => {
  const user = world.users.get(fullUserId(world, name))
  if (user?.password === undefined || user.password !== password) throw forbidden("Invalid username or password")
  return user
}

/** The device that a token stands for. */
export const authenticate = (world: World, token: string | undefined): Device => {
  if (token === undefined) throw new Refusal(401, "M_MISSING_TOKEN", "Missing access token")
  const known = world.tokens.get(token)
  if (known === undefined || known.ended === "hard") {
    throw new Refusal(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.", { soft_logout: false })
  }
  if (known.ended === "soft") {
    throw new Refusal(401, "M_UNKNOWN_TOKEN", "Access token has expired", { soft_logout: true })
  }
  return known.device
}

const endTokens = (world: World, device: Device, how: "soft" | "hard"): void => {
  for (const [token, known] of world.tokens) {
    if (known.device === device) world.tokens.set(token, { device, ended: how })
  }
}

/** Ends a device's tokens. A hard sign-out deletes the device with its keys; after a soft one it may sign in again. */
export const endDevice = (world: World, device: Device, how: "soft" | "hard"): void => {
  endTokens(world, device, how)
  const user = userOf(world, device.userId)
  if (how === "hard") {
    user.devices.delete(device.deviceId)
    world.keyChanges.push({ position: ++world.position, userId: user.userId })
  }
  wake(world, user)
}

export const signOutUser = (world: World, userId: string, how: "soft" | "hard"): void => {
  for (const device of world.users.get(userId)?.devices.values() ?? []) endDevice(world, device, how)
}
