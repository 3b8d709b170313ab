import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { createHmac, randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import { CryptoUnusable } from "../../domain/Errors.ts"
import { beginAnew } from "./IndexedDb/Problem.ts"
import { makeFile } from "./NewFile.ts"

/** Bytes of the key that crypto.db is encrypted with. */
const keyLength = 32

/** The file that a key is kept in, made with a new key when there is none. Only its owner may read it. */
export const keyFromFile = (path: string): Effect.Effect<Uint8Array, CryptoUnusable> =>
  Effect.andThen(
    attempt(path, () => makeFile(path, `${randomBytes(keyLength).toString("base64")}\n`)),
    keyIn(path)
  )

/** The key of a file that is there. */
export const keyIn = (path: string): Effect.Effect<Uint8Array, CryptoUnusable> =>
  attempt(path, () => Fs.readFileSync(path, "utf8").trim()).pipe(
    Effect.flatMap((text) => decoded(text, `the key file ${path}`))
  )

const attempt = <A>(path: string, work: () => A): Effect.Effect<A, CryptoUnusable> =>
  Effect.try({
    try: work,
    catch: (cause) =>
      new CryptoUnusable({
        detail: `the key file ${path} cannot be read or made (${codeOf(cause)}).`,
        remedy: "Let the user who runs the bot read and write it."
      })
  })

/** Tells a key from another without telling the key. */
export const markOf = (key: Uint8Array): string => createHmac("sha256", key).update("homing crypto.db").digest("base64")

/** The key as it was configured. */
export const keyFromSetting = (key: Redacted.Redacted): Effect.Effect<Uint8Array, CryptoUnusable> =>
  decoded(Redacted.value(key), "HOMING_CRYPTO_KEY")

export const passingKey: Effect.Effect<Uint8Array> = Effect.sync(() => randomBytes(keyLength))

const decoded = (text: string, name: string): Effect.Effect<Uint8Array, CryptoUnusable> => {
  const key = Buffer.from(text, "base64")
  return key.length === keyLength ? Effect.succeed(key) : Effect.fail(
    new CryptoUnusable({
      detail: text === ""
        ? `${name} is empty.`
        : `${name} holds no key: it must be ${keyLength} bytes in base64.`,
      remedy: `Put the key back that crypto.db was made with; a backup of the data directory has it. Or ${beginAnew}`
    })
  )
}

const codeOf = (cause: unknown): string => cause instanceof Error && "code" in cause ? String(cause.code) : "unknown"
