import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { ClientEvent, type MatrixClient, MatrixError, type UIAuthCallback } from "matrix-js-sdk/lib/matrix.js"
import type { EncryptionState } from "../../domain/Encryption.ts"
import { EncryptionLocked, type MatrixFailure } from "../../domain/Errors.ts"
import { AppConfig, type Settings } from "../AppConfig.ts"
import type { MatrixCrypto } from "../MatrixClient.ts"
import { field, list, textField } from "./Json.ts"
import { RecoveryKey } from "./RecoveryKey.ts"
import { failure } from "./Requests.ts"
import { SdkClient } from "./SdkClient.ts"
import { compareWith } from "./SdkComparison.ts"
import { SdkCrypto } from "./SdkCrypto.ts"
import { failureOf } from "./SdkRequests.ts"

/**
 * The account's identity, its secrets and its backup, as far as the SDK sets them up. What another session made is never replaced: with its
 * recovery key it is taken over, without it is left alone.
 */
export const make: Effect.Effect<
  Pick<MatrixCrypto["Service"], "compare" | "establish" | "state" | "renewRecoveryKey">,
  never,
  AppConfig | RecoveryKey | SdkClient | SdkCrypto
> = Effect.gen(function*() {
  const settings = yield* AppConfig
  const recovery = yield* RecoveryKey
  const sdk = yield* SdkClient
  const { attach, isTheDevice } = yield* SdkCrypto

  /** The client with its keys: the one that syncs, once it does, or one that never will. */
  const ready = Effect.gen(function*() {
    const client = yield* sdk.current
    if (!client.clientRunning) {
      if (client.getCrypto() === undefined) yield* attach(client)
      // One that syncs was asked before its first answer was let through.
      yield* isTheDevice(client).pipe(
        Effect.catchTag(
          "HomeserverUnreachable",
          ({ detail }) => failure("query own keys", { _tag: "Unreachable", detail }, detail)
        )
      )
    }
    yield* synced(client)
    const crypto = client.getCrypto()
    if (crypto === undefined) return yield* failure("read keys", stopped, "The client has no keys.")
    return { client, crypto, userId: client.getSafeUserId(), deviceId: client.getDeviceId() ?? "" }
  })
  type Ready = Effect.Success<typeof ready>

  /** Lends the SDK the recovery key that is known, if it opens the account's secret storage. */
  const openStorage = Effect.fnUntraced(function*({ client }: Ready) {
    const keyId = yield* ask("read secret storage", () => client.secretStorage.getDefaultKeyId())
    if (keyId === null) return "none"
    const key = yield* recovery.load
    if (key === undefined) return "locked"
    const found = yield* ask("read secret storage", () => client.secretStorage.getKey(keyId))
    if (found === null || !(yield* ask("check the recovery key", () => client.secretStorage.checkKey(key, found[1])))) {
      return "locked"
    }
    yield* recovery.lend(keyId, key)
    return "open"
  })

  const look = Effect.fnUntraced(function*(ready: Ready) {
    const { crypto, deviceId, userId } = ready
    // Asks the server, so that what is said of the device is what others see.
    const exists = yield* ask("read own keys", () => crypto.userHasCrossSigningKeys(userId, true))
    const isHere = exists && (yield* ask("read own keys", () => crypto.getCrossSigningKeyId())) !== null
    const device = yield* ask("read own keys", () => crypto.getDeviceVerificationStatus(userId, deviceId))
    const { ed25519 } = yield* ask("read own keys", () => crypto.getOwnDeviceKeys())
    const checked = yield* ask("read the key backup", () => crypto.checkKeyBackupAndEnable())
    const state: EncryptionState = {
      user: userId,
      device: deviceId,
      fingerprint: ed25519,
      identity: isHere ? "here" : exists ? "elsewhere" : "none",
      signed: device?.signedByOwner === true,
      storage: yield* openStorage(ready),
      backup: {
        version: checked?.backupInfo.version,
        on: (yield* ask("read the key backup", () => crypto.getActiveSessionBackupVersion())) !== null
      }
    }
    return state
  })

  const haveIdentity = Effect.fnUntraced(function*({ crypto, deviceId }: Ready, state: EncryptionState) {
    if (state.identity === "none") {
      if (state.storage === "locked") return yield* lockedOut
      const confirm = confirmation(settings, state.user)
      return yield* ask(
        "make the identity",
        () => crypto.bootstrapCrossSigning({ setupNewCrossSigning: true, authUploadDeviceSigningKeys: confirm })
      )
    }
    if (state.identity === "elsewhere") {
      const { privateKeysInSecretStorage } = yield* ask("read secret storage", () => crypto.getCrossSigningStatus())
      // Without them the SDK would make a new identity in place of the one that people have verified.
      if (state.storage !== "open" || !privateKeysInSecretStorage) {
        // Whoever holds the identity may have signed the device: then it is verified, and that is all that this one can be.
        return state.signed ? undefined : yield* lockedOut
      }
      yield* ask("take over the identity", () => crypto.bootstrapCrossSigning({}))
    }
    if (!state.signed) yield* ask("sign the device", () => crypto.crossSignDevice(deviceId))
  })

  const haveStorage = Effect.fnUntraced(function*({ crypto }: Ready, { identity, storage }: EncryptionState) {
    if (storage === "locked") return
    // Secret storage is for whoever has the secrets to make.
    if (storage === "none" && identity === "elsewhere") return
    if (storage === "open") {
      if (yield* ask("read secret storage", () => crypto.isSecretStorageReady())) return
      return yield* ask("fill secret storage", () => crypto.bootstrapSecretStorage({}))
    }
    const key = yield* recovery.loadOrMake
    if (key === undefined) return
    const createSecretStorageKey = () => Promise.resolve({ privateKey: key })
    yield* ask("make secret storage", () => crypto.bootstrapSecretStorage({ createSecretStorageKey }))
  })

  const haveBackup = Effect.fnUntraced(function*(ready: Ready, { backup }: EncryptionState) {
    const { crypto } = ready
    if (backup.on && (yield* ask("read the key backup", () => crypto.getSessionBackupPrivateKey())) !== null) return
    // A backup whose key is kept nowhere could be written and never read.
    if ((yield* openStorage(ready)) !== "open") return
    if (backup.version === undefined) return yield* ask("make the key backup", () => crypto.resetKeyBackup())
    yield* ask("open the key backup", () => crypto.loadSessionBackupPrivateKeyFromSecretStorage())
    yield* ask("open the key backup", () => crypto.checkKeyBackupAndEnable())
  })

  return {
    state: Effect.flatMap(ready, look).pipe(Effect.withSpan("MatrixCrypto.state")),

    compare: Effect.fn("MatrixCrypto.compare")(function*(user, decide) {
      const { client, crypto } = yield* ready
      return yield* compareWith({ client, crypto, user, decide })
    }),

    establish: Effect.gen(function*() {
      const device = yield* ready
      const before = yield* look(device)
      yield* haveIdentity(device, before)
      yield* haveStorage(device, before)
      yield* haveBackup(device, before)
      const after = yield* look(device)
      // A server takes a signature of a device that it does not know yet, and drops it.
      if (!after.signed) return yield* failure("sign the device", stopped, "The signature has not arrived.")
      return after
    }).pipe(Effect.withSpan("MatrixCrypto.establish")),

    renewRecoveryKey: Effect.gen(function*() {
      const device = yield* ready
      if ((yield* look(device)).identity !== "here") return yield* lockedOut
      const { bytes, text } = yield* recovery.make
      const createSecretStorageKey = () => Promise.resolve({ privateKey: bytes })
      yield* ask(
        "make secret storage",
        () => device.crypto.bootstrapSecretStorage({ createSecretStorageKey, setupNewSecretStorage: true })
      )
      yield* recovery.forget
      return text
    }).pipe(Effect.withSpan("MatrixCrypto.renewRecoveryKey"))
  }
})

const stopped = { _tag: "Unreachable", detail: "not now" } as const

const lockedOut = Effect.fail(
  new EncryptionLocked({
    detail: "The identity of this account was made by another session, and this one cannot use it.",
    remedy: `Give its recovery key with "homing verify --recovery-key" or HOMING_RECOVERY_KEY_FILE.`
  })
)

/** Requests of the SDK: its errors in our words. */
const ask = <A>(name: string, work: () => Promise<A>): Effect.Effect<A, EncryptionLocked | MatrixFailure> =>
  Effect.tryPromise({
    try: work,
    catch: (thrown) => thrown instanceof EncryptionLocked ? thrown : failureOf(name, thrown)
  })

/** Until the gate is released nothing is to be asked but `/sync`. */
const synced = (client: MatrixClient): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const look = () => {
      if (client.clientRunning && !client.isInitialSyncComplete()) return
      client.off(ClientEvent.Sync, look)
      resume(Effect.void)
    }
    client.on(ClientEvent.Sync, look)
    look()
    return Effect.sync(() => client.off(ClientEvent.Sync, look))
  })

/** Whoever changes an identity must show that the account is theirs (Client-Server API, "User-Interactive Authentication"). */
const confirmation = (settings: Pick<Settings, "password">, user: string): UIAuthCallback<void> => (request) =>
  request(null).catch((thrown: unknown) => {
    if (!(thrown instanceof MatrixError) || thrown.httpStatus !== 401) throw thrown
    const flows = list(field(thrown.data, "flows")).map((flow) => JSON.stringify(field(flow, "stages")))
    if (settings.password === undefined || !flows.includes(`["m.login.password"]`)) {
      throw new EncryptionLocked({
        detail: "The homeserver asks for the account's owner before the bot may be verified.",
        remedy: flows.includes(`["m.login.password"]`)
          ? `Start it once with HOMING_PASSWORD, or run "homing verify" with it.`
          : "Allow it on the account's page at the homeserver, then start the bot again."
      })
    }
    return request({
      type: "m.login.password",
      identifier: { type: "m.id.user", user },
      password: Redacted.value(settings.password),
      session: textField(thrown.data, "session") ?? ""
    })
  })
