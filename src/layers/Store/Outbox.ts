import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type EventId, RoomId, TransactionId } from "../../domain/Ids.ts"
import type { OutgoingMessage } from "../../domain/Message.ts"
import type { OutboxRow, Store } from "../Store.ts"
import { allRows, type Database, firstRow } from "./Database.ts"

const State = Schema.Literals(["pending", "sent", "dead"])

const Pending = Schema.Struct({
  position: Schema.Int,
  room_id: RoomId,
  transaction_id: TransactionId,
  type: Schema.String,
  content: Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown)),
  attempts: Schema.Int
})

const Room = Schema.Struct({ room_id: RoomId })
const Found = Schema.Struct({ found: Schema.Int })
const Count = Schema.Struct({ state: State, rows: Schema.Int })

/** Puts replies behind what waits already. A transaction id that is known inserts nothing. */
export const enqueue = (db: Database, inboxKey: string, replies: ReadonlyArray<OutgoingMessage>) =>
  Effect.forEach(replies, (reply) =>
    db.run(db.sql`
      INSERT INTO outbox ${
      db.sql.insert({
        room_id: reply.roomId,
        transaction_id: reply.transactionId,
        type: reply.type,
        content: JSON.stringify(reply.content),
        state: "pending",
        attempts: 0,
        inbox_key: inboxKey
      })
    }
      ON CONFLICT (transaction_id) DO NOTHING`), { discard: true })

/**
 * The message stands in the room. Also when it was given up before: the server's word counts. Its content is not needed
 * again; the row stays, so that the transaction id is never used twice and the event is known as the bot's own.
 */
const markSent = (db: Database, transactionId: TransactionId, event: EventId) =>
  db.run(db.sql`
    UPDATE outbox SET state = 'sent', event_id = ${event}, content = NULL, reason = NULL
    WHERE transaction_id = ${transactionId} AND state <> 'sent'`)

/** Own events that came back with `unsigned.transaction_id` were sent, whether or not their answer arrived. */
export const settleEchoes = (
  db: Database,
  echoes: ReadonlyArray<{ readonly transactionId: TransactionId; readonly eventId: EventId }>
) => Effect.forEach(echoes, (echo) => markSent(db, echo.transactionId, echo.eventId), { discard: true })

export const makeOutbox = (db: Database): Store["Service"]["outbox"] => {
  const { sql } = db

  return {
    pendingRooms: allRows(
      db,
      Room,
      sql`SELECT room_id FROM outbox WHERE state = 'pending' GROUP BY room_id ORDER BY min(position)`
    ).pipe(Effect.map((rows) => rows.map((row) => row.room_id)), Effect.withSpan("Store.outbox.pendingRooms")),

    next: Effect.fn("Store.outbox.next")(function*(room) {
      const row = yield* firstRow(
        db,
        Pending,
        sql`UPDATE outbox SET attempts = attempts + 1
          WHERE position = (
            SELECT position FROM outbox WHERE room_id = ${room} AND state = 'pending' ORDER BY position LIMIT 1
          )
          RETURNING position, room_id, transaction_id, type, content, attempts`
      )
      return row && ({
        position: row.position,
        message: { roomId: row.room_id, transactionId: row.transaction_id, type: row.type, content: row.content },
        attempts: row.attempts
      } satisfies OutboxRow)
    }),

    sent: Effect.fn("Store.outbox.sent")(function*(transactionId, event) {
      yield* markSent(db, transactionId, event)
    }),

    dead: Effect.fn("Store.outbox.dead")(function*(transactionId, reason) {
      yield* db.run(sql`
        UPDATE outbox SET state = 'dead', reason = ${reason}
        WHERE transaction_id = ${transactionId} AND state = 'pending'`)
    }),

    hasSent: Effect.fn("Store.outbox.hasSent")(function*(event) {
      const row = yield* firstRow(db, Found, sql`SELECT 1 AS found FROM outbox WHERE event_id = ${event} LIMIT 1`)
      return row !== undefined
    }),

    counts: allRows(db, Count, sql`SELECT state, count(*) AS "rows" FROM outbox GROUP BY state`).pipe(
      Effect.map((rows) => {
        const counts = { pending: 0, sent: 0, dead: 0 }
        for (const row of rows) counts[row.state] = row.rows
        return counts
      }),
      Effect.withSpan("Store.outbox.counts")
    )
  }
}
