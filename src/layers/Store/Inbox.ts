import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ReferenceCode, RoomId, SyncToken, UserId } from "../../domain/Ids.ts"
import { InboxState, type Settlement, stateAfter, waitsFor } from "../../domain/Settlement.ts"
import { RawEvent } from "../../domain/SyncBatch.ts"
import type { Gap, HeldRoom, InboxRecord, PendingRow, Store } from "../Store.ts"
import { edited, isRedacted } from "./Answers.ts"
import { allRows, type Database, decoderOf, firstRow } from "./Database.ts"
import { makeDecryptions } from "./Decryptions.ts"
import { makeIngest, makeReword } from "./Ingest.ts"
import { enqueue } from "./Outbox.ts"
import type { Statements } from "./Sqlite.ts"

const Pending = Schema.Struct({
  key: Schema.String,
  kind: Schema.Literals(["message", "invite"]),
  room_id: RoomId,
  sender: UserId,
  event: Schema.NullOr(Schema.fromJsonString(RawEvent)),
  provenance: Schema.Literals(["live", "missed", "recovered"]),
  attempts: Schema.Int,
  aside: Schema.Int,
  received_at: Schema.Number
})
const decodePending = decoderOf(Schema.UndefinedOr(Pending))

const Record = Schema.Struct({
  key: Schema.String,
  room_id: RoomId,
  sender: UserId,
  state: InboxState,
  reason: Schema.NullOr(Schema.String),
  code: Schema.NullOr(ReferenceCode),
  received_at: Schema.Number,
  settled_at: Schema.NullOr(Schema.Number)
})

const GapRow = Schema.Struct({
  room_id: RoomId,
  from_token: Schema.String,
  to_token: Schema.NullOr(Schema.String),
  events: Schema.Int,
  noticed_at: Schema.Number
})

const Held = Schema.Struct({
  room_id: RoomId,
  since: SyncToken,
  after_absence: Schema.Literals([0, 1]),
  was_encrypted: Schema.Literals([0, 1]),
  failures: Schema.Int,
  tried_at: Schema.Number
})
const decodeHeld = decoderOf(Schema.Array(Held))

const toHeld = (row: typeof Held.Type): HeldRoom => ({
  roomId: row.room_id,
  since: row.since,
  afterAbsence: row.after_absence === 1,
  wasEncrypted: row.was_encrypted === 1,
  failures: row.failures,
  triedAt: row.tried_at
})

const Room = Schema.Struct({ room_id: RoomId })
const decodeRoom = decoderOf(Schema.UndefinedOr(Room))
const Seq = Schema.Struct({ seq: Schema.Int })
const decodeSeq = decoderOf(Schema.UndefinedOr(Seq))
const Count = Schema.Struct({ state: InboxState, rows: Schema.Int })

const takeUp =
  `UPDATE inbox SET aside = ${waitsFor.itsTurnAgain} WHERE state = 'pending' AND aside = ${waitsFor.itsKey}`

// --- the hot path

const pendingColumns = "key, kind, room_id, sender, event, provenance, attempts, aside, received_at"

/** Counted by the statement that reads it: a message that kills the process has been counted before it can. */
const beginNext = (statements: Statements, room: RoomId): PendingRow | undefined =>
  toPending(statements.get(
    `UPDATE inbox SET attempts = attempts + 1
      WHERE seq = (SELECT seq FROM inbox WHERE room_id = ? AND state = 'pending' AND aside <> ${waitsFor.itsKey} ORDER BY seq LIMIT 1)
      RETURNING ${pendingColumns}`,
    room
  ))

const toPending = (found: unknown): PendingRow | undefined => {
  const row = decodePending(found)
  return row && {
    key: row.key,
    kind: row.kind,
    roomId: row.room_id,
    sender: row.sender,
    event: row.event ?? undefined,
    provenance: row.provenance,
    attempts: row.attempts,
    takenUp: row.aside === waitsFor.itsTurnAgain,
    receivedAt: row.received_at
  }
}

const Settled = Schema.Struct({ seq: Schema.Int, replaces: Schema.NullOr(Schema.String) })
const decodeSettled = decoderOf(Schema.UndefinedOr(Settled))

const settle = (statements: Statements, key: string, settlement: Settlement, now: number): void => {
  const { code, command, reason, replies, state } = columnsOf(settlement)
  const settled = decodeSettled(statements.get(
    `UPDATE inbox SET state = ?, reason = ?, code = coalesce(?, code), command = ?, settled_at = ?, event = NULL
      WHERE key = ? AND state = 'pending' RETURNING seq, replaces`,
    state,
    reason,
    code,
    command,
    now,
    key
  ))
  // Settled before: its replies are in the outbox already, or were never to be sent.
  if (settled === undefined) return
  // An edit that was in hand while its message was taken back: so is its answer.
  if (settled.replaces !== null && isRedacted(statements, settled.replaces)) return
  enqueue(statements, settled.seq, replies)
}

const columnsOf = (settlement: Settlement) => {
  switch (settlement._tag) {
    case "Answered":
      return {
        state: stateAfter[settlement._tag],
        reason: null,
        code: null,
        command: settlement.isCommand ? 1 : 0,
        replies: settlement.replies
      } as const
    case "Ignored":
      return {
        state: stateAfter[settlement._tag],
        reason: settlement.reason,
        code: null,
        command: 0,
        replies: settlement.replies
      } as const
    case "Failed":
      return {
        state: stateAfter[settlement._tag],
        reason: settlement.problem,
        code: settlement.code,
        command: 0,
        replies: settlement.replies
      } as const
  }
}

// --- the service

const recordColumns = "key, room_id, sender, state, reason, code, received_at, settled_at"

const toRecord = (row: typeof Record.Type): InboxRecord => ({
  key: row.key,
  roomId: row.room_id,
  sender: row.sender,
  state: row.state,
  reason: row.reason ?? undefined,
  code: row.code ?? undefined,
  receivedAt: row.received_at,
  settledAt: row.settled_at ?? undefined
})

const toGap = (row: typeof GapRow.Type): Gap => ({
  roomId: row.room_id,
  from: row.from_token,
  to: row.to_token ?? undefined,
  events: row.events,
  noticedAt: row.noticed_at
})

export const makeInbox = (db: Database): Store["Service"]["inbox"] => {
  const { sql } = db

  return {
    ingest: makeIngest(db),
    ...makeDecryptions(db),

    // Only the oldest row of a room was ever begun: the most attempts of a room are its.
    pendingRooms: allRows(
      db,
      Room,
      sql`SELECT room_id FROM inbox WHERE state = 'pending' GROUP BY room_id ORDER BY max(attempts), min(seq)`
    ).pipe(Effect.map((rows) => rows.map((row) => row.room_id)), Effect.withSpan("Store.inbox.pendingRooms")),

    begunRooms: Effect.fn("Store.inbox.begunRooms")(function*(times) {
      const rows = yield* allRows(
        db,
        Room,
        sql`SELECT DISTINCT room_id FROM inbox WHERE state = 'pending' AND attempts >= ${times}`
      )
      return rows.map((row) => row.room_id)
    }),

    begin: (room) => db.once("Store.inbox.begin", (statements) => beginNext(statements, room)),

    pending: (key) =>
      db.once(
        "Store.inbox.pending",
        (statements) =>
          toPending(statements.get(`SELECT ${pendingColumns} FROM inbox WHERE key = ? AND state = 'pending'`, key))
      ),

    settle: Effect.fnUntraced(function*(key, settlement) {
      const now = yield* Clock.currentTimeMillis
      yield* db.atomic("Store.inbox.settle", (statements) => settle(statements, key, settlement, now))
    }),

    settleAndBegin: Effect.fnUntraced(function*(key, settlement) {
      const now = yield* Clock.currentTimeMillis
      return yield* db.atomic("Store.inbox.settleAndBegin", (statements) => {
        settle(statements, key, settlement, now)
        const row = decodeRoom(statements.get("SELECT room_id FROM inbox WHERE key = ?", key))
        return row && beginNext(statements, row.room_id)
      })
    }),

    giveBack: (keys) =>
      db.atomic("Store.inbox.giveBack", (statements) => {
        for (const key of keys) {
          statements.run("UPDATE inbox SET attempts = attempts - 1 WHERE key = ? AND state = 'pending'", key)
        }
      }),

    setAside: (key, replies) =>
      db.atomic("Store.inbox.setAside", (statements) => {
        const row = decodeSeq(statements.get(
          `UPDATE inbox SET aside = ${waitsFor.itsKey}, attempts = attempts - 1 WHERE key = ? AND state = 'pending' RETURNING seq`,
          key
        ))
        if (row !== undefined) enqueue(statements, row.seq, replies, false)
      }),

    takeUp: (room) =>
      db.atomic("Store.inbox.takeUp", (statements) => {
        statements.run(`${takeUp} AND room_id = ?`, room)
      }),

    takeUpAll: db.atomic("Store.inbox.takeUpAll", (statements) => {
      statements.run(takeUp)
    }),

    find: Effect.fn("Store.inbox.find")(function*(key) {
      const row = yield* firstRow(db, Record, sql`SELECT ${sql.literal(recordColumns)} FROM inbox WHERE key = ${key}`)
      return row && toRecord(row)
    }),

    edited: (edit, target) => db.once("Store.inbox.edited", (statements) => edited(statements, edit, target)),

    reword: makeReword(db),

    findByCode: Effect.fn("Store.inbox.findByCode")(function*(code) {
      // Of a busy room that nobody knew, many have the code of the one that was told.
      const row = yield* firstRow(
        db,
        Record,
        sql`SELECT ${sql.literal(recordColumns)} FROM inbox WHERE code = ${code} ORDER BY seq LIMIT 1`
      )
      return row && toRecord(row)
    }),

    records: Effect.fn("Store.inbox.records")(function*({ limit, room, state }) {
      const conditions = [
        ...(state === undefined ? [] : [sql`state = ${state}`]),
        ...(room === undefined ? [] : [sql`room_id = ${room}`])
      ]
      const rows = yield* allRows(
        db,
        Record,
        sql`SELECT ${sql.literal(recordColumns)} FROM inbox WHERE ${
          sql.and(conditions)
        } ORDER BY seq DESC LIMIT ${limit}`
      )
      return rows.map(toRecord)
    }),

    gaps: Effect.fn("Store.inbox.gaps")(function*(limit) {
      const rows = yield* allRows(
        db,
        GapRow,
        sql`SELECT room_id, from_token, to_token, events, noticed_at FROM gaps ORDER BY id DESC LIMIT ${limit}`
      )
      return rows.map(toGap)
    }),

    heldRooms: db.once(
      "Store.inbox.heldRooms",
      (statements) =>
        decodeHeld(statements.all(
          "SELECT room_id, since, after_absence, was_encrypted, failures, tried_at FROM held_rooms"
        )).map(toHeld)
    ),

    hold: (holds, released) =>
      db.atomic("Store.inbox.hold", (statements) => {
        for (const room of released) statements.run("DELETE FROM held_rooms WHERE room_id = ?", room)
        for (const { afterAbsence, failures, roomId, since, triedAt, wasEncrypted } of holds) {
          statements.run(
            `INSERT INTO held_rooms (room_id, since, after_absence, was_encrypted, failures, tried_at)
              VALUES (?, ?, ?, ?, ?, ?)
              ON CONFLICT (room_id) DO UPDATE SET failures = excluded.failures, tried_at = excluded.tried_at`,
            roomId,
            since,
            afterAbsence ? 1 : 0,
            wasEncrypted ? 1 : 0,
            failures,
            triedAt
          )
        }
      }),

    counts: allRows(db, Count, sql`SELECT state, count(*) AS "rows" FROM inbox GROUP BY state`).pipe(
      Effect.map((rows) => {
        const counts = { pending: 0, answered: 0, ignored: 0, failed: 0 }
        for (const row of rows) counts[row.state] = row.rows
        return counts
      }),
      Effect.withSpan("Store.inbox.counts")
    )
  }
}
