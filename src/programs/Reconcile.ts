import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Chat } from "../domain/Chat.ts"
import type { MatrixFailure } from "../domain/Errors.ts"
import type { RoomId } from "../domain/Ids.ts"
import { type Outcome, type ReconciliationReport, reportOf } from "../domain/Reconciliation.ts"
import { decide } from "../domain/Reconciliation/Decide.ts"
import { chatClaimedBy } from "../domain/Reconciliation/Survey.ts"
import type { ServerRoom } from "../domain/ServerRoom.ts"
import { ChatManager } from "../layers/ChatManager.ts"
import { MatrixRooms, MatrixSession } from "../layers/MatrixClient.ts"
import { Store } from "../layers/Store.ts"
import { tellOfMoves } from "./TellOfMove.ts"

/** Compares every room on the server with every chat here, carries out what was decided, and keeps the report. Only reads the server. */
export const reconcileAll = Effect.fn("reconcileAll")(function*() {
  const rooms = yield* (yield* MatrixRooms).snapshot
  const chats = yield* (yield* ChatManager).list()
  return yield* reconcile("all", rooms, chats)
})

/**
 * The same for one room, as it stands on the server now: the repair of a room that nobody knows. Two requests, and like
 * `reconcileAll` it can create nothing.
 */
export const reconcileRoom = Effect.fn("reconcileRoom")(function*(room: RoomId) {
  return yield* reconcileNeighbourhood(room, yield* (yield* MatrixRooms).read(room))
})

/** The same for a room that was read a moment ago. */
export const reconcileSeen = (room: ServerRoom) => reconcileNeighbourhood(room.roomId, room)

/**
 * The same for a room that takes no message any more: it may be gone (forgotten elsewhere, or purged), of which no sync answer tells. That
 * the server shows it to the bot no more is not enough, as anything in between may refuse a request: the bot is in it no more, either.
 */
export const reconcileSuspect = Effect.fn("reconcileSuspect")(function*(room: RoomId) {
  const rooms = yield* MatrixRooms
  const seen = yield* rooms.read(room).pipe(Effect.catchIf(isRefusal, () => Effect.succeed(undefined)))
  if (seen !== undefined) return yield* reconcileNeighbourhood(room, seen)
  const known = yield* rooms.view(room)
  if (known !== undefined && known.membership !== "join") return yield* reconcileNeighbourhood(room, known)
  return (yield* rooms.joined).includes(room) ? undefined : yield* reconcileNeighbourhood(room, undefined)
})

const isRefusal = ({ reason }: MatrixFailure): boolean => reason._tag === "Forbidden" || reason._tag === "NotFound"

/**
 * The same for a room whose change came with the last sync answer. Makes no request. A room that the bot is making just now has no chat yet, and
 * is no find: who makes it sees to that, or the next start.
 */
export const reconcileChange = Effect.fn("reconcileChange")(function*(room: RoomId) {
  const view = yield* (yield* MatrixRooms).view(room)
  const isInTheMaking = view?.origin !== undefined && (yield* (yield* Store).provisioning.isOpen(view.origin))
  return view === undefined || isInTheMaking ? undefined : yield* reconcileNeighbourhood(room, view)
})

/**
 * One room, `undefined` when there is none of that id, can only be judged together with the rooms that may hold a claim on the same chat: its predecessors, its
 * successors, and the room that shows the chat of its marker, or of its origin, now. `decide` takes them as a closed world. One transaction, so
 * that no command changes a chat between the decision and its carrying out.
 */
const reconcileNeighbourhood = Effect.fnUntraced(function*(roomId: RoomId, target: ServerRoom | undefined) {
  const report = yield* (yield* Store).transaction(neighbourhoodReconciled(roomId, target))
  yield* logFindings(report)
  return report
})

const neighbourhoodReconciled = Effect.fn("reconcileNeighbourhood")(function*(
  targetId: RoomId,
  target: ServerRoom | undefined
) {
  const matrix = yield* MatrixRooms
  const store = yield* Store
  const { userId: account } = yield* (yield* MatrixSession).self
  const rooms = new Map<RoomId, ServerRoom>()
  const chats = new Map<string, Chat>()
  const asked = new Set<RoomId>()
  const queue: Array<RoomId> = [targetId]
  for (let roomId = queue.shift(); roomId !== undefined; roomId = queue.shift()) {
    if (asked.has(roomId)) continue
    asked.add(roomId)
    const room = roomId === targetId ? target : yield* matrix.view(roomId)
    const bound = yield* store.chats.byRoom(roomId)
    if (bound !== undefined) chats.set(bound.id, bound)
    if (room === undefined) continue
    rooms.set(roomId, room)
    const claim = chatClaimedBy(account, room)
    const claimed = claim === undefined ? undefined : yield* store.chats.byId(claim)
    if (claimed !== undefined) chats.set(claimed.id, claimed)
    for (const chat of yield* store.chats.homeless(roomId)) chats.set(chat.id, chat)
    for (const next of [room.predecessor, room.tombstone?.successor, claimed?.binding?.roomId]) {
      if (next !== undefined) queue.push(next)
    }
  }
  return yield* reconcile(targetId, [...rooms.values()], [...chats.values()])
})

const reconcile = Effect.fnUntraced(function*(
  scope: ReconciliationReport["scope"],
  rooms: ReadonlyArray<ServerRoom>,
  chats: ReadonlyArray<Chat>
) {
  const { userId: account } = yield* (yield* MatrixSession).self
  const startedAt = yield* Clock.currentTimeMillis
  const outcomes = decide({ account, rooms, chats, deleted: yield* (yield* Store).chats.deleted, now: startedAt })
  yield* (yield* ChatManager).apply(outcomes)
  yield* tellOfMoves(outcomes, rooms, account)
  const durationMs = (yield* Clock.currentTimeMillis) - startedAt
  const report = reportOf({ scope, startedAt, durationMs, rooms: rooms.length, chats: chats.length, outcomes })
  // A repair that found nothing is told in the warning of the message that asked for it.
  if (scope === "all" || outcomes.some(isChange)) yield* (yield* Store).reports.append(report)
  return report
})

/** Tells what the comparison of everything came to: one line with every field of the report, and one for each finding. */
export const logReport = (report: ReconciliationReport) =>
  Effect.logInfo("matrix_reconcile_complete").pipe(
    Effect.annotateLogs({ ...report, findings: report.findings.length }),
    Effect.andThen(logFindings(report))
  )

/** What a person may have to know of a reconciliation, a line each. What was merely skipped is for whoever looks closely. */
const logFindings = ({ findings, scope }: ReconciliationReport) =>
  Effect.forEach(
    findings,
    ({ _tag, ...finding }) => {
      const say = _tag === "Skipped" ? Effect.logDebug : Effect.logInfo
      return say("matrix_reconcile_finding").pipe(Effect.annotateLogs({ scope, outcome: _tag, ...finding }))
    },
    { discard: true }
  )

const isChange = (outcome: Outcome): boolean => outcome._tag !== "Unchanged" && outcome._tag !== "Skipped"
