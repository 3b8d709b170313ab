/** Uploaded files (Client-Server API, "Content Repository"): in memory, bounded, and never written to disk. */
import { randomBytes } from "node:crypto"
import type { World } from "./Model.ts"
import { notFound, tooLarge } from "./Refusal.ts"

export interface Media {
  readonly contentType: string
  readonly fileName: string | undefined
  readonly bytes: Uint8Array
}

/** Of one upload, in bytes. */
export const largestUpload = 10 * 1024 * 1024

/** Of all uploads together, in bytes. The oldest make room for the newest. */
const largestStore = 4 * largestUpload

/** Keeps a file; its `mxc://` URI. */
export const keepMedia = (world: World, file: Media): string => {
  if (file.bytes.byteLength > largestUpload) throw tooLarge("Upload request body is too large")
  const mediaId = randomBytes(18).toString("base64url")
  world.media.set(mediaId, file)
  let held = 0
  for (const { bytes } of world.media.values()) held += bytes.byteLength
  for (const [oldest, { bytes }] of world.media) {
    if (held <= largestStore) break
    held -= bytes.byteLength
    world.media.delete(oldest)
  }
  return `mxc://${world.serverName}/${mediaId}`
}

export const mediaOf = (world: World, serverName: string, mediaId: string): Media => {
  const file = serverName === world.serverName ? world.media.get(mediaId) : undefined
  if (file === undefined) throw notFound("Not found")
  return file
}
