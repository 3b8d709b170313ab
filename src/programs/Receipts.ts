import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { EventId, type RoomId } from "../domain/Ids.ts"
import { joinedCount } from "../domain/ServerRoom.ts"
import type { Settlement } from "../domain/Settlement.ts"
import { elapsed } from "../layers/Elapsed.ts"
import { type Governor, type LaneStep, makeLanes } from "../layers/Lanes.ts"
import { MatrixMessages, MatrixRooms } from "../layers/MatrixClient.ts"
import type { PendingRow } from "../layers/Store.ts"

/** What is settled within so many milliseconds in one room is one receipt. */
const gathered = 1_000

/** Milliseconds between two receipts of the account, whatever the rooms: the server's time, and this bot's, is for answers. */
const pace = 50

/** Longer than this none is waited for. */
const patience = Duration.seconds(10)

/**
 * Read receipts: people see how far the bot has come. Only the newest of a room counts, and
 * one that fails is not sent again: the next one says more.
 */
export const openReceipts = Effect.fnUntraced(function*(governor: Governor) {
  const messages = yield* MatrixMessages
  const rooms = yield* MatrixRooms
  /** The newest message of each room that is settled and has no receipt yet, and when its turn is. */
  const unsent = new Map<RoomId, { readonly event: EventId; readonly due: number }>()
  let lastDue = 0
  const takeTurn = (now: number) => {
    lastDue = Math.max(now + gathered, lastDue + pace)
    return lastDue
  }

  const send = Effect.fnUntraced(function*(room: RoomId): Effect.fn.Return<LaneStep> {
    const next = unsent.get(room)
    if (next === undefined) return "idle"
    const now = yield* elapsed
    const wait = Math.max(next.due - now, yield* governor.remaining)
    if (wait > 0) return { waitMillis: wait }
    unsent.delete(room)
    yield* messages.markRead(room, next.event).pipe(
      Effect.timeout(patience),
      Effect.catchTag("MatrixFailure", ({ reason }) => {
        if (reason._tag !== "RateLimited") return Effect.void
        unsent.set(room, unsent.get(room) ?? { event: next.event, due: takeTurn(now) })
        return governor.pause(reason.retryAfter)
      }),
      Effect.ignore,
      // Nobody waits for this lane: a bug in it is told, and the next receipt is tried.
      Effect.catchDefect((defect) => Effect.logError("receipt_failed", Cause.die(defect)))
    )
    return "more"
  })

  const lanes = yield* makeLanes({ concurrency: 1, grace: "100 millis", work: send })
  yield* lanes.open

  return {
    /** In a room of two everything is read; in a larger one only what was for the bot. */
    settled: Effect.fnUntraced(function*({ key, kind, roomId }: PendingRow, settlement: Settlement) {
      if (kind === "invite") return
      if (settlement._tag === "Ignored") {
        const room = yield* rooms.view(roomId)
        if (room === undefined || joinedCount(room) > 2) return
      }
      const due = unsent.get(roomId)?.due ?? takeTurn(yield* elapsed)
      unsent.set(roomId, { event: EventId.make(key), due })
      yield* lanes.wake(roomId)
    })
  }
})

export type Receipts = Effect.Success<ReturnType<typeof openReceipts>>
