import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { afterFailure } from "../domain/Delivery.ts"
import { maximumAttempts, referenceCodeOf, suspectAttempts } from "../domain/Diagnostic.ts"
import { EventId, type RoomId } from "../domain/Ids.ts"
import { reactionType } from "../domain/Prompt.ts"
import { relationOf } from "../domain/Relation.ts"
import { ignored, type Settlement } from "../domain/Settlement.ts"
import type { RawEvent } from "../domain/SyncBatch.ts"
import { type Lanes, makeLanes } from "../layers/Lanes.ts"
import { MatrixCrypto } from "../layers/MatrixClient.ts"
import { type PendingRow, Store } from "../layers/Store.ts"
import { isReadable, makeOpener, tellLocked } from "./Decrypt.ts"
import { diagnose } from "./Diagnose.ts"
import { handleInvite } from "./HandleInvite.ts"
import { handleMessage, storeFailureIn } from "./HandleMessage.ts"
import { settleReaction } from "./Prompts.ts"
import type { Receipts } from "./Receipts.ts"

/** Rooms that are answered at the same time. */
const concurrency = 16

/**
 * The handler: settles the inbox, in order within a room, rooms side by side. A row is settled in the transaction that puts
 * its replies into the outbox, so a crash leaves it either open or answered, never half.
 */
export const openInbox = Effect.fnUntraced(function*<E>(outbox: Lanes<RoomId, E>, receipts: Receipts) {
  const store = yield* Store

  /** By its key, the row of each room whose attempt is counted: the one in hand, or the next, counted by the transaction that settled the last. */
  const begun = new Map<RoomId, string>()
  // Attempts count the lives that ended in the middle of a message, and an orderly stop ends none. Runs after the lanes have closed.
  yield* Effect.addFinalizer((exit) =>
    Exit.hasInterrupts(exit)
      ? Effect.ignore(store.inbox.giveBack([...begun.values()]))
      : Effect.void
  )

  /** Rooms with a message that may be what ended the lives before this one. */
  const suspects = new Set(yield* store.inbox.begunRooms(suspectAttempts))

  const open = yield* makeOpener
  // A restart is another chance: keys may have come with a backup, or from another device.
  yield* store.inbox.takeUpAll
  const openRow = (row: PendingRow) =>
    row.event === undefined || row.attempts > maximumAttempts
      ? Effect.succeed({ _tag: "Clear" as const, event: row.event })
      // A bug that an event brings to light must not end the bot again and again.
      : Effect.catchDefect(open(row, row.event), (defect) => Effect.succeed({ _tag: "Broken" as const, defect }))

  const told = new Set<string>()
  /** A life before this one ended in the middle of it: perhaps by it. Once, however long it waits. */
  const tellBegunAgain = ({ attempts, key, roomId, sender }: PendingRow) =>
    Effect.suspend(() => {
      if (told.has(key)) return Effect.void
      told.add(key)
      return Effect.logWarning("message_begun_again").pipe(
        Effect.annotateLogs({ room: roomId, user: sender, event: key, begun: attempts, givenUpAfter: maximumAttempts })
      )
    })

  const settleNext = Effect.fnUntraced(function*(room: RoomId) {
    const counted = begun.get(room)
    // It may have been edited or taken back since.
    const row = yield* counted === undefined ? store.inbox.begin(room) : store.inbox.pending(counted)
    if (row === undefined) {
      begun.delete(room)
      return counted === undefined ? "idle" as const : "more" as const
    }
    begun.set(room, row.key)
    if (row.kind === "message" && row.attempts > 1) yield* tellBegunAgain(row)
    const opened = yield* openRow(row)
    if (opened._tag === "Later") return { waitMillis: opened.waitMillis }
    if (opened._tag === "Locked") {
      yield* store.inbox.setAside(row.key, yield* tellLocked(row, opened.reason))
      // A key that came in between was told before there was anything aside.
      if (yield* isReadable(row)) yield* store.inbox.takeUp(room)
      begun.delete(room)
      yield* outbox.wake(room)
      return "more" as const
    }
    const settlement = yield* settlementOf(row, opened)
    if (settlement._tag === "Later") {
      begun.delete(room)
      return { waitMillis: settlement.waitMillis }
    }
    const next = yield* store.inbox.settleAndBegin(row.key, settlement)
    if (next === undefined) begun.delete(room)
    else begun.set(room, next.key)
    suspects.delete(room)
    told.delete(row.key)
    yield* logSettled(row, settlement)
    yield* receipts.settled(row, settlement)
    // A command may have put something there by itself.
    if (settlement._tag === "Answered" || settlement.replies.length > 0) yield* outbox.wake(room)
    return next === undefined ? "idle" as const : "more" as const
  })

  const lanes = yield* makeLanes({
    concurrency,
    grace: "3 seconds",
    work: settleNext,
    alone: (room) => suspects.has(room)
  })

  const { nextReadable } = yield* MatrixCrypto
  yield* nextReadable.pipe(
    Effect.tap(store.inbox.takeUp),
    Effect.flatMap(lanes.wake),
    Effect.forever,
    // A store that fails is told by the lanes.
    Effect.catch(() => Effect.void),
    Effect.forkScoped
  )
  return lanes
})

/** What was opened, or why not. */
type OpenedRow =
  | { readonly _tag: "Clear"; readonly event: RawEvent | undefined }
  | { readonly _tag: "Forged" }
  | { readonly _tag: "Broken"; readonly defect: unknown }

const settlementOf = Effect.fnUntraced(function*(row: PendingRow, opened: OpenedRow) {
  if (row.kind === "invite") return yield* settleInvite(row)
  if (opened._tag === "Forged") return yield* refuseForged(row)
  // Nobody knows whether it was for the bot.
  if (opened._tag === "Broken") return yield* failed(row, "message_not_opened", Cause.pretty(Cause.die(opened.defect)))
  const { event } = opened
  if (event === undefined) return ignored("malformed")
  if (event.type === reactionType) return yield* settleYes(row, event)
  return row.attempts > maximumAttempts ? yield* giveUp(row, event) : yield* handleMessage(row, event)
})

const refuseForged = (row: PendingRow) =>
  Effect.logWarning("message_not_trusted").pipe(
    Effect.annotateLogs({ room: row.roomId, user: row.sender, event: row.key, reason: "forged_sender" }),
    Effect.as(ignored("forged_sender"))
  )

/** A yes that brings a bug to light, or ends the process again and again, is settled without a word: the question still stands. */
const settleYes = Effect.fnUntraced(function*(row: PendingRow, event: RawEvent) {
  if (row.attempts > maximumAttempts) return yield* failed(row, "reaction_failed", "it was begun too often")
  return yield* settleReaction(row, event).pipe(
    Effect.catchCause((cause) => {
      const broken = storeFailureIn(cause)
      return broken === undefined ? failed(row, "reaction_failed", Cause.pretty(cause)) : Effect.fail(broken)
    })
  )
})

/** The server may be away just now: an invite is tried again, what it refuses for good is settled. */
const settleInvite = (row: PendingRow) =>
  handleInvite(row).pipe(
    Effect.catchTags({
      MatrixFailure: Effect.fnUntraced(function*(failure) {
        const next = afterFailure(failure.reason, row.attempts)
        return next._tag === "Retry"
          ? { _tag: "Later" as const, waitMillis: next.after }
          : yield* inviteFailed(row, failure.message)
      }),
      RoomTaken: (error) => inviteFailed(row, error.message)
    }),
    // A bug must not end the bot again and again with the same invite.
    Effect.catchCause((cause) => {
      const broken = storeFailureIn(cause)
      return broken === undefined ? inviteFailed(row, Cause.pretty(cause)) : Effect.fail(broken)
    })
  )

const inviteFailed = (row: PendingRow, problem: string) => failed(row, "invite_failed", problem)

/** Told to the operator alone. */
const failed = Effect.fnUntraced(function*(row: PendingRow, event: string, problem: string) {
  const code = referenceCodeOf(row.key)
  yield* Effect.logWarning(event).pipe(
    Effect.annotateLogs({ code, room: row.roomId, user: row.sender, problem })
  )
  const settlement: Settlement = { _tag: "Failed", code, problem, replies: [] }
  return settlement
})

/** Handling was begun so often and never ended: the message itself may be what kills the process. */
const giveUp = (row: PendingRow, { content }: RawEvent) =>
  diagnose(
    { eventId: EventId.make(row.key), roomId: row.roomId, sender: row.sender, ...relationOf(content) },
    { _tag: "TriedTooOften", attempts: maximumAttempts },
    `handling was begun ${row.attempts - 1} times and never ended`
  )

const logSettled = (row: PendingRow, settlement: Settlement) => {
  // What became of an invite was logged where it was decided.
  if (row.kind === "invite") return Effect.void
  const about = { room: row.roomId, user: row.sender, event: row.key, provenance: row.provenance }
  switch (settlement._tag) {
    case "Answered":
      return Effect.logInfo("message_answered").pipe(
        Effect.annotateLogs({ ...about, replies: settlement.replies.length })
      )
    case "Ignored":
      return Effect.logDebug("message_ignored").pipe(Effect.annotateLogs({ ...about, reason: settlement.reason }))
    // The warning was written where it failed.
    case "Failed":
      return Effect.void
  }
}
