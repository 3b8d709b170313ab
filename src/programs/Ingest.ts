import * as Effect from "effect/Effect"
import {
  answersWithoutTransaction,
  type Arrivals,
  arrivalsOf,
  type Arrived,
  skippedBacklog
} from "../domain/Arrival.ts"
import { noSettings, rulesOf } from "../domain/ChatSettings.ts"
import type { EventId, RoomId, UserId } from "../domain/Ids.ts"
import type { Provenance } from "../domain/Message.ts"
import { isAllowed } from "../domain/Policy.ts"
import type { Invite, SyncBatch } from "../domain/SyncBatch.ts"
import { AnotherSession } from "../layers/AnotherSession.ts"
import { AppConfig } from "../layers/AppConfig.ts"
import { MatrixSession } from "../layers/MatrixClient.ts"
import { RepairMemory } from "../layers/RepairMemory.ts"
import { type InboxRow, Store } from "../layers/Store.ts"
import { fillGaps, type WholeTimelines } from "./FillGaps.ts"
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
  const { arrivals, whole } = yield* gather(batch, { self, afterAbsence })
  const late = new Set(whole.released.flatMap((held) => held.afterAbsence ? [held.roomId] : []))
  const skipped = yield* skippedOf(arrivals.messages.filter(({ roomId }) => afterAbsence || late.has(roomId)))
  const redactions = yield* followed(arrivals.redactions)
  // Asked before it is kept: what another session has answered counts as answered from then on.
  const others = yield* answersOfOthers(batch, self)

  const messages = arrivals.messages.map(messageRow)
  const rows = [
    ...batch.invites.map(inviteRow(batch.initial ? "missed" : "live")),
    ...messages.filter(({ event }) => !skipped.has(event.event_id))
  ]
  const inClear = new Set(arrivals.inClear.map(({ event }) => event.event_id))
  const config = yield* AppConfig
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
    gaps: whole.leftOut,
    encrypted: batch.encrypted,
    cursor: batch.nextBatch
  })
  const { suspicious, told } = yield* kept(keep, whole, inClear.size > 0)

  for (const { reason, row } of suspicious) {
    yield* Effect.logWarning("message_not_trusted").pipe(
      Effect.annotateLogs({ room: row.roomId, user: row.sender, event: row.key, reason })
    )
  }
  if (batch.unreadable > 0) {
    yield* Effect.logWarning("sync_events_unreadable").pipe(Effect.annotateLogs({ count: batch.unreadable }))
  }
  for (const { eventId, roomId } of others) yield* (yield* AnotherSession).answers(roomId, eventId)
  // The initial batch was reconciled as a whole, inside the gate.
  if (!batch.initial) yield* reconcileChanges(batch)
  return {
    heard: new Set([...rows, ...arrivals.reactions].map(({ roomId }) => roomId)),
    /** Rooms where something is to be said now that nobody waits for. */
    owed: new Set([...told, ...redactions.flatMap(({ follow, roomId }) => follow ? [roomId] : [])])
  }
})

/** What the answer brings, with its gaps filled, sorted by what is to become of it. */
const gather = Effect.fnUntraced(function*(
  batch: SyncBatch,
  { afterAbsence, self }: { readonly self: UserId; readonly afterAbsence: boolean }
) {
  const store = yield* Store
  const registered = batch.since === undefined ? yield* roomsOfChats(batch) : new Set<RoomId>()
  const known = yield* store.encryptedRooms(batch.timelines.map(({ roomId }) => roomId))
  const whole = yield* fillGaps(batch, { self, registered, afterAbsence, encrypted: known })
  const { recovered, released, timelines } = whole
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
  return { arrivals, whole }
})

/** Keeps it all; with rooms that are held or let go, and what is said of messages in clear, in the same transaction. */
const kept = Effect.fnUntraced(function*(
  keep: ReturnType<Store["Service"]["inbox"]["ingest"]>,
  { holds, released }: WholeTimelines,
  hasClear: boolean
) {
  const store = yield* Store
  if (holds.length + released.length === 0 && !hasClear) return { suspicious: yield* keep, told: [] }
  return yield* store.transaction(Effect.gen(function*() {
    const suspicious = yield* keep
    yield* store.inbox.hold(holds, released.map(({ roomId }) => roomId))
    const inClear = suspicious.filter(({ reason }) => reason === "not_encrypted")
    return { suspicious, told: yield* tellInClear(inClear.map(({ row }) => row)) }
  }))
})

/** What another session of the bot's account answers. */
const answersOfOthers = Effect.fnUntraced(function*(batch: SyncBatch, self: UserId) {
  const { outbox } = yield* Store
  return yield* Effect.filter(
    answersWithoutTransaction(batch, self),
    ({ eventId }) => Effect.map(outbox.hasSent(eventId), (sent) => !sent)
  )
})

/** Rooms that changed may show another chat, or none; what was found of them before counts no more. */
const reconcileChanges = Effect.fnUntraced(function*({ departures, reshaped }: SyncBatch) {
  const repairs = yield* RepairMemory
  const changed = new Set([...departures.map(({ roomId }) => roomId), ...reshaped])
  yield* Effect.forEach(changed, (room) => Effect.andThen(repairs.forget(room), reconcileChange(room)), {
    discard: true
  })
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

const inviteRow = (provenance: Provenance) => ({ roomId, sender }: Invite): InboxRow => ({
  key: `invite:${roomId}`,
  kind: "invite",
  roomId,
  sender,
  event: undefined,
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
  if (messages.length === 0) return new Set<EventId>()
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
