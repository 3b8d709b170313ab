import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as MutableRef from "effect/MutableRef"
import * as Schedule from "effect/Schedule"
import { SyncStalled } from "../../domain/Errors.ts"
import type { SyncToken } from "../../domain/Ids.ts"
import type { SyncBatch } from "../../domain/SyncBatch.ts"
import { AppConfig } from "../AppConfig.ts"
import { MatrixSync } from "../MatrixClient.ts"
import { textField } from "./Json.ts"
import { NoAnswer } from "./NoAnswer.ts"
import { withPatience } from "./Patience.ts"
import { refusalOf } from "./Requests.ts"
import { LatestView } from "./Rooms.ts"
import { applySync, emptyView } from "./RoomView.ts"
import { sessionEnded, SignedIn } from "./SignedIn.ts"
import { syncFilter } from "./SyncFilter.ts"
import { readSyncResponse } from "./SyncResponse.ts"
import { Transport } from "./Transport.ts"
import * as Watchdog from "./Watchdog.ts"

class CursorUnknown extends Data.TaggedError("CursorUnknown") {}

const filter = JSON.stringify(syncFilter)
const pauses = Schedule.min([Schedule.exponential("500 millis"), Schedule.spaced("15 seconds")])

const make = Effect.gen(function*() {
  const settings = yield* AppConfig
  const signedIn = yield* SignedIn
  const transport = yield* Transport
  const view = yield* LatestView
  const held = MutableRef.make<SyncBatch | undefined>(undefined)

  /** One `/sync`, read. `initial` asks for the full state and does not wait. */
  const ask = Effect.fnUntraced(function*(since: SyncToken | undefined, initial: boolean) {
    const { accessToken, session } = yield* signedIn.credentials
    const answer = yield* transport.send({
      homeserverUrl: session.homeserverUrl,
      method: "GET",
      path: "/sync",
      query: {
        filter,
        timeout: initial ? "0" : String(Duration.toMillis(settings.syncTimeout)),
        "org.matrix.msc4222.use_state_after": "true",
        ...(initial ? { full_state: "true" } : {}),
        ...(since === undefined ? {} : { since })
      },
      accessToken,
      deadline: Duration.sum(settings.syncTimeout, Duration.seconds(30))
    })
    const refusal = refusalOf("GET /sync", answer)
    if (refusal?.reason._tag === "UnknownToken") {
      return yield* sessionEnded(session, refusal.reason.softLogout, settings)
    }
    if (since !== undefined && answer.status === 400 && textField(answer.body, "errcode") === "M_UNKNOWN") {
      return yield* initial ? new CursorUnknown() : new SyncStalled({
        silentFor: 0,
        detail: "the homeserver has forgotten the place from which it was to go on."
      })
    }
    if (refusal !== undefined) {
      const retryAfter = refusal.reason._tag === "RateLimited" ? { retryAfter: refusal.reason.retryAfter } : {}
      return yield* new NoAnswer({ detail: `/sync gives HTTP ${answer.status}.`, final: false, ...retryAfter })
    }
    const batch = readSyncResponse(answer.body, { self: session.userId, since, initial })
    if (batch === undefined) {
      return yield* new NoAnswer({ detail: "something answers in its place, without next_batch.", final: false })
    }
    MutableRef.update(view, (known) => applySync(initial ? emptyView : known, answer.body, session.userId))
    return batch
  })

  const first = Effect.fnUntraced(function*(since: SyncToken | undefined) {
    MutableRef.set(held, undefined)
    const { session } = yield* signedIn.credentials
    const batch = yield* withPatience(ask(since, true), {
      url: session.homeserverUrl,
      patience: settings.startPatience
    })
    MutableRef.set(held, batch)
    return batch
  })

  const loop = Effect.fn("MatrixSync.loop")(function*<E, R>(ingest: (batch: SyncBatch) => Effect.Effect<void, E, R>) {
    const initial = MutableRef.getAndSet(held, undefined)
    if (initial === undefined) return yield* new SyncStalled({ silentFor: 0, detail: "there was no initial sync." })
    const watchdog = yield* Watchdog.make
    const sign = Effect.sync(watchdog.alive)
    let batch = initial
    while (true) {
      yield* ingest(batch)
      yield* sign
      batch = yield* ask(batch.nextBatch, false).pipe(
        Effect.ensuring(sign),
        Effect.retry({ schedule: pauses, while: (error) => error._tag === "NoAnswer" }),
        Effect.catchTag("NoAnswer", Effect.die),
        Effect.catchTag("CursorUnknown", Effect.die),
        Effect.raceFirst(watchdog.watch(settings.syncTimeout))
      )
    }
  })

  return MatrixSync.of({
    initialSync: Effect.fn("MatrixSync.initialSync")((since: SyncToken | undefined) =>
      first(since).pipe(
        Effect.catchTag("CursorUnknown", () =>
          Effect.logWarning("matrix_cursor_unknown").pipe(
            Effect.annotateLogs("detail", "The homeserver does not know the stored cursor: every room is read anew."),
            Effect.andThen(first(undefined)),
            Effect.catchTag("CursorUnknown", Effect.die)
          ))
      )
    ),
    loop
  })
})

/** A plain sync loop, held where the SDK's is held. */
export const layer = Layer.effect(MatrixSync, make)
