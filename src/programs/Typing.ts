import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { RoomId } from "../domain/Ids.ts"
import { MatrixMessages } from "../layers/MatrixClient.ts"

/** An answer that is there sooner costs no request. */
const quick = Duration.millis(300)

/** The server hides the notice after 30 s: it is shown anew before that. */
const renewal = Duration.seconds(20)

/** Longer than this no request about it is waited for. */
const patience = Duration.seconds(10)

/**
 * Shows in the room that an answer is on its way for as long as `work` lasts. Nothing of it delays the work or fails it. One fiber speaks for
 * all of it, so that no late "typing" lands after "not typing"; work that is interrupted waits a second for it, because the process may be
 * about to end.
 */
export const showTyping = Effect.fnUntraced(function*<A, E, R>(room: RoomId, work: Effect.Effect<A, E, R>) {
  const { typing } = yield* MatrixMessages
  const done = yield* Deferred.make<void>()
  const endsWithin = (time: Duration.Duration) => Effect.isSuccess(Effect.timeout(Deferred.await(done), time))
  const tell = (shown: boolean) => Effect.ignore(Effect.timeout(typing(room, shown), patience))
  const notice = yield* Effect.gen(function*() {
    if (yield* endsWithin(quick)) return
    do yield* tell(true)
    while (!(yield* endsWithin(renewal)))
    yield* tell(false)
  }).pipe(Effect.forkDetach)
  return yield* Effect.onExit(work, (exit) => {
    Deferred.doneUnsafe(done, Effect.void)
    return Exit.hasInterrupts(exit) ? Effect.ignore(Effect.timeout(Fiber.await(notice), "1 second")) : Effect.void
  })
})
