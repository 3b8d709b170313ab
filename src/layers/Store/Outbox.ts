import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Upload } from "../../domain/Attachment.ts"
import { OutboxState } from "../../domain/Delivery.ts"
import { EventId, RoomId, TransactionId, type UserId } from "../../domain/Ids.ts"
import type { OutgoingMessage } from "../../domain/Message.ts"
import type { OutboxRecord, OutboxRow, Store } from "../Store.ts"
import { allRows, type Database, decoderOf, firstRow } from "./Database.ts"
import type { Statements } from "./Sqlite.ts"

const Content = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown))

const UploadText = Schema.fromJsonString(Upload)
const encodeUpload = Schema.encodeSync(UploadText)

const Pending = Schema.Struct({
  position: Schema.Int,
  room_id: RoomId,
  transaction_id: TransactionId,
  type: Schema.String,
  content: Content,
  upload: Schema.NullOr(UploadText),
  target: Schema.NullOr(TransactionId),
  target_event: Schema.NullOr(EventId)
})
const decodePending = decoderOf(Schema.NullishOr(Pending))

const File = Schema.Struct({ mimetype: Schema.String, bytes: Schema.Uint8Array })
const decodeFile = decoderOf(Schema.UndefinedOr(File))

const Record = Schema.Struct({
  position: Schema.Int,
  room_id: RoomId,
  transaction_id: TransactionId,
  key: Schema.String,
  state: OutboxState,
  reason: Schema.NullOr(Schema.String),
  attempts: Schema.Int,
  event_id: Schema.NullOr(EventId),
  content: Schema.NullOr(Content)
})

const Room = Schema.Struct({ room_id: RoomId })
const Count = Schema.Struct({ state: OutboxState, rows: Schema.Int })
const Found = Schema.Struct({ found: Schema.Int })
const Seq = Schema.Struct({ seq: Schema.Int })
const decodeSeq = decoderOf(Schema.UndefinedOr(Seq))
const Answered = Schema.Struct({ inbox_seq: Schema.Int })
const decodeAnswered = decoderOf(Schema.UndefinedOr(Answered))
const Position = Schema.Struct({ position: Schema.Int })
const decodePosition = decoderOf(Schema.UndefinedOr(Position))

// --- parts of other transactions

const waiting = encodeUpload({ _tag: "Waiting" })

/** Puts replies behind what waits already. A transaction id that is known inserts nothing. `answer`: they answer the row. */
export const enqueue = (
  statements: Statements,
  inboxSeq: number,
  replies: ReadonlyArray<OutgoingMessage>,
  answer = true
): void => {
  for (const reply of replies) {
    const inserted = decodePosition(statements.get(
      `INSERT INTO outbox (room_id, transaction_id, type, content, upload, state, attempts, inbox_seq, target, answer)
        VALUES (?, ?, ?, ?, ?, 'pending', 0, ?, ?, ?) ON CONFLICT (transaction_id) DO NOTHING RETURNING position`,
      reply.roomId,
      reply.transactionId,
      reply.type,
      JSON.stringify(reply.content),
      reply.file === undefined ? null : waiting,
      inboxSeq,
      reply.target ?? null,
      answer ? 1 : 0
    ))
    if (reply.file === undefined || inserted === undefined) continue
    statements.run(
      "INSERT INTO attachments (position, mimetype, bytes) VALUES (?, ?, ?)",
      inserted.position,
      reply.file.mimetype,
      reply.file.bytes
    )
  }
}

/** Nobody needs it any more. */
const forgetFile = (statements: Statements, transactionId: TransactionId): void => {
  statements.run(
    "DELETE FROM attachments WHERE position = (SELECT position FROM outbox WHERE transaction_id = ?)",
    transactionId
  )
}

/** What the bot says of itself is an answer to a row of its own, which was never anybody's message: `kind` tells it from those. */
const announce = (
  statements: Statements,
  message: OutgoingMessage,
  { about, now, sender }: { readonly about: string; readonly sender: UserId; readonly now: number }
): void => {
  const row = decodeSeq(statements.get(
    `INSERT INTO inbox (key, kind, room_id, sender, provenance, state, attempts, received_at, settled_at)
      VALUES (?, 'announcement', ?, ?, 'live', 'answered', 0, ?, ?) ON CONFLICT (key) DO NOTHING RETURNING seq`,
    about,
    message.roomId,
    sender,
    now,
    now
  ))
  if (row !== undefined) enqueue(statements, row.seq, [message])
}

/**
 * The message stands in the room. Also when it was given up before: the server's word counts. Its content is not needed
 * again; the row stays, so that the transaction id is never used twice and the event is known as the bot's own.
 *
 * Own events that came back with `unsigned.transaction_id` were sent, whether or not their answer arrived.
 */
export const markSent = (
  statements: Statements,
  { eventId, transactionId }: { readonly transactionId: TransactionId; readonly eventId: EventId | undefined }
): void => {
  const changed = statements.run(
    `UPDATE outbox SET state = 'sent', event_id = ?, content = NULL, upload = NULL, reason = NULL, attempts = attempts + 1
      WHERE transaction_id = ? AND state <> 'sent'`,
    eventId ?? null,
    transactionId
  )
  if (changed > 0) forgetFile(statements, transactionId)
}

/** The row stays, since its transaction id must not be used again; its content goes, since nobody wants it sent. */
export const dropRow = (statements: Statements, transactionId: TransactionId, reason: string): boolean => {
  const dropped = statements.run(
    `UPDATE outbox SET state = 'dropped', reason = ?, content = NULL, upload = NULL
      WHERE transaction_id = ? AND state IN ('pending', 'dead')`,
    reason,
    transactionId
  )
  if (dropped > 0) forgetFile(statements, transactionId)
  return dropped > 0
}

// --- the service

export const makeOutbox = (db: Database): Store["Service"]["outbox"] => {
  const { sql } = db

  return {
    pendingRooms: allRows(
      db,
      Room,
      sql`SELECT room_id FROM outbox WHERE state = 'pending' GROUP BY room_id ORDER BY min(position)`
    ).pipe(Effect.map((rows) => rows.map((row) => row.room_id)), Effect.withSpan("Store.outbox.pendingRooms")),

    announce: Effect.fn("Store.outbox.announce")(function*(message, { about, sender }) {
      const now = yield* Clock.currentTimeMillis
      yield* db.atomic("Store.outbox.announce", (statements) => announce(statements, message, { about, sender, now }))
    }),

    next: (room) =>
      db.once("Store.outbox.next", (statements): OutboxRow | undefined => {
        const row = decodePending(statements.get(
          `SELECT position, room_id, transaction_id, type, content, upload, target,
              (SELECT event_id FROM outbox AS aim WHERE aim.transaction_id = outbox.target) AS target_event
            FROM outbox WHERE room_id = ? AND state = 'pending' ORDER BY position LIMIT 1`,
          room
        ))
        return row
          ? {
            position: row.position,
            message: {
              roomId: row.room_id,
              transactionId: row.transaction_id,
              type: row.type,
              content: row.content,
              ...(row.target === null ? {} : { target: row.target })
            },
            ...(row.target_event === null ? {} : { targetEvent: row.target_event }),
            ...(row.upload === null ? {} : { upload: row.upload })
          }
          : undefined
      }),

    file: (transactionId) =>
      db.once("Store.outbox.file", (statements) =>
        decodeFile(statements.get(
          `SELECT mimetype, bytes FROM outbox LEFT JOIN attachments ON attachments.position = outbox.position
            WHERE transaction_id = ? AND state = 'pending'`,
          transactionId
        ))),

    uploaded: (transactionId, upload) =>
      db.atomic("Store.outbox.uploaded", (statements) =>
        statements.run(
          "UPDATE outbox SET upload = ? WHERE transaction_id = ? AND state = 'pending'",
          encodeUpload(upload),
          transactionId
        ) > 0),

    sent: (transactionId, eventId) =>
      db.atomic("Store.outbox.sent", (statements) => markSent(statements, { transactionId, eventId })),

    sentMany: (sent) =>
      db.atomic("Store.outbox.sentMany", (statements) => {
        for (const one of sent) markSent(statements, one)
      }),

    delayed: Effect.fn("Store.outbox.delayed")(function*(transactionId, reason) {
      yield* db.run(sql`
        UPDATE outbox SET attempts = attempts + 1, reason = ${reason}
        WHERE transaction_id = ${transactionId} AND state = 'pending'`)
    }),

    dead: (transactionId, reason, instead) =>
      db.atomic("Store.outbox.dead", (statements) => {
        const row = decodeAnswered(statements.get(
          `UPDATE outbox SET state = 'dead', reason = ?, attempts = attempts + 1
            WHERE transaction_id = ? AND state = 'pending' RETURNING inbox_seq`,
          reason,
          transactionId
        ))
        if (row !== undefined && instead !== undefined) enqueue(statements, row.inbox_seq, [instead], false)
      }),

    hasSent: (event) =>
      db.once(
        "Store.outbox.hasSent",
        (statements) => statements.get("SELECT 1 FROM outbox WHERE event_id = ? LIMIT 1", event) !== undefined
      ),

    list: Effect.fn("Store.outbox.list")(function*({ limit, states }) {
      const rows = yield* allRows(
        db,
        Record,
        sql`${sql.literal(selectRecords)} WHERE ${sql.in("outbox.state", states)}
          ORDER BY position DESC LIMIT ${limit}`
      )
      return rows.map(toRecord)
    }),

    answersTo: Effect.fn("Store.outbox.answersTo")(function*(inboxKey) {
      const rows = yield* allRows(
        db,
        Record,
        sql`${sql.literal(selectRecords)} WHERE key = ${inboxKey} ORDER BY position`
      )
      return rows.map(toRecord)
    }),

    find: Effect.fn("Store.outbox.find")(function*(id) {
      const row = yield* firstRow(
        db,
        Record,
        sql`${sql.literal(selectRecords)} WHERE transaction_id = ${id} OR event_id = ${id}`
      )
      return row && toRecord(row)
    }),

    retry: Effect.fn("Store.outbox.retry")(function*(transactionId) {
      const rows = yield* allRows(
        db,
        Found,
        sql`UPDATE outbox SET state = 'pending', reason = NULL
          WHERE transaction_id = ${transactionId} AND state = 'dead' RETURNING 1 AS found`
      )
      return rows.length > 0
    }),

    drop: (transactionId) =>
      db.atomic("Store.outbox.drop", (statements) => dropRow(statements, transactionId, "dropped by the operator")),

    counts: allRows(db, Count, sql`SELECT state, count(*) AS "rows" FROM outbox GROUP BY state`).pipe(
      Effect.map((rows) => {
        const counts = { pending: 0, sent: 0, dead: 0 }
        for (const row of rows) if (row.state !== "dropped") counts[row.state] = row.rows
        return counts
      }),
      Effect.withSpan("Store.outbox.counts")
    )
  }
}

const selectRecords = `
  SELECT position, outbox.room_id, transaction_id, key, outbox.state, outbox.reason, outbox.attempts, event_id, content
  FROM outbox JOIN inbox ON seq = inbox_seq`

/** Characters of a message that a list shows. */
const excerptLength = 80

const Body = Schema.Struct({ body: Schema.String })
const bodyOf = Schema.decodeUnknownOption(Body)

const toRecord = (row: typeof Record.Type): OutboxRecord => ({
  position: row.position,
  roomId: row.room_id,
  transactionId: row.transaction_id,
  inboxKey: row.key,
  state: row.state,
  reason: row.reason ?? undefined,
  attempts: row.attempts,
  eventId: row.event_id ?? undefined,
  excerpt: Option.match(bodyOf(row.content), {
    onNone: () => undefined,
    onSome: ({ body }) => body.slice(0, excerptLength)
  })
})
