import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import type { CryptoBackend } from "matrix-js-sdk/lib/common-crypto/CryptoBackend.js"
import type { CryptoApi } from "matrix-js-sdk/lib/crypto-api/index.js"
import type { MatrixClient } from "matrix-js-sdk/lib/matrix.js"
import { join } from "node:path"
import { CryptoUnusable, type StoreUnavailable } from "../../domain/Errors.ts"
import type { DeviceId } from "../../domain/Ids.ts"
import { AppConfig } from "../AppConfig.ts"
import { Store } from "../Store.ts"
import { keyFromFile, keyFromSetting, passingKey } from "./CryptoKey.ts"
import * as IndexedDb from "./IndexedDb.ts"
import { makeKeptDevice } from "./KeptDevice.ts"

/** The SDK looks for `indexedDB` in the global scope while it opens its store: two clients must not do that at once. */
const opening = Semaphore.makeUnsafe(1)

/** The SDK encrypts and decrypts by itself only what it sends and keeps by itself; the outbox and the inbox have what they store. */
export const isBackend = (crypto: CryptoApi): crypto is CryptoBackend => "encryptEvent" in crypto

/** Readies the crypto of the SDK's clients, over `crypto.db` beside the database of the store. */
export class SdkCrypto extends Context.Service<SdkCrypto, {
  /** The device whose keys these are; undefined when they are yet to be made. */
  readonly device: Effect.Effect<DeviceId | undefined>
  /** Gives a client its crypto, with the keys of its device. To be called before it syncs. Makes no request. */
  attach(client: MatrixClient): Effect.Effect<void, CryptoUnusable>
  /**
   * Fails when the server has other keys of this device: those here were made anew after the file was lost. Others would take the device
   * for an impostor, and not one of its messages would be read. To be asked before it uploads anything.
   */
  isTheDevice(client: MatrixClient): Effect.Effect<void, CryptoUnusable>
}>()("homing/MatrixClient/SdkCrypto") {
  static readonly layer: Layer.Layer<SdkCrypto, CryptoUnusable | StoreUnavailable, AppConfig | Store> = Layer.effect(
    SdkCrypto,
    Effect.gen(function*() {
      const { cryptoKey, dataDir, shareKeys } = yield* AppConfig
      // The store has made the directory, and holds its lease.
      yield* Store
      const memory = dataDir === ":memory:"
      const path = memory ? dataDir : join(dataDir, "crypto.db")
      const factory = yield* IndexedDb.open(path)
      // The classes must be there for as long as any client lives.
      yield* IndexedDb.install(factory)
      const kept = yield* makeKeptDevice(factory)
      const storageKey = yield* cryptoKey !== undefined
        ? keyFromSetting(cryptoKey)
        : memory
        ? passingKey
        : keyFromFile(join(dataDir, "crypto.key"))

      return SdkCrypto.of({
        device: kept.read,

        attach: Effect.fn("SdkCrypto.attach")(function*(client) {
          yield* Effect.tryPromise({
            try: () => client.initRustCrypto({ storageKey }),
            catch: (cause) => unusable(path, cause)
          })
          const crypto = client.getCrypto()
          yield* kept.keep(client.getDeviceId())
          if (crypto !== undefined) crypto.globalBlacklistUnverifiedDevices = shareKeys === "verified"
        }, (effect) => opening.withPermit(Effect.scoped(Effect.andThen(IndexedDb.install(factory), effect)))),

        isTheDevice: Effect.fn("SdkCrypto.isTheDevice")(function*(client) {
          const [userId, deviceId] = [client.getSafeUserId(), client.getDeviceId() ?? ""]
          const here = yield* Effect.promise(() => client.getCrypto()?.getOwnDeviceKeys() ?? Promise.resolve(undefined))
          const there = yield* Effect.promise(() => client.downloadKeysForUsers([userId]).catch(() => undefined))
          const published = there?.device_keys[userId]?.[deviceId]?.keys[`ed25519:${deviceId}`]
          // A server that does not answer says nothing against it.
          if (here === undefined || published === undefined || published === here.ed25519) return
          return yield* new CryptoUnusable({
            detail: `${path} is new, but device ${deviceId} had other keys before, which are lost.`,
            remedy: `Put back the crypto.db and crypto.key of this device, or ${beginAnew}`
          })
        })
      })
    })
  )
}

/** The one command: it moves `crypto.db` out of the way, too. */
const beginAnew =
  `run "homing sign-out" and start again: a new device takes its place, and reads old messages with the recovery key.`

/** What went wrong, by the words of the SDK; they hold no key. */
const unusable = (path: string, cause: unknown): CryptoUnusable => {
  const words = cause instanceof Error ? cause.message : String(cause)
  if (/doesn't match/.test(words)) {
    return new CryptoUnusable({
      detail: `${path} holds the keys of another device.`,
      remedy: `Put back the crypto.db that belongs to this session, or ${beginAnew}`
    })
  }
  return new CryptoUnusable({
    detail: `${path} cannot be opened with its key: ${words.slice(0, 200).replace(/\.?$/, ".")}`,
    remedy:
      `Put crypto.db and crypto.key back as they were together; a backup of the data directory has both. Or ${beginAnew}`
  })
}
