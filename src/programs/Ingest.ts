import * as Effect from "effect/Effect"
import {
  answersWithoutTransaction,
  type Arrivals,
  arrivalsOf,
  type Arrived,
  skippedBacklog
} from "../domain/Arrival.ts"
import { noSettings, rulesOf } from "../domain/ChatSettings.ts"
import type { EventId, RoomId } from "../domain/Ids.ts"
import { isAllowed } from "../domain/Policy.ts"
import type { SyncBatch } from "../domain/SyncBatch.ts"
import { AnotherSession } from "../layers/AnotherSession.ts"
import { AppConfig } from "../layers/AppConfig.ts"
import { MatrixSession } from "../layers/MatrixClient.ts"
import { RepairMemory } from "../layers/RepairMemory.ts"
import { type InboxRow, Store } from "../layers/Store.ts"
import { fillGaps } from "./FillGaps.ts"
import { wouldAccept } from "./Gate.ts"
import { reconcileChange } from "./Reconcile.ts"
import { tellInClear } from "./TellInClear.ts"

/**
 * Takes one sync answer in: rows and cursor are kept in one transaction, so that the cursor never stands beyond an event
 * that is not in the inbox. The next request goes out when this has returned. `afterAbsence`: the process was not there when
 * these messages came, so that the `backlog` setting speaks.
 */
export const ingest = Effect.fn("ingest")(function*(
  batch: SyncBatch,
  { afterAbsence }: { readonly afterAbsence: boolean }
) {
  const store = yield* Store
  const { userId: self } = yield* (yield* MatrixSession).self
  const registered = batch.since === undefined ? yield* roomsOfChats(batch) : new Set<RoomId>()
  const known = yield* store.encryptedRooms(batch.timelines.map(({ roomId }) => roomId))
  const whole = yield* fillGaps(batch, { self, registered, afterAbsence, encrypted: known })
  const { holds, leftOut, recovered, released, timelines } = whole
  // Of a held room an earlier answer may have told that it is encrypted now, and this one brings when.
  const encryptedSince = released.length === 0 ? [] : yield* store.encryptedRooms(released.map(({ roomId }) => roomId))
  const encryptedBefore = new Set(known)
  for (const { roomId, wasEncrypted } of released) {
    if (wasEncrypted) encryptedBefore.add(roomId)
    else encryptedBefore.delete(roomId)
  }
  const arrivals = arrivalsOf({
    batch: { ...batch, timelines, encrypted: [...batch.encrypted, ...encryptedSince] },
    self,
    recovered,
    registered: (room) => registered.has(room),
    encrypted: encryptedBefore
  })
  const lateRooms = new Set(released.flatMap(({ afterAbsence, roomId }) => afterAbsence ? [roomId] : []))
  const waited = arrivals.messages.filter(({ roomId }) => afterAbsence || lateRooms.has(roomId))
  const skipped = waited.length === 0 ? new Set<EventId>() : yield* skippedOf(waited)
  const messages = arrivals.messages.map(messageRow)
  const rows = [
    ...batch.invites.map(({ roomId, sender }): InboxRow => ({
      key: `invite:${roomId}`,
      kind: "invite",
      roomId,
      sender,
      event: undefined,
      provenance: batch.initial ? "missed" : "live"
    })),
    ...messages.filter(({ event }) => !skipped.has(event.event_id))
  ]
  const config = yield* AppConfig
  const inClear = new Set(arrivals.inClear.map(({ event }) => event.event_id))
  const redactions = yield* followed(arrivals.redactions)
  const keep = store.inbox.ingest({
    rows,
    ignored: [
      ...messages.flatMap((row) => skipped.has(row.event.event_id) ? [{ row, reason: "backlog", tell: false }] : []),
      ...arrivals.inClear.map((arrived) => ({
        row: messageRow(arrived),
        reason: "not_encrypted",
        tell: isAllowed(arrived.event.sender, { ...config, self })
      }))
    ],
    echoes: arrivals.echoes,
    // In clear in an encrypted room anybody's server may have written them.
    edits: arrivals.edits.filter(({ edit }) => !inClear.has(edit)),
    redactions,
    reactions: arrivals.reactions.map((reaction) => ({ row: messageRow(reaction), target: reaction.target })),
    answered: arrivals.answered,
    gaps: leftOut,
    encrypted: batch.encrypted,
    cursor: batch.nextBatch
  })
  // Asked before it is kept: what another session has answered counts as answered from then on.
  const ofAnotherSession = yield* Effect.filter(
    answersWithoutTransaction(batch, self),
    ({ eventId }) => Effect.map(store.outbox.hasSent(eventId), (sent) => !sent)
  )
  const hold = store.inbox.hold(holds, released.map(({ roomId }) => roomId))
  const keepAndMore = Effect.gen(function*() {
    const suspicious = yield* keep
    yield* hold
    const inClear = suspicious.filter(({ reason }) => reason === "not_encrypted")
    return { suspicious, told: yield* tellInClear(inClear.map(({ row }) => row)) }
  })
  const { suspicious, told } = yield* holds.length + released.length + arrivals.inClear.length > 0
    ? store.transaction(keepAndMore)
    : Effect.map(keep, (suspicious) => ({ suspicious, told: [] }))
  for (const { reason, row } of suspicious) {
    yield* Effect.logWarning("message_not_trusted").pipe(
      Effect.annotateLogs({ room: row.roomId, user: row.sender, event: row.key, reason })
    )
  }
  if (batch.unreadable > 0) {
    yield* Effect.logWarning("sync_events_unreadable").pipe(Effect.annotateLogs({ count: batch.unreadable }))
  }
  for (const { eventId, roomId } of ofAnotherSession) yield* (yield* AnotherSession).answers(roomId, eventId)
  // The initial batch was reconciled as a whole, inside the gate.
  if (!batch.initial) {
    const changed = new Set([...batch.departures.map(({ roomId }) => roomId), ...batch.reshaped])
    const repairs = yield* RepairMemory
    yield* Effect.forEach(changed, (room) => Effect.andThen(repairs.forget(room), reconcileChange(room)), {
      discard: true
    })
  }
  return {
    heard: new Set([...rows, ...arrivals.reactions].map(({ roomId }) => roomId)),
    /** Rooms where something is to be said now that nobody waits for. */
    owed: new Set([...told, ...redactions.flatMap(({ follow, roomId }) => follow ? [roomId] : [])])
  }
})

/** Whether the chats of their rooms want the answer to be taken back with the question. */
const followed = Effect.fnUntraced(function*(redactions: Arrivals["redactions"]) {
  if (redactions.length === 0) return []
  const { backlog } = yield* AppConfig
  const chats = yield* (yield* Store).chats.byRooms([...new Set(redactions.map(({ roomId }) => roomId))])
  return redactions.map((redaction) => ({
    ...redaction,
    follow: rulesOf(chats.get(redaction.roomId)?.settings ?? noSettings, backlog).redactions === "follow"
  }))
})

const messageRow = ({ event, provenance, roomId }: Arrived) => ({
  key: event.event_id,
  kind: "message" as const,
  roomId,
  sender: event.sender,
  event,
  provenance
})

/** Rooms that show a chat, and those whose chat is yet to come: the bot has joined, and its invite is still in hand. */
const roomsOfChats = Effect.fnUntraced(function*({ timelines }: SyncBatch) {
  const { chats, inbox } = yield* Store
  const rooms = new Set((yield* chats.all).flatMap((chat) => chat.binding === null ? [] : [chat.binding.roomId]))
  for (const { roomId } of timelines) {
    if (!rooms.has(roomId) && (yield* inbox.find(`invite:${roomId}`))?.state === "pending") rooms.add(roomId)
  }
  return rooms
})

/** What the `backlog` setting of each chat, or the bot's own, leaves unanswered of the messages that waited at the start. */
const skippedOf = Effect.fnUntraced(function*(messages: ReadonlyArray<Arrived>) {
  const { backlog } = yield* AppConfig
  const chats = yield* (yield* Store).chats.byRooms([...new Set(messages.map(({ roomId }) => roomId))])
  const backlogOf = (room: RoomId) => rulesOf(chats.get(room)?.settings ?? noSettings, backlog).backlog
  const candidates = messages.filter(({ roomId }) => backlogOf(roomId) === "newest")
  const accepted = new Set(yield* Effect.filter(candidates, (one) => wouldAccept(one, chats.get(one.roomId))))
  const skipped = skippedBacklog(backlogOf, messages, (message) => accepted.has(message))
  if (skipped.size > 0) {
    yield* Effect.logInfo("backlog_skipped").pipe(Effect.annotateLogs({ backlog, messages: skipped.size }))
  }
  return skipped
})
