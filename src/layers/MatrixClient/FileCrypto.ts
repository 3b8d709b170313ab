/** The encryption of files (Client-Server API, "Sending encrypted attachments"): AES-256 in counter mode, and SHA-256 over what comes of it. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto"
import type { FileSecrets } from "../../domain/Attachment.ts"

const cipher = "aes-256-ctr"

const unpadded = (bytes: Buffer): string => bytes.toString("base64").replace(/=+$/, "")

const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest()

/** With a new key. The lower half of the counter begins at 0: some clients count in 64 bits, others in 128. */
export const sealFile = (bytes: Uint8Array): { readonly ciphertext: Uint8Array; readonly secrets: FileSecrets } => {
  const key = randomBytes(32)
  const iv = Buffer.concat([randomBytes(8), Buffer.alloc(8)])
  const sealing = createCipheriv(cipher, key, iv)
  const ciphertext = Buffer.concat([sealing.update(bytes), sealing.final()])
  return {
    ciphertext,
    secrets: { key: key.toString("base64url"), iv: unpadded(iv), sha256: unpadded(sha256(ciphertext)) }
  }
}

/** The bytes in clear; undefined when they are not those that were sealed: counter mode by itself would open anything. */
export const openFile = (ciphertext: Uint8Array, secrets: FileSecrets): Uint8Array | undefined => {
  if (!sha256(ciphertext).equals(Buffer.from(secrets.sha256, "base64"))) return undefined
  const opening = createDecipheriv(cipher, Buffer.from(secrets.key, "base64url"), Buffer.from(secrets.iv, "base64"))
  return new Uint8Array(Buffer.concat([opening.update(ciphertext), opening.final()]))
}
