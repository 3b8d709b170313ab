import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as MutableRef from "effect/MutableRef"
import * as Redacted from "effect/Redacted"
import type { CryptoCallbacks } from "matrix-js-sdk/lib/crypto-api/index.js"
import { logger as globalLogger } from "matrix-js-sdk/lib/logger.js"
import {
  type AccountDataEvents,
  MatrixClient,
  MatrixError,
  MemoryStore,
  Method,
  type Store,
  type WritableAccountDataEvents
} from "matrix-js-sdk/lib/matrix.js"
import { AppConfig } from "../AppConfig.ts"
import * as Fetch from "./Fetch.ts"
import { RecoveryKey } from "./RecoveryKey.ts"
import { type Credentials, SignedIn } from "./SignedIn.ts"

interface Silent {
  trace(): void
  debug(): void
  info(): void
  warn(): void
  error(): void
  getChild(): Silent
}

const nothing = () => {}
const silent: Silent = {
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  getChild: () => silent
}

/** The SDK logs every request; what a person needs to know, Homing says itself. Children copy the factory of the parent. */
const silence = Effect.sync(() => {
  const logger: object = globalLogger
  if ("methodFactory" in logger && "rebuild" in logger && typeof logger.rebuild === "function") {
    logger.methodFactory = () => nothing
    logger.rebuild()
  }
})

/**
 * The SDK reads account data from what a sync has brought, and waits for the sync to bring what it wrote. Secret storage, its only user here,
 * is to work for a client that does not sync, too, and not to depend on what a filter leaves out.
 */
class PlainClient extends MatrixClient {
  override setAccountData<K extends keyof WritableAccountDataEvents>(
    type: K,
    content: AccountDataEvents[K] | Record<string, never>
  ) {
    return this.setAccountDataRaw(type, content)
  }

  override getAccountDataFromServer<K extends keyof AccountDataEvents>(type: K): Promise<AccountDataEvents[K] | null> {
    const path = `/user/${encodeURIComponent(this.getSafeUserId())}/account_data/${encodeURIComponent(type)}`
    return this.http.authedRequest<AccountDataEvents[K]>(Method.Get, path).catch((thrown: unknown) => {
      if (thrown instanceof MatrixError && thrown.errcode === "M_NOT_FOUND") return null
      throw thrown
    })
  }
}

/** Not `createClient`: that adds a scheduler which sends to one room at a time. `cryptoCallbacks` give it the recovery key. */
export const makeClient = (
  credentials: Credentials,
  store: Store,
  fetchFn: typeof globalThis.fetch,
  cryptoCallbacks: CryptoCallbacks
): MatrixClient =>
  new PlainClient({
    baseUrl: credentials.session.homeserverUrl,
    userId: credentials.session.userId,
    deviceId: credentials.session.deviceId,
    accessToken: Redacted.value(credentials.accessToken),
    store,
    fetchFn,
    cryptoCallbacks,
    logger: silent,
    disableVoip: true
  })

/**
 * Whether the keys of this client are closed, as they are while a session that ended is had back. Whoever asks them now gets no answer,
 * and what Rust throws at that ends the process.
 */
export const isStopped = (client: MatrixClient): boolean => client.getCrypto() !== undefined && !client.clientRunning

/** The SDK's client in use: the one that syncs, or one that only sends requests while none does. */
export class SdkClient extends Context.Service<SdkClient, {
  readonly current: Effect.Effect<MatrixClient>
  use(client: MatrixClient): Effect.Effect<void>
}>()("homing/MatrixClient/SdkClient") {
  static readonly layer = Layer.effect(
    SdkClient,
    Effect.gen(function*() {
      yield* silence
      const { startPatience, syncTimeout } = yield* AppConfig
      const signedIn = yield* SignedIn
      const { callbacks } = yield* RecoveryKey
      const fetchFn = yield* Fetch.make({ syncTimeout, firstSyncDeadline: startPatience, hooks: undefined })
      const latest = MutableRef.make<MatrixClient | undefined>(undefined)
      return SdkClient.of({
        current: Effect.map(signedIn.credentials, (credentials) => {
          const client = MutableRef.get(latest)
          if (client?.getAccessToken() === Redacted.value(credentials.accessToken)) return client
          const next = makeClient(credentials, new MemoryStore(), fetchFn, callbacks)
          MutableRef.set(latest, next)
          return next
        }),
        use: (client) => Effect.sync(() => void MutableRef.set(latest, client))
      })
    })
  )
}
