import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import {
  ClientEvent,
  Filter,
  HttpApiEvent,
  type ISyncResponse,
  type MatrixClient,
  MemoryStore,
  SyncState
} from "matrix-js-sdk/lib/matrix.js"
import { type CryptoUnusable, type HomeserverUnreachable, type SessionEnded, SyncStalled } from "../../domain/Errors.ts"
import type { SyncToken } from "../../domain/Ids.ts"
import type { Settings } from "../AppConfig.ts"
import { elapsedUnsafe } from "../Elapsed.ts"
import { isBackend } from "./CryptoBackend.ts"
import * as Fetch from "./Fetch.ts"
import { field, textField } from "./Json.ts"
import { unreachable } from "./Patience.ts"
import { RecoveryKey } from "./RecoveryKey.ts"
import { makeClient } from "./SdkClient.ts"
import { SdkCrypto } from "./SdkCrypto.ts"
import { answerVerifications } from "./SdkVerification.ts"
import { wholeOf } from "./ShownAnswer.ts"
import { type Credentials, sessionEnded } from "./SignedIn.ts"
import { syncFilter } from "./SyncFilter.ts"
import { passOnNews } from "./SyncNews.ts"
import * as Watchdog from "./Watchdog.ts"

/** The server does not know the `since` that a first sync was asked for. */
export class CursorUnknown extends Data.TaggedError("CursorUnknown") {}

/** The same of a later one: whoever begins anew asks for the first sync with the cursor of the store. */
const cursorForgotten = new SyncStalled({
  silentFor: 0,
  detail: "the homeserver has forgotten the place from which it was to go on."
})

/** An answer of `/sync` at the gate. The SDK asks for nothing more until it is released. */
export interface Arrival {
  readonly raw: unknown
  /** Why the SDK could not process it, when it is passed over. */
  readonly passedOver: string | undefined
  readonly release: Effect.Effect<void>
}

/**
 * An answer of `/sync` that the SDK could not process. It goes on all the same, with its cursor beyond the answer (sync.ts:899) and beyond
 * room keys in it that were not kept. So the answer is asked for once more; but what fails twice must not keep the bot from starting for ever.
 */
export interface Stumble {
  /** The answer to this `since` failed before: what is in it for the SDK is passed over. */
  readonly passOver: boolean
  /** The answer to `since` failed, undefined for a first sync. Called from inside the SDK. */
  readonly note: (since: string | undefined) => void
}

type Ending = CryptoUnusable | SessionEnded | SyncStalled

/** One life of the SDK's client: stopping closes what it holds, so that every start makes a new one. */
export interface SdkRun {
  readonly client: MatrixClient
  /** Waits for the next answer. */
  readonly next: Effect.Effect<Arrival>
  /** Fails when there will be no first answer. */
  readonly noStart: Effect.Effect<never, HomeserverUnreachable | CursorUnknown | Ending>
  /** Fails when the SDK's loop has ended, or must not go on. */
  readonly ended: Effect.Effect<never, Ending>
  /** The same, and when it is silent for too long while it is its turn. */
  readonly noLife: Effect.Effect<never, Ending>
  /** A sign of life. */
  readonly alive: Effect.Effect<void>
  readonly stop: Effect.Effect<void>
}

/**
 * The SDK awaits `setSyncData` before it reports a sync and before its next request (sync.ts:904): that makes it the
 * gate of reconciliation, the door to the inbox and the brake, in one.
 */
class GateStore extends MemoryStore {
  readonly #since: string | undefined
  readonly #gate: (data: ISyncResponse) => Promise<void>

  constructor(since: string | undefined, gate: (data: ISyncResponse) => Promise<void>) {
    super()
    this.#since = since
    this.#gate = gate
    // Without this a first request that fails is tried again without `since`: a silent initial sync.
    if (since !== undefined) this.setSyncToken(since)
  }

  override getSavedSyncToken(): Promise<string | null> {
    return Promise.resolve(this.#since ?? null)
  }

  override setSyncData(data: ISyncResponse): Promise<void> {
    return this.#gate(data)
  }
}

/** Starts a client that syncs from `since`, and holds it at the gate with its first answer. */
export const startRun = Effect.fn("SdkRun.start")(function*(
  credentials: Credentials,
  since: SyncToken | undefined,
  settings: Settings,
  stumble: Stumble
) {
  const clock = yield* Clock.Clock
  const crypto = yield* SdkCrypto
  const scope = yield* Scope.fork(yield* Effect.scope)
  const arrivals = yield* Queue.unbounded<Arrival>()
  const noStart = yield* Deferred.make<never, HomeserverUnreachable | CursorUnknown>()
  const ended = yield* Deferred.make<never, Ending>()
  const watchdog = yield* Watchdog.make
  const patienceEnds = elapsedUnsafe(clock) + Duration.toMillis(settings.startPatience)

  // What the SDK's callbacks read and write. They run outside of any fiber, and none of them may throw.
  let stopped = false
  let isFirst = true
  let problem: string | undefined
  let atGate: (() => void) | undefined
  let position: string | undefined = since
  let unprocessed: string | undefined
  const fail = <E>(deferred: Deferred.Deferred<never, E>, error: E) =>
    void Deferred.doneUnsafe(deferred, Effect.fail(error))
  const giveUp = (detail: string) => fail(noStart, unreachable(credentials.session.homeserverUrl, detail))

  const gate = (shown: ISyncResponse) =>
    new Promise<void>((release) => {
      if (stopped) return release()
      atGate = release
      const passedOver = unprocessed
      unprocessed = undefined
      // Nobody is told of it: whoever comes next asks for it again.
      if (passedOver !== undefined && !(isFirst && stumble.passOver)) return
      const raw = wholeOf(shown)
      if (raw === undefined) {
        // To go on would move the cursor past messages that were never seen.
        return fail(
          ended,
          new SyncStalled({ silentFor: 0, detail: "the SDK brought an answer that was not the server's." })
        )
      }
      isFirst = false
      watchdog.alive()
      position = textField(raw, "next_batch")
      Queue.offerUnsafe(arrivals, { raw, passedOver, release: Effect.sync(release) })
    })

  const fetchFn = yield* Fetch.make({
    syncTimeout: settings.syncTimeout,
    firstSyncDeadline: settings.startPatience,
    hooks: {
      isFirst: () => isFirst,
      onSign: watchdog.alive,
      onProblem: (detail) => {
        problem = detail
        if (isFirst && elapsedUnsafe(clock) >= patienceEnds) giveUp(detail)
      },
      onUnknownCursor: () => isFirst ? fail(noStart, new CursorUnknown()) : fail(ended, cursorForgotten),
      onKeysClash: () => fail(ended, crypto.olderState(client))
    }
  }).pipe(Scope.provide(scope))

  const client = makeClient(credentials, new GateStore(since, gate), fetchFn, (yield* RecoveryKey).callbacks)
  yield* crypto.attach(client)
  yield* answerVerifications(client, credentials.session.userId, settings).pipe(Effect.forkIn(scope))
  client.on(HttpApiEvent.SessionLoggedOut, (error) => {
    fail(ended, sessionEnded(credentials.session, field(error.data, "soft_logout") === true, settings))
  })
  const stumbled = (cause: unknown) => {
    const name = cause instanceof Error ? cause.name : typeof cause
    unprocessed = name
    if (isFirst && stumble.passOver) return
    stumble.note(position)
    fail(ended, new SyncStalled({ silentFor: 0, detail: `the SDK could not process an answer (${name}).` }))
  }
  client.on(ClientEvent.SyncUnexpectedError, stumbled)
  const keys = client.getCrypto()
  if (keys !== undefined && isBackend(keys)) yield* passOnNews(keys, stumbled)
  client.on(ClientEvent.Sync, (state) => {
    if (state !== SyncState.Stopped || stopped) return
    fail(ended, new SyncStalled({ silentFor: 0, detail: "the SDK stopped its sync loop." }))
  })

  // `startClient` comes back at once even when the server is down: what counts is the arrival at the gate.
  yield* Effect.tryPromise({
    try: () =>
      client.startClient({
        pollTimeout: Duration.toMillis(settings.syncTimeout),
        filter: Filter.fromJson(credentials.session.userId, "", syncFilter),
        initialSyncLimit: syncFilter.room.timeline.limit,
        disablePresence: true,
        lazyLoadMembers: false,
        threadSupport: false
      }),
    catch: () => new SyncStalled({ silentFor: 0, detail: "the SDK could not start its sync loop." })
  }).pipe(Effect.catch((stalled) => Effect.sync(() => fail(ended, stalled))), Effect.forkIn(scope))

  // A server that is slow with a large account is waited for; one that gives no answer, only as long as the patience.
  yield* Effect.sleep(settings.startPatience).pipe(
    Effect.andThen(Effect.sync(() => {
      if (isFirst && problem !== undefined) giveUp(problem)
    })),
    Effect.forkIn(scope)
  )

  const run: SdkRun = {
    client,
    next: Queue.take(arrivals),
    noStart: Effect.raceAllFirst([
      Deferred.await(noStart),
      Deferred.await(ended),
      // The first answer for a large account takes the server long.
      watchdog.watch(Duration.max(settings.syncTimeout, settings.startPatience))
    ]),
    ended: Deferred.await(ended),
    noLife: Effect.raceFirst(Deferred.await(ended), watchdog.watch(settings.syncTimeout)),
    alive: Effect.sync(watchdog.alive),
    stop: Effect.sync(() => {
      stopped = true
      client.stopClient()
      // The loop waits at the gate for a release that nobody else gives; now it sees that it was stopped, and ends.
      atGate?.()
    }).pipe(Effect.andThen(Scope.close(scope, Exit.void)))
  }
  return run
})
