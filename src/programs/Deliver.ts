import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { afterFailure, insteadOf, pointedAt } from "../domain/Delivery.ts"
import { referenceCodeOf, refusedText } from "../domain/Diagnostic.ts"
import type { FailureReason, StoreUnavailable } from "../domain/Errors.ts"
import type { RoomId } from "../domain/Ids.ts"
import { leaveType, notice, type OutgoingMessage, redactionType } from "../domain/Message.ts"
import { makeGrowingLimit } from "../layers/GrowingLimit.ts"
import { type Governor, type LaneStep, makeLanes } from "../layers/Lanes.ts"
import { MatrixMessages, type MatrixProvisioning } from "../layers/MatrixClient.ts"
import { inPlaceOf } from "../layers/Rendering.ts"
import { type Repair, RepairMemory } from "../layers/RepairMemory.ts"
import { type OutboxRow, Store } from "../layers/Store.ts"
import { leaveForGood } from "./Markers.ts"
import { reconcileSuspect } from "./Reconcile.ts"

/** The message was sent or dropped while it was in hand. */
class NoLongerWaits extends Data.TaggedError("NoLongerWaits") {}

/** Requests in flight at once, over all rooms: more than this buys nothing on one Synapse process. */
const concurrency = 8

/** The bot has lost its word there, or the room is gone. */
const mayBeGone = ({ _tag }: FailureReason): boolean => _tag === "Forbidden" || _tag === "NotFound"

/** A room that is gone shows no chat: its messages would else wait for nobody until the next start. */
const lookForRoom = Effect.fn("lookForRoom")(function*(room: RoomId) {
  const reconciled = reconcileSuspect(room).pipe(
    Effect.map((report): Repair => report?.reasons ?? {}),
    Effect.catchTag("MatrixFailure", (failure) => Effect.succeed({ [`room_not_readable.${failure.reason._tag}`]: 1 }))
  )
  const found = yield* (yield* RepairMemory).repair(room, reconciled)
  yield* Effect.logInfo("room_looked_for").pipe(Effect.annotateLogs({ room, found }))
})

type Looking = Effect.Services<ReturnType<typeof lookForRoom>>

/**
 * The sender: takes the outbox to the homeserver, in order within a room, rooms side by side. Every attempt of a message
 * uses the transaction id that it was stored with, so that the server drops what it has already taken.
 */
export const openOutbox = Effect.fnUntraced(function*(governor: Governor) {
  const store = yield* Store
  const messages = yield* MatrixMessages
  /** Failures in a row, by room; a room that delivers has none. */
  const failures = new Map<RoomId, number>()
  /** Rooms that took a message no more, as often as they are looked for. */
  const suspects = makeGrowingLimit<RoomId>()

  /** A file is uploaded first. Where it is, and what opens it, is stored before the message goes out: that can then be repeated. */
  const send = ({ message, upload }: OutboxRow) => {
    if (upload === undefined) return messages.send(message)
    const { transactionId } = message
    return messages.sendFile(message, {
      upload,
      file: Effect.flatMap(
        store.outbox.file(transactionId),
        (file) => file === undefined ? Effect.fail(new NoLongerWaits()) : Effect.succeed(file)
      ),
      keep: Effect.fnUntraced(function*(upload): Effect.fn.Return<void, StoreUnavailable | NoLongerWaits> {
        if (!(yield* store.outbox.uploaded(transactionId, upload))) return yield* new NoLongerWaits()
      })
    })
  }

  /** The event that it made, if it makes one. */
  const attempt = Effect.fnUntraced(function*(row: OutboxRow) {
    const { message, targetEvent } = row
    const { roomId: room, transactionId: transaction, type } = message
    if (type === leaveType) {
      // Unless another chat has come into the room meanwhile: nobody asked to leave that one.
      if ((yield* store.chats.byRoom(room)) === undefined) yield* leaveForGood(room)
      return undefined
    }
    if (targetEvent === undefined) return yield* send(row)
    return yield* type === redactionType
      ? messages.redact({ room, event: targetEvent, transaction })
      : messages.send(pointedAt(message, targetEvent))
  })

  /** Nobody is to wait for an answer that never comes, as long as the room takes others. */
  const saidInstead = Effect.fnUntraced(function*(message: OutgoingMessage, { _tag: reason }: FailureReason) {
    const transactionId = insteadOf(message)
    if (transactionId === undefined || (reason !== "TooLarge" && reason !== "Rejected")) return undefined
    const record = yield* store.outbox.find(message.transactionId)
    if (record === undefined) return undefined
    const { roomId, type } = message
    const text = refusedText(reason, referenceCodeOf(record.inboxKey))
    return { roomId, transactionId, type, content: yield* inPlaceOf(message, notice(text)) }
  })

  const deliverNext = Effect.fn("deliverNext")(
    function*(room: RoomId): Effect.fn.Return<LaneStep, StoreUnavailable, Looking | MatrixProvisioning> {
      const pause = yield* governor.remaining
      if (pause > 0) return { waitMillis: pause }
      const row = yield* store.outbox.next(room)
      if (row === undefined) return "idle"

      if (row.message.target !== undefined && row.targetEvent === undefined) {
        // What it was to change was given up.
        yield* store.outbox.dead(row.message.transactionId, "target_not_sent")
        return "more"
      }
      return yield* attempt(row).pipe(
        Effect.flatMap((event) => {
          failures.delete(room)
          return Effect.as(store.outbox.sent(row.message.transactionId, event), "more" as const)
        }),
        Effect.catchTag("NoLongerWaits", () => Effect.succeed("more" as const)),
        // A bug that a message brings to light must not end the bot again and again.
        Effect.catchDefect((defect) =>
          Effect.logError("reply_failed", Cause.die(defect)).pipe(
            Effect.annotateLogs({ room, transaction: row.message.transactionId }),
            Effect.andThen(store.outbox.dead(row.message.transactionId, "bug")),
            Effect.as("more" as const)
          )
        ),
        Effect.catchTag(
          "MatrixFailure",
          Effect.fnUntraced(function*(failure): Effect.fn.Return<LaneStep, StoreUnavailable, Looking> {
            const inARow = (failures.get(room) ?? 0) + 1
            const next = afterFailure(failure.reason, inARow)
            if (next._tag === "Dead") {
              failures.delete(room)
              yield* Effect.logWarning("reply_not_deliverable").pipe(
                Effect.annotateLogs({
                  room,
                  transaction: row.message.transactionId,
                  reason: next.reason,
                  problem: failure.message
                })
              )
              yield* store.outbox.dead(
                row.message.transactionId,
                next.reason,
                yield* saidInstead(row.message, failure.reason)
              )
              if (mayBeGone(failure.reason) && (yield* suspects.admit(room))) yield* lookForRoom(room)
              return "more"
            }
            failures.set(room, inARow)
            if (next.all) yield* governor.pause(next.after)
            yield* Effect.logInfo("reply_delayed").pipe(
              Effect.annotateLogs({ room, waitMillis: next.after, reason: failure.reason._tag })
            )
            // For `homing outbox` and `homing why`, which know nothing of this process.
            yield* store.outbox.delayed(row.message.transactionId, failure.reason._tag)
            return { waitMillis: next.after }
          })
        )
      )
    }
  )

  return yield* makeLanes({ concurrency, grace: "1500 millis", work: deliverNext })
})
