import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as MutableRef from "effect/MutableRef"
import * as Scope from "effect/Scope"
import { SyncStalled } from "../../domain/Errors.ts"
import type { SyncToken } from "../../domain/Ids.ts"
import type { SyncBatch } from "../../domain/SyncBatch.ts"
import { AppConfig } from "../AppConfig.ts"
import { passing } from "../Checkpoint.ts"
import { MatrixSync } from "../MatrixClient.ts"
import { RecoveryKey } from "./RecoveryKey.ts"
import { LatestView } from "./Rooms.ts"
import { applySync, emptyView } from "./RoomView.ts"
import { SdkClient } from "./SdkClient.ts"
import { SdkCrypto } from "./SdkCrypto.ts"
import { type Arrival, type SdkRun, startRun } from "./SdkRun.ts"
import { SignedIn } from "./SignedIn.ts"
import { readSyncResponse } from "./SyncResponse.ts"

/** The initial batch, whose answer stands at the gate. */
interface Held {
  readonly run: SdkRun
  readonly arrival: Arrival
  readonly batch: SyncBatch
}

const make = Effect.gen(function*() {
  const settings = yield* AppConfig
  const signedIn = yield* SignedIn
  const sdk = yield* SdkClient
  const view = yield* LatestView
  const scope = yield* Effect.scope
  const crypto = yield* SdkCrypto
  const recovery = yield* RecoveryKey
  const running = MutableRef.make<SdkRun | undefined>(undefined)
  const held = MutableRef.make<Held | undefined>(undefined)
  /** The last answer that the SDK could not process, by what it was asked since. */
  const stumbled = MutableRef.make<{ readonly since: string | undefined } | undefined>(undefined)
  const hasStumbled = (since: SyncToken | undefined) => {
    const last = MutableRef.get(stumbled)
    return last !== undefined && last.since === since
  }

  const stop = Effect.suspend(() => {
    const run = MutableRef.get(running)
    MutableRef.set(running, undefined)
    MutableRef.set(held, undefined)
    return run === undefined ? Effect.void : run.stop
  })
  yield* Effect.addFinalizer(() => stop)

  /** Reads an answer. `MatrixRooms` shows it before anybody is told of it. */
  const read = Effect.fnUntraced(function*(
    arrival: Arrival,
    context: { readonly since: SyncToken | undefined; readonly initial: boolean }
  ) {
    const { session } = yield* signedIn.credentials
    if (arrival.passedOver !== undefined) {
      yield* Effect.logError("sync_answer_passed_over").pipe(
        Effect.annotateLogs({
          problem: arrival.passedOver,
          detail: "matrix-js-sdk failed on this answer twice. Room keys in it may be missing; messages are handled."
        })
      )
    }
    const batch = readSyncResponse(arrival.raw, { self: session.userId, ...context })
    if (batch === undefined) {
      return yield* new SyncStalled({ silentFor: 0, detail: "an answer of /sync has no next_batch." })
    }
    MutableRef.update(view, (known) => applySync(context.initial ? emptyView : known, arrival.raw, session.userId))
    return batch
  }, passing("sync answer"))

  const attempt = Effect.fnUntraced(function*(since: SyncToken | undefined) {
    yield* stop
    const credentials = yield* signedIn.credentials
    const run = yield* startRun(credentials, since, settings, {
      passOver: hasStumbled(since),
      note: (since) => void MutableRef.set(stumbled, { since })
    }).pipe(
      Scope.provide(scope),
      Effect.provideService(SdkCrypto, crypto),
      Effect.provideService(RecoveryKey, recovery)
    )
    MutableRef.set(running, run)
    yield* sdk.use(run.client)
    const arrival = yield* Effect.raceFirst(run.next, run.noStart)
    const batch = yield* read(arrival, { since, initial: true })
    MutableRef.set(held, { run, arrival, batch })
    return batch
  }, Effect.onError(() => stop))

  const first = (since: SyncToken | undefined) =>
    Effect.suspend(() => {
      const again = hasStumbled(since)
      return Effect.catchTag(attempt(since), "SyncStalled", (stalled) =>
        !again && hasStumbled(since) ? attempt(since) : Effect.fail(stalled))
    })

  const loop = Effect.fn("MatrixSync.loop")(function*<E, R>(ingest: (batch: SyncBatch) => Effect.Effect<void, E, R>) {
    const initial = MutableRef.get(held)
    if (initial === undefined) {
      return yield* new SyncStalled({ silentFor: 0, detail: "there was no initial sync." })
    }
    const { run } = initial
    let { arrival, batch } = initial
    yield* crypto.isTheDevice(run.client).pipe(
      Effect.catchTag(
        "HomeserverUnreachable",
        ({ detail }) => Effect.fail(new SyncStalled({ silentFor: 0, detail }))
      ),
      Effect.raceFirst(run.ended)
    )
    while (true) {
      // While an answer is at the gate, the silence is ours: filling a gap takes as long as it takes.
      yield* Effect.raceFirst(ingest(batch), run.ended)
      yield* run.alive
      yield* arrival.release
      arrival = yield* Effect.raceFirst(run.next, run.noLife)
      batch = yield* read(arrival, { since: batch.nextBatch, initial: false })
    }
  }, Effect.ensuring(stop))

  return MatrixSync.of({
    initialSync: Effect.fn("MatrixSync.initialSync")((since: SyncToken | undefined) =>
      first(since).pipe(
        Effect.catchTag("CursorUnknown", () =>
          Effect.logWarning("matrix_cursor_unknown").pipe(
            Effect.annotateLogs("detail", "The homeserver does not know the stored cursor: every room is read anew."),
            Effect.andThen(first(undefined)),
            // Nothing was asked for, so that nothing can be unknown.
            Effect.catchTag("CursorUnknown", Effect.die)
          ))
      )
    ),
    loop
  })
})

/** The sync loop of matrix-js-sdk, held at a gate. */
export const layer = Layer.effect(MatrixSync, make)
