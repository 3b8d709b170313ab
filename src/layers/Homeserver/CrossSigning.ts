/** Cross-signing keys, and signatures on keys (Client-Server API, "Cross-signing"). */
import { announceKeys } from "./DeviceLists.ts"
import type { Json, User, World } from "./Model.ts"

const usages = ["master", "self_signing", "user_signing"] as const
type Usage = (typeof usages)[number]

export type CrossSigningUpload = { readonly [K in `${Usage}_key`]?: Json | undefined }

export const uploadCrossSigning = (world: World, user: User, upload: CrossSigningUpload): void => {
  for (const usage of usages) {
    const key = upload[`${usage}_key`]
    if (key !== undefined) user.crossSigning.set(usage, key)
  }
  announceKeys(world, user.userId)
}

/** What `keys/query` adds: everybody's public keys, and the user-signing key of who asks. */
export const queryCrossSigning = (world: World, asker: User, userIds: Iterable<string>): Json => {
  const found: Record<Usage, Record<string, Json>> = { master: {}, self_signing: {}, user_signing: {} }
  for (const userId of userIds) {
    for (const [usage, key] of world.users.get(userId)?.crossSigning ?? []) {
      const isHidden = usage === "user_signing" && userId !== asker.userId
      if (usage in found && !isHidden) found[usage as Usage][userId] = key
    }
  }
  return Object.fromEntries(usages.map((usage) => [`${usage}_keys`, found[usage]]))
}

const recordOf = (value: unknown): Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {}

/** `key` with the signatures of `signed` beside its own. */
const withSignatures = (key: Json, signed: Json): Json => {
  const signatures: Record<string, Json> = {}
  for (const given of [recordOf(key["signatures"]), recordOf(signed["signatures"])]) {
    for (const [userId, of] of Object.entries(given)) signatures[userId] = { ...signatures[userId], ...recordOf(of) }
  }
  return { ...key, signatures }
}

const isKeyNamed = (key: Json, id: string): boolean =>
  Object.entries(recordOf(key["keys"])).some(([name, value]) => value === id || name === id)

/** Adds signatures to devices (by device id) and to cross-signing keys (by their public key). */
export const uploadSignatures = (
  world: World,
  upload: Readonly<Record<string, Readonly<Record<string, Json>>>>
): Json => {
  const failures: Record<string, Record<string, Json>> = {}
  for (const [userId, signed] of Object.entries(upload)) {
    const user = world.users.get(userId)
    for (const [id, object] of Object.entries(signed)) {
      const device = user?.devices.get(id)
      const usage = [...user?.crossSigning ?? []].find(([, key]) => isKeyNamed(key, id))
      if (device?.keys !== undefined) device.keys = withSignatures(device.keys, object)
      else if (usage !== undefined) user?.crossSigning.set(usage[0], withSignatures(usage[1], object))
      else (failures[userId] ??= {})[id] = { status: 404, errcode: "M_NOT_FOUND", error: "Unknown device or key" }
    }
    if (user !== undefined) announceKeys(world, userId)
  }
  return { failures }
}
