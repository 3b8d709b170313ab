import * as Schema from "effect/Schema"
import { transactionIdOf } from "../../domain/Delivery.ts"
import type { EditedMessage } from "../../domain/Edit.ts"
import { EventId, RoomId, TransactionId, UserId } from "../../domain/Ids.ts"
import { redactionType } from "../../domain/Message.ts"
import type { Ingested } from "../Store.ts"
import { decoderOf } from "./Database.ts"
import { dropRow, enqueue } from "./Outbox.ts"
import type { Statements } from "./Sqlite.ts"

const Question = Schema.Struct({
  seq: Schema.Int,
  room_id: RoomId,
  sender: UserId,
  state: Schema.Literals(["pending", "answered", "ignored", "failed"]),
  reason: Schema.NullOr(Schema.String),
  replaces: Schema.NullOr(EventId),
  thread_root: Schema.NullOr(EventId),
  redacted: Schema.Int,
  command: Schema.Int
})
const decodeQuestion = decoderOf(Schema.UndefinedOr(Question))

const Edits = Schema.Struct({ count: Schema.Int, newest: Schema.NullOr(Schema.Int) })
const decodeEdits = decoderOf(Edits)
const Seq = Schema.Struct({ seq: Schema.Int })
const decodeSeq = decoderOf(Schema.UndefinedOr(Seq))

const Part = Schema.Struct({
  room_id: RoomId,
  transaction_id: TransactionId,
  state: Schema.Literals(["pending", "sent", "dead"]),
  /** It is the next of its room, or was tried before. */
  under_way: Schema.Literals([0, 1])
})
const decodeParts = decoderOf(Schema.Array(Part))

/** What was said to a question and its edits, in order, and is not taken back. `key`: of the question; `which`: a condition. */
const saidTo = (statements: Statements, key: string, which = "TRUE") =>
  decodeParts(statements.all(
    `SELECT outbox.room_id, transaction_id, outbox.state,
        outbox.attempts > 0 OR position = (
          SELECT min(first.position) FROM outbox AS first WHERE first.room_id = outbox.room_id AND first.state = 'pending'
        ) AS under_way
      FROM outbox JOIN inbox ON seq = inbox_seq
      WHERE (inbox.key = ?1 OR inbox.replaces = ?1)
        AND answer = 1 AND type = 'm.room.message' AND outbox.state <> 'dropped' AND ${which}
        AND NOT EXISTS (SELECT 1 FROM outbox AS taker WHERE taker.target = outbox.transaction_id AND taker.type = '${redactionType}')
      ORDER BY position`,
    key
  ))

/** What is known of the message that an edit names. */
export const edited = (statements: Statements, edit: string, target: EventId): EditedMessage | undefined => {
  const question = decodeQuestion(statements.get(
    `SELECT seq, room_id, sender, state, reason, replaces, thread_root, redacted, command
      FROM inbox WHERE key = ? AND kind = 'message'`,
    target
  ))
  if (question === undefined) return undefined
  const { count, newest } = decodeEdits(statements.get(
    `SELECT count(*) AS count, max(seq) AS newest FROM inbox
      WHERE replaces = ? AND sender = ? AND state IN ('answered', 'failed')`,
    target,
    question.sender
  ))
  const seq = decodeSeq(statements.get("SELECT seq FROM inbox WHERE key = ?", edit))?.seq
  return {
    roomId: question.room_id,
    sender: question.sender,
    state: question.state,
    threadRoot: question.thread_root ?? undefined,
    isEdit: question.replaces !== null,
    isCommand: question.command === 1,
    isRedacted: question.redacted === 1,
    answeredElsewhere: question.reason === "answered_before",
    edits: count,
    overtaken: newest !== null && seq !== undefined && newest > seq,
    parts: saidTo(statements, target, "target IS NULL AND outbox.state <> 'dead'").map((part) => part.transaction_id)
  }
}

/** Whether the message that an edit names was taken back. */
export const isRedacted = (statements: Statements, target: string): boolean =>
  statements.get("SELECT 1 FROM inbox WHERE key = ? AND redacted = 1", target) !== undefined

/**
 * Takes back what was said to a message, edits of it too: they hold its words. What waits behind others has never left: it is dropped. What may be on its way is sent, and then
 * redacted.
 */
export const takeBack = (
  statements: Statements,
  { redaction, roomId, target }: Ingested["redactions"][number]
): void => {
  const question = decodeSeq(
    statements.get("SELECT seq FROM inbox WHERE key = ? AND room_id = ? AND replaces IS NULL", target, roomId)
  )
  if (question === undefined) return
  for (const [index, part] of saidTo(statements, target).entries()) {
    const { room_id, state, transaction_id, under_way } = part
    if (state === "sent" || (state === "pending" && under_way === 1)) {
      const transactionId = transactionIdOf(redaction, index)
      enqueue(statements, question.seq, [{
        roomId: room_id,
        transactionId,
        type: redactionType,
        content: {},
        target: transaction_id
      }])
    } else {
      dropRow(statements, transaction_id, "dropped, since its question was redacted")
    }
  }
}
