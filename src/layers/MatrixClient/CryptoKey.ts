import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import { CryptoUnusable } from "../../domain/Errors.ts"

/** Bytes of the key that crypto.db is encrypted with. */
const keyLength = 32

/** The file that a key is kept in, made with a new key when there is none. Only its owner may read it. */
export const keyFromFile = (path: string): Effect.Effect<Uint8Array, CryptoUnusable> =>
  Effect.try({
    try: () => {
      try {
        // On the disk before it is used: what is encrypted with a lost key is lost.
        const file = Fs.openSync(path, "wx", 0o600)
        Fs.writeSync(file, `${randomBytes(keyLength).toString("base64")}\n`)
        Fs.fsyncSync(file)
        Fs.closeSync(file)
      } catch (cause) {
        if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause
      }
      return Fs.readFileSync(path, "utf8").trim()
    },
    catch: (cause) =>
      new CryptoUnusable({
        detail: `the key file ${path} cannot be read or made (${codeOf(cause)}).`,
        remedy: "Let the user who runs the bot read and write it."
      })
  }).pipe(Effect.flatMap((text) => decoded(text, `the key file ${path}`)))

/** The key as it was configured. */
export const keyFromSetting = (key: Redacted.Redacted): Effect.Effect<Uint8Array, CryptoUnusable> =>
  decoded(Redacted.value(key), "HOMING_CRYPTO_KEY")

export const passingKey: Effect.Effect<Uint8Array> = Effect.sync(() => randomBytes(keyLength))

const decoded = (text: string, name: string): Effect.Effect<Uint8Array, CryptoUnusable> => {
  const key = Buffer.from(text, "base64")
  return key.length === keyLength ? Effect.succeed(key) : Effect.fail(
    new CryptoUnusable({
      detail: `${name} holds no key: it must be ${keyLength} bytes in base64.`,
      remedy: "Put the key back that crypto.db was made with; a backup of the data directory has it."
    })
  )
}

const codeOf = (cause: unknown): string => cause instanceof Error && "code" in cause ? String(cause.code) : "unknown"
