import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import { counted, type Decryptions, noDecryptions, whyUnreadable } from "../domain/Encryption.ts"

/** What the process is at, as those outside may ask. */
export interface HealthState {
  readonly phase: "starting" | "reconciling" | "running" | "reconnecting" | "stopping"
  /** Milliseconds since the epoch; undefined before the first answer to a sync request. */
  readonly lastSyncAt: number | undefined
}

/** Remembers how the process is, between those that know and those that ask. */
export class Health extends Context.Service<Health, {
  /** Changes what is given and keeps the rest. */
  set(change: Partial<HealthState>): Effect.Effect<void>
  readonly get: Effect.Effect<HealthState>
  /** An encrypted message could be read, or could not. */
  decrypted(couldRead: boolean): Effect.Effect<void>
  /** Since the start. */
  readonly decryptions: Effect.Effect<Decryptions>
}>()("homing/Health") {
  static readonly layer = Layer.effect(
    Health,
    Effect.gen(function*() {
      const state = yield* Ref.make<HealthState>({ phase: "starting", lastSyncAt: undefined })
      const decryptions = yield* Ref.make(noDecryptions)
      return Health.of({
        set: (change) => Ref.update(state, (state) => ({ ...state, ...change })),
        get: Ref.get(state),
        decrypted: (couldRead) => Ref.update(decryptions, (before) => counted(before, couldRead)),
        decryptions: Ref.get(decryptions)
      })
    })
  )
}

/** `undefined` when ready; otherwise why not, in a sentence. */
export const whyNotReady = (
  state: HealthState,
  now: number,
  syncTimeout: Duration.Duration
): string | undefined => {
  if (state.phase !== "running") return `The bot is ${state.phase}.`
  if (state.lastSyncAt === undefined) return "The homeserver has not answered a sync request yet."
  // a healthy long poll is silent for its whole timeout; a second one may be on its way
  const silentFor = now - state.lastSyncAt
  return silentFor <= 2 * Duration.toMillis(syncTimeout) + 10_000
    ? undefined
    : `The homeserver has not answered a sync request for ${Math.round(silentFor / 1000)} seconds.`
}

/** The health at this moment, and whether it is good enough to be relied on. */
export const readiness = Effect.fn("Health.readiness")(function*(syncTimeout: Duration.Duration) {
  const health = yield* Health
  const [state, decryptions] = [yield* health.get, yield* health.decryptions]
  const reason = whyNotReady(state, yield* Clock.currentTimeMillis, syncTimeout) ?? whyUnreadable(decryptions)
  const { read, unread } = decryptions
  return { ready: reason === undefined, reason, ...state, decrypted: { read, unread } }
})
