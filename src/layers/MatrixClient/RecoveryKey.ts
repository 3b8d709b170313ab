import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { CryptoCallbacks } from "matrix-js-sdk/lib/crypto-api/index.js"
import { decodeRecoveryKey, encodeRecoveryKey } from "matrix-js-sdk/lib/crypto-api/recovery-key.js"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import { join } from "node:path"
import { EncryptionLocked } from "../../domain/Errors.ts"
import { AppConfig } from "../AppConfig.ts"
import { makeFile } from "./NewFile.ts"

type Bytes = Uint8Array<ArrayBuffer>

export interface NewRecoveryKey {
  readonly bytes: Bytes
  /** As people write it (Appendices, "Cryptographic key representation"). */
  readonly text: Redacted.Redacted
}

/**
 * The key of the account's secret storage (Client-Server API, "Secrets"), which holds the identity and the key of the backup. It is no log's
 * business, and no argument's, which `ps` would show: it is configured, or kept in the file `recovery.key` of the data directory. Whoever
 * reads that directory has `crypto.db` and its key anyway; whoever keeps that key elsewhere gets no such file.
 */
export class RecoveryKey extends Context.Service<RecoveryKey, {
  /** The configured one, or the one of the file; undefined when there is none. */
  readonly load: Effect.Effect<Bytes | undefined, EncryptionLocked>
  /** Where a new one is kept; undefined where none may be. */
  readonly path: string | undefined
  /** The one of `load`, or a new one, which is on the disk before this returns. Undefined where none may be kept. */
  readonly loadOrMake: Effect.Effect<Bytes | undefined, EncryptionLocked>
  /** A new one that is kept nowhere. */
  readonly make: Effect.Effect<NewRecoveryKey>
  /** Forgets the file. */
  readonly forget: Effect.Effect<void, EncryptionLocked>
  /** How the SDK asks for a key. Those it was lent are given; it asks in the middle of its own work. */
  readonly callbacks: CryptoCallbacks
  /** Gives the SDK a key until the scope ends. */
  lend(keyId: string, key: Bytes): Effect.Effect<void>
}>()("homing/MatrixClient/RecoveryKey") {
  static readonly layer = Layer.effect(
    RecoveryKey,
    Effect.gen(function*() {
      const { cryptoKey, dataDir, recoveryKey } = yield* AppConfig
      const path = cryptoKey === undefined && dataDir !== ":memory:" ? join(dataDir, "recovery.key") : undefined
      const lent = new Map<string, Bytes>()

      const make = Effect.sync((): NewRecoveryKey => {
        const bytes = Uint8Array.from(randomBytes(32))
        return { bytes, text: Redacted.make(encodeRecoveryKey(bytes) ?? "") }
      })
      const inFile = path === undefined ? Effect.succeed(undefined) : attempt(path, () => readOrNothing(path))
      const load = recoveryKey !== undefined
        ? decoded(Redacted.value(recoveryKey), "HOMING_RECOVERY_KEY")
        : Effect.flatMap(
          inFile,
          (text) => text === undefined ? Effect.succeed(undefined) : decoded(text, path ?? "")
        )

      return RecoveryKey.of({
        load,
        path,
        make,
        loadOrMake: Effect.gen(function*() {
          const known = yield* load
          if (known !== undefined || path === undefined) return known
          const { bytes, text } = yield* make
          yield* attempt(path, () => makeFile(path, `${Redacted.value(text)}\n`))
          yield* Effect.logInfo("recovery_key_made").pipe(
            Effect.annotateLogs({
              file: path,
              remedy: "Copy this file to a safe place: it opens the backup of the keys when this machine is lost."
            })
          )
          return bytes
        }),
        forget: path === undefined ? Effect.void : attempt(path, () => Fs.rmSync(path, { force: true })),
        lend: (keyId, key) => Effect.sync(() => void lent.set(keyId, key)),
        callbacks: {
          getSecretStorageKey: ({ keys }) => {
            const found = Object.keys(keys).find((id) => lent.has(id))
            const key = found === undefined ? undefined : lent.get(found)
            return Promise.resolve(found === undefined || key === undefined ? null : [found, key])
          },
          cacheSecretStorageKey: (keyId, _info, key) => void lent.set(keyId, key)
        }
      })
    })
  )
}

const readOrNothing = (path: string): string | undefined =>
  Fs.existsSync(path) ? Fs.readFileSync(path, "utf8").trim() : undefined

const attempt = <A>(path: string, work: () => A): Effect.Effect<A, EncryptionLocked> =>
  Effect.try({
    try: work,
    catch: (cause) =>
      new EncryptionLocked({
        detail: `The recovery key in ${path} cannot be read or kept (${
          cause instanceof Error && "code" in cause ? String(cause.code) : "unknown"
        }).`,
        remedy: "Let the user who runs the bot read and write it, or set HOMING_RECOVERY_KEY_FILE."
      })
  })

const decoded = (text: string, name: string): Effect.Effect<Bytes, EncryptionLocked> =>
  Effect.try({
    try: () => decodeRecoveryKey(text),
    catch: () =>
      new EncryptionLocked({
        detail: text === ""
          ? `${name} is empty.`
          : `${name} holds no recovery key: a character is wrong or missing.`,
        remedy: text === ""
          ? "Put your copy of the recovery key there. If there never was one, delete the file, and the next start makes it."
          : "Write it as it was shown, in groups of four."
      })
  })
