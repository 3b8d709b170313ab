import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ReferenceCode, RoomId, UserId } from "../../domain/Ids.ts"
import type { Settlement } from "../../domain/Settlement.ts"
import { RawEvent } from "../../domain/SyncBatch.ts"
import type { InboxRecord, InboxRow, PendingRow, Store } from "../Store.ts"
import { allRows, type Database, firstRow } from "./Database.ts"
import { enqueue, settleEchoes } from "./Outbox.ts"

const State = Schema.Literals(["pending", "answered", "ignored", "failed"])

const Pending = Schema.Struct({
  key: Schema.String,
  kind: Schema.Literals(["message", "invite"]),
  room_id: RoomId,
  sender: UserId,
  event: Schema.NullOr(Schema.fromJsonString(RawEvent)),
  provenance: Schema.Literals(["live", "missed", "recovered"]),
  attempts: Schema.Int
})

const Record = Schema.Struct({
  key: Schema.String,
  room_id: RoomId,
  sender: UserId,
  state: State,
  reason: Schema.NullOr(Schema.String),
  code: Schema.NullOr(ReferenceCode),
  received_at: Schema.Number,
  settled_at: Schema.NullOr(Schema.Number)
})

const Room = Schema.Struct({ room_id: RoomId })
const Key = Schema.Struct({ key: Schema.String })
const Count = Schema.Struct({ state: State, rows: Schema.Int })

/** Rows of one INSERT: eleven values each, far below SQLite's limit of 32,766 a statement. */
const rowsPerInsert = 100

/** A row as it is inserted. What is ignored on arrival is settled, and so keeps no event. */
const values = (row: InboxRow, now: number, ignoredFor?: string) => ({
  key: row.key,
  kind: row.kind,
  room_id: row.roomId,
  sender: row.sender,
  event: row.event === undefined || ignoredFor !== undefined ? null : JSON.stringify(row.event),
  provenance: row.provenance,
  state: ignoredFor === undefined ? "pending" : "ignored",
  reason: ignoredFor ?? null,
  attempts: 0,
  received_at: now,
  settled_at: ignoredFor === undefined ? null : now
})

const columnsOf = (settlement: Settlement) => {
  switch (settlement._tag) {
    case "Answered":
      return { state: "answered", reason: null, code: null, replies: settlement.replies } as const
    case "Ignored":
      return { state: "ignored", reason: settlement.reason, code: null, replies: [] } as const
    case "Failed":
      return { state: "failed", reason: settlement.problem, code: settlement.code, replies: settlement.replies } as const
  }
}

export const makeInbox = (db: Database): Store["Service"]["inbox"] => {
  const { sql } = db

  /**
   * An invite has no event id: the next one into the same room has the same key and opens the row again. One that still waits
   * stays as it is, attempts included, because an initial sync repeats every open invite.
   */
  const putInvite = (row: ReturnType<typeof values>) =>
    db.run(sql`
      INSERT INTO inbox ${sql.insert(row)}
      ON CONFLICT (key) DO UPDATE SET
        sender = excluded.sender, provenance = excluded.provenance, state = excluded.state, reason = excluded.reason,
        code = NULL, attempts = 0, received_at = excluded.received_at, settled_at = excluded.settled_at
      WHERE inbox.state <> 'pending'`)

  return {
    ingest: Effect.fn("Store.inbox.ingest")(function*(batch) {
      const now = yield* Clock.currentTimeMillis
      const rows = [
        ...batch.rows.map((row) => values(row, now)),
        ...batch.ignored.map(({ reason, row }) => values(row, now, reason))
      ]
      yield* db.transaction(Effect.gen(function*() {
        for (const messages of Arr.chunksOf(rows.filter((row) => row.kind === "message"), rowsPerInsert)) {
          yield* db.run(sql`INSERT INTO inbox ${sql.insert(messages)} ON CONFLICT (key) DO NOTHING`)
        }
        for (const row of rows) if (row.kind === "invite") yield* putInvite(row)
        yield* settleEchoes(db, batch.echoes)
        yield* db.run(sql`
          INSERT INTO cursor ${sql.insert({ id: 1, token: batch.cursor })}
          ON CONFLICT (id) DO UPDATE SET token = excluded.token`)
      }))
    }),

    pendingRooms: allRows(
      db,
      Room,
      sql`SELECT room_id FROM inbox WHERE state = 'pending' GROUP BY room_id ORDER BY min(seq)`
    ).pipe(Effect.map((rows) => rows.map((row) => row.room_id)), Effect.withSpan("Store.inbox.pendingRooms")),

    // Counted by the statement that reads it: a message that kills the process has been counted before it can.
    begin: Effect.fn("Store.inbox.begin")(function*(room) {
      const row = yield* firstRow(
        db,
        Pending,
        sql`UPDATE inbox SET attempts = attempts + 1
          WHERE seq = (SELECT seq FROM inbox WHERE room_id = ${room} AND state = 'pending' ORDER BY seq LIMIT 1)
          RETURNING key, kind, room_id, sender, event, provenance, attempts`
      )
      return row && ({
        key: row.key,
        kind: row.kind,
        roomId: row.room_id,
        sender: row.sender,
        event: row.event ?? undefined,
        provenance: row.provenance,
        attempts: row.attempts
      } satisfies PendingRow)
    }),

    settle: Effect.fn("Store.inbox.settle")(function*(key, settlement) {
      const now = yield* Clock.currentTimeMillis
      const { code, reason, replies, state } = columnsOf(settlement)
      yield* db.transaction(Effect.gen(function*() {
        const settled = yield* firstRow(
          db,
          Key,
          sql`UPDATE inbox SET state = ${state}, reason = ${reason}, code = ${code}, settled_at = ${now}, event = NULL
            WHERE key = ${key} AND state = 'pending' RETURNING key`
        )
        // Settled before: its replies are in the outbox already, or were never to be sent.
        if (settled !== undefined) yield* enqueue(db, key, replies)
      }))
    }),

    find: Effect.fn("Store.inbox.find")(function*(key) {
      const row = yield* firstRow(
        db,
        Record,
        sql`SELECT key, room_id, sender, state, reason, code, received_at, settled_at FROM inbox WHERE key = ${key}`
      )
      return row && ({
        key: row.key,
        roomId: row.room_id,
        sender: row.sender,
        state: row.state,
        reason: row.reason ?? undefined,
        code: row.code ?? undefined,
        receivedAt: row.received_at,
        settledAt: row.settled_at ?? undefined
      } satisfies InboxRecord)
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
