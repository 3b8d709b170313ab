import { KeysUploadRequest, OlmMachine } from "@matrix-org/matrix-sdk-crypto-wasm"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import type { CryptoApi } from "matrix-js-sdk/lib/crypto-api/index.js"
import type { MatrixClient } from "matrix-js-sdk/lib/matrix.js"
import { join } from "node:path"
import { keysStanding } from "../../domain/Encryption.ts"
import { CryptoUnusable, type HomeserverUnreachable, type StoreUnavailable } from "../../domain/Errors.ts"
import type { DeviceId } from "../../domain/Ids.ts"
import { AppConfig } from "../AppConfig.ts"
import { Store } from "../Store.ts"
import { keyFromFile, keyFromSetting, markOf, passingKey } from "./CryptoKey.ts"
import * as IndexedDb from "./IndexedDb.ts"
import { beginAnew } from "./IndexedDb/Problem.ts"
import { field, textField } from "./Json.ts"
import { makeKeptDevice } from "./KeptDevice.ts"
import { NoAnswer } from "./NoAnswer.ts"
import { withPatience } from "./Patience.ts"
import { failureOf } from "./SdkRequests.ts"

/** The SDK looks for `indexedDB` in the global scope while it opens its store: two clients must not do that at once. */
const opening = Semaphore.makeUnsafe(1)

/** Readies the crypto of the SDK's clients, over `crypto.db` beside the database of the store. */
export class SdkCrypto extends Context.Service<SdkCrypto, {
  /** The device whose keys these are; undefined when they are yet to be made. */
  readonly device: Effect.Effect<DeviceId | undefined>
  /** Gives a client its crypto, with the keys of its device. To be called before it syncs. Makes no request. */
  attach(client: MatrixClient): Effect.Effect<void, CryptoUnusable>
  /**
   * Fails when the keys here are not, or no more, those that the server tells others of this device: not one of its messages would be read.
   * To be asked before it uploads anything. A server that does not answer is waited for as long as the patience of a start: without an
   * answer nothing may be uploaded.
   */
  isTheDevice(client: MatrixClient): Effect.Effect<void, CryptoUnusable | HomeserverUnreachable>
  /** What the server's refusal of one-time keys means: `crypto.db` is an older one, put back after a newer one had been used. */
  olderState(client: MatrixClient): CryptoUnusable
}>()("homing/MatrixClient/SdkCrypto") {
  static readonly layer: Layer.Layer<SdkCrypto, CryptoUnusable | StoreUnavailable, AppConfig | Store> = Layer.effect(
    SdkCrypto,
    Effect.gen(function*() {
      const { cryptoKey, dataDir, shareKeys, startPatience } = yield* AppConfig
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
        olderState: (client) => notTheDevice.older(path, client.getDeviceId() ?? ""),

        attach: Effect.fn("SdkCrypto.attach")(function*(client) {
          yield* Effect.tryPromise({
            try: () => client.initRustCrypto({ storageKey }),
            catch: (cause) => unusable(path, cause)
          })
          const crypto = client.getCrypto()
          if (crypto === undefined) return
          const { ed25519 } = yield* Effect.promise(() => crypto.getOwnDeviceKeys())
          yield* kept.keep(client.getDeviceId(), { fingerprint: ed25519, key: markOf(storageKey) })
          crypto.globalBlacklistUnverifiedDevices = shareKeys === "verified"
          askOwnSessions(crypto)
        }, (effect) => opening.withPermit(Effect.scoped(Effect.andThen(IndexedDb.install(factory), effect)))),

        isTheDevice: Effect.fn("SdkCrypto.isTheDevice")(function*(client) {
          const crypto = client.getCrypto()
          if (crypto === undefined) return
          const { ed25519: here } = yield* Effect.promise(() => crypto.getOwnDeviceKeys())
          const url = client.getHomeserverUrl()
          const published = yield* withPatience(publishedKey(client), { url, patience: startPatience })
          const announced = published === undefined && (yield* Effect.promise(() => haveBeenAnnounced(crypto)))
          const standing = keysStanding({ here, published, announced })
          if (standing !== "own") return yield* notTheDevice[standing](path, client.getDeviceId() ?? "")
        })
      })
    })
  )
}

/** The ed25519 key of the client's device as the server tells it to others; undefined when it has none. */
const publishedKey = (client: MatrixClient): Effect.Effect<string | undefined, NoAnswer> => {
  const [userId, deviceId] = [client.getSafeUserId(), client.getDeviceId() ?? ""]
  const noAnswer = (detail: string, final: boolean) =>
    new NoAnswer({ detail: `it does not tell the keys of this device: ${detail}`, final })
  return Effect.tryPromise({
    try: () => client.downloadKeysForUsers([userId]),
    catch: (thrown) => {
      const { detail, reason } = failureOf("query own keys", thrown)
      return noAnswer(detail, reason._tag === "UnknownToken" || reason._tag === "Forbidden")
    }
  }).pipe(Effect.flatMap(({ device_keys, failures }) => {
    const devices: unknown = device_keys?.[userId]
    // A server that asks another process for them may answer without them.
    return devices === undefined && Object.keys(failures ?? {}).length > 0
      ? Effect.fail(noAnswer("it has them from somewhere else, which did not answer.", false))
      : Effect.succeed(textField(field(field(devices, deviceId), "keys"), `ed25519:${deviceId}`))
  }))
}

/** What is below the SDK's crypto. It shows that to nobody. */
const machineOf = (crypto: CryptoApi): OlmMachine | undefined => {
  const machine: unknown = Reflect.get(crypto, "olmMachine")
  return machine instanceof OlmMachine ? machine : undefined
}

/** Room keys that are missing here are asked of the account's other sessions, where it has any. The SDK has it switched off. */
const askOwnSessions = (crypto: CryptoApi): void => {
  const machine = machineOf(crypto)
  if (machine !== undefined) machine.roomKeyRequestsEnabled = true
}

/** Whether the keys of the device went to a server before: else they are among what the SDK has to send. */
const haveBeenAnnounced = async (crypto: CryptoApi): Promise<boolean> => {
  const machine = machineOf(crypto)
  if (machine === undefined) return false
  const waiting = await machine.outgoingRequests()
  return !waiting.some((request) =>
    request instanceof KeysUploadRequest && field(JSON.parse(request.body), "device_keys") !== undefined
  )
}

const capital = (sentence: string): string => sentence.charAt(0).toUpperCase() + sentence.slice(1)

const notTheDevice = {
  others: (path: string, device: string) =>
    new CryptoUnusable({
      detail: `${path} is new, but device ${device} had other keys before, which are lost.`,
      remedy: `Put back the crypto.db and crypto.key of this device, or ${beginAnew}`
    }),
  deleted: (path: string, device: string) =>
    new CryptoUnusable({
      detail: `the homeserver has deleted device ${device}, whose keys are in ${path}: it was signed out there. ` +
        "Nobody can encrypt for it any more.",
      remedy: capital(beginAnew)
    }),
  // To go on would encrypt with keys that have been used: nothing here can be mended by making others.
  older: (path: string, device: string) =>
    new CryptoUnusable({
      detail: `${path} is older than what the homeserver knows of device ${device}, as after a backup was put back: ` +
        "what others encrypt for it now cannot be read with these keys.",
      remedy: `${capital(beginAnew)} Chats are kept.`
    })
} as const

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
