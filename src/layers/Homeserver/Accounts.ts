/** Accounts, their devices and tokens (Client-Server API, "Client Authentication"). */
import { createHash, randomBytes, scryptSync } from "node:crypto"
import { announceKeys } from "./DeviceLists.ts"
import { type Device, freshOpaque, fullUserId, type Token, type User, userOf, wake, type World } from "./Model.ts"
import { badParam, forbidden, Refusal } from "./Refusal.ts"

/** Names of user ids as new ones may be (Matrix spec, Appendices, "User Identifiers"). */
const localpart = /^[a-z0-9._=/+-]+$/

/** Cheap on purpose: a sandbox registers people by the dozen, and its passwords guard nothing but itself. */
const scryptCost = { N: 256 }

const hashPassword = (password: string, salt = randomBytes(8).toString("hex")): string =>
  `${salt}.${scryptSync(password, salt, 32, scryptCost).toString("hex")}`

const isPassword = (user: User, password: string): boolean => {
  const salt = user.passwordHash?.split(".")[0]
  return salt !== undefined && hashPassword(password, salt) === user.passwordHash
}

export const setPassword = (user: User, password: string): void => {
  user.passwordHash = hashPassword(password)
}

export const isRegistered = (user: User | undefined): boolean => user?.passwordHash !== undefined

export const registerUser = (world: World, name: string, password: string): User => {
  const userId = fullUserId(world, name)
  if (!localpart.test(userId.slice(1, userId.indexOf(":"))) || !userId.endsWith(`:${world.serverName}`)) {
    throw badParam("M_INVALID_USERNAME", "User ID can only contain characters a-z, 0-9, or '=_-./+'")
  }
  const user = userOf(world, userId)
  if (isRegistered(user)) throw badParam("M_USER_IN_USE", "User ID already taken.")
  setPassword(user, password)
  user.displayName ??= userId.slice(1, userId.indexOf(":"))
  return user
}

/** The user of an `m.id.user` and password. Says no more than that one of them is wrong. */
export const checkPassword = (world: World, name: string, password: string): User => {
  const user = world.users.get(fullUserId(world, name))
  if (user === undefined || !isPassword(user, password)) throw forbidden("Invalid username or password")
  return user
}

// --- tokens

/** Tokens are random and not counted: a sandbox whose world is kept must not be guessable. */
const freshToken = (kind: string): string => `homing_${kind}_${randomBytes(24).toString("base64url")}`

const digest = (token: string): string => createHash("sha256").update(token).digest("base64url")

/** How long an access token lives that comes with a refresh token. As on Synapse. */
export const refreshableLifetime = 300_000

export interface DeviceWish {
  readonly deviceId?: string | undefined
  readonly displayName?: string | undefined
  /** Asks for a refresh token, and thereby for an access token that expires. */
  readonly refreshable?: boolean | undefined
}

export interface Session {
  readonly device: Device
  readonly token: string
  readonly refreshToken: string | undefined
}

const openSession = (world: World, device: Device, refreshable: boolean, now: number): Session => {
  const token = freshToken("access")
  const refreshToken = refreshable ? freshToken("refresh") : undefined
  world.tokens.set(digest(token), {
    device,
    ended: undefined,
    expiresAt: refreshable ? now + refreshableLifetime : undefined
  })
  if (refreshToken !== undefined) world.refreshTokens.set(digest(refreshToken), device)
  return { device, token, refreshToken }
}

/** A new token. A device that is there already is signed in anew: its earlier tokens end. */
export const signIn = (world: World, user: User, wish: DeviceWish, now: number): Session => {
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
  return openSession(world, device, wish.refreshable === true, now)
}

/** Trades a refresh token for a new pair. It serves once, and the access tokens that came before end. */
export const refresh = (world: World, refreshToken: string, now: number): Session => {
  const device = world.refreshTokens.get(digest(refreshToken))
  if (device === undefined) throw new Refusal(401, "M_UNKNOWN_TOKEN", "invalid refresh token", { soft_logout: false })
  endTokens(world, device, "hard")
  return openSession(world, device, true, now)
}

/** A token with which somebody may sign in on one more device, once. */
export const offerLogin = (world: World, user: User): string => {
  const token = freshToken("login")
  world.loginTokens.set(digest(token), user.userId)
  return token
}

export const redeemLogin = (world: World, token: string): User => {
  const userId = world.loginTokens.get(digest(token))
  if (userId === undefined) throw forbidden("Invalid login token")
  world.loginTokens.delete(digest(token))
  return userOf(world, userId)
}

const tokenOf = (world: World, token: string | undefined): Token | undefined =>
  token === undefined ? undefined : world.tokens.get(digest(token))

/** Whose token this is or was. */
export const bearerOf = (world: World, token: string | undefined): Device | undefined => tokenOf(world, token)?.device

/** The device that a token stands for. */
export const authenticate = (world: World, token: string | undefined, now: number): Device => {
  if (token === undefined) throw new Refusal(401, "M_MISSING_TOKEN", "Missing access token")
  const known = tokenOf(world, token)
  if (known === undefined || known.ended === "hard") {
    throw new Refusal(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.", { soft_logout: false })
  }
  if (known.ended === "soft" || (known.expiresAt !== undefined && known.expiresAt <= now)) {
    throw new Refusal(401, "M_UNKNOWN_TOKEN", "Access token has expired", { soft_logout: true })
  }
  return known.device
}

/** Tokens that ended are kept, so that it can be told how; of a device no more than its last few. */
const endTokens = (world: World, device: Device, how: "soft" | "hard"): void => {
  for (const [name, known] of world.tokens) {
    if (known.device !== device) continue
    if (known.ended === "hard") world.tokens.delete(name)
    else known.ended = how
  }
  // After a soft end the refresh token is what a client goes on with.
  if (how === "soft") return
  for (const [name, known] of world.refreshTokens) if (known === device) world.refreshTokens.delete(name)
}

/** Ends a device's tokens. A hard sign-out deletes the device with its keys; after a soft one it may sign in again. */
export const endDevice = (world: World, device: Device, how: "soft" | "hard"): void => {
  endTokens(world, device, how)
  const user = userOf(world, device.userId)
  wake(world, user)
  if (how === "soft") return
  user.devices.delete(device.deviceId)
  announceKeys(world, user.userId)
}

export const signOutUser = (world: World, userId: string, how: "soft" | "hard"): void => {
  for (const device of world.users.get(userId)?.devices.values() ?? []) endDevice(world, device, how)
}
