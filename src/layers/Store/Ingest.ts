import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import { type Echo, encryptedType } from "../../domain/Arrival.ts"
import { referenceCodeOf } from "../../domain/Diagnostic.ts"
import type { IgnoreReason } from "../../domain/Policy.ts"
import { relationOf } from "../../domain/Relation.ts"
import { waitsFor } from "../../domain/Settlement.ts"
import { RawEvent } from "../../domain/SyncBatch.ts"
import type { InboxRow, Ingested, NewWords, Store } from "../Store.ts"
import { takeBack } from "./Answers.ts"
import { type Database, decoderOf } from "./Database.ts"
import { noteEncrypted } from "./EncryptedRooms.ts"
import { markSent } from "./Outbox.ts"
import { wasAsked } from "./Prompts.ts"
import type { Statements } from "./Sqlite.ts"

const Event = Schema.Struct({ event: Schema.fromJsonString(RawEvent) })
const decodeEvent = decoderOf(Schema.UndefinedOr(Event))

const insertMessage = `
  INSERT INTO inbox
    (key, kind, room_id, sender, event, seal, provenance, state, reason, code, attempts, received_at, settled_at, replaces,
      thread_root)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)
  ON CONFLICT (key) DO NOTHING`

/**
 * An invite has no event id: the next one into the same room has the same key and opens the row again. One that still waits
 * stays as it is, attempts included, because an initial sync repeats every open invite.
 */
const insertInvite = insertMessage.replace(
  "DO NOTHING",
  `DO UPDATE SET
    sender = excluded.sender, provenance = excluded.provenance, state = excluded.state, reason = excluded.reason,
    code = excluded.code, attempts = 0, received_at = excluded.received_at, settled_at = excluded.settled_at
  WHERE inbox.state <> 'pending'`
)

/**
 * What tells an encrypted message from every other of its sender: a hash of its bytes, which are signed, so that only the sender can make others
 * that say the same. Of the bytes, for the text that stands for them can be written in more than one way. Whoever copies the message of
 * somebody else takes no turn from them.
 */
const sealOf = ({ event, sender }: InboxRow): string | undefined => {
  const ciphertext = event?.type === encryptedType ? event.content["ciphertext"] : undefined
  return typeof ciphertext !== "string" ? undefined : createHash("sha256")
    .update(JSON.stringify(sender))
    .update(Buffer.from(ciphertext, "base64"))
    .digest("base64url")
}

const replay: IgnoreReason = "replayed"
const inClear: IgnoreReason = "not_encrypted"
const malformed: IgnoreReason = "malformed"

/** Why a row is settled on arrival, if it is: as it was decided, or because its message was taken in before as another event. */
const ignoredFor = (statements: Statements, row: InboxRow, seal: string | undefined, decided: string | undefined) =>
  seal === undefined || decided !== undefined ||
    statements.get("SELECT 1 FROM inbox WHERE room_id = ? AND seal = ? AND key <> ?", row.roomId, seal, row.key) ===
      undefined
    ? decided
    : replay

/** As it is kept; undefined for what nests so deep that it can be read and not be written. */
const textOf = (event: RawEvent): string | undefined => {
  try {
    return JSON.stringify(event)
  } catch {
    return undefined
  }
}

/** What is ignored on arrival is settled, and so keeps no event. Answers why it is new and not answered. */
const insert = (statements: Statements, row: InboxRow, now: number, decided?: string): string | undefined => {
  const seal = sealOf(row)
  const event = row.event && textOf(row.event)
  const lost = row.event !== undefined && event === undefined
  const reason = ignoredFor(statements, row, seal, decided ?? (lost ? malformed : undefined))
  const pending = reason === undefined
  const { replaces, threadRoot } = relationOf(row.event?.content ?? {})
  const inserted = statements.run(
    row.kind === "invite" ? insertInvite : insertMessage,
    row.key,
    row.kind,
    row.roomId,
    row.sender,
    pending ? event ?? null : null,
    seal ?? null,
    row.provenance,
    pending ? "pending" : "ignored",
    reason ?? null,
    referenceCodeOf(row.key),
    now,
    pending ? null : now,
    replaces ?? null,
    threadRoot ?? null
  )
  return inserted > 0 ? reason : undefined
}

/** The first message in clear of an encrypted room. Remembered, so that nobody is told twice. */
const isFirstInClear = (statements: Statements, room: string): boolean =>
  statements.run("UPDATE encrypted_rooms SET heard_in_clear = 1 WHERE room_id = ? AND heard_in_clear = 0", room) > 0

/** Gives a row new words if it is one that `condition` holds for. */
const reword = (
  statements: Statements,
  { content, roomId, sender, target }: NewWords,
  condition: string
): boolean => {
  const found = decodeEvent(statements.get(
    `SELECT event FROM inbox
      WHERE key = ? AND room_id = ? AND sender = ? AND state = 'pending' AND event IS NOT NULL AND ${condition}`,
    target,
    roomId,
    sender
  ))
  if (found === undefined) return false
  // An edit cannot change where a message stands: its thread and what it replies to (Client-Server API, "Event replacements").
  const { "m.relates_to": relation } = found.event.content
  const edited = { ...content, ...(relation === undefined ? {} : { "m.relates_to": relation }) }
  const event = textOf({ ...found.event, type: "m.room.message", content: edited })
  if (event === undefined) return false
  statements.run("UPDATE inbox SET event = ? WHERE key = ?", event, target)
  return true
}

/**
 * Its sender said it again in other words before anybody answered: the answer is to those, and the edit needs none. Of a message that
 * somebody has begun to handle the answer may be to the old words: it follows the edit later. So does that of an encrypted one.
 */
const edit = (statements: Statements, one: Ingested["edits"][number], now: number): void => {
  const untouched = "attempts = 0 AND json_extract(event, '$.type') = 'm.room.message'"
  if (reword(statements, one, untouched)) {
    statements.run(settleUnhandled, "ignored", "edit", now, one.edit)
  }
}

/** A lost database knows nothing of the first parts of an answer whose last is wanting: they are not to be said again with it. */
const take = (statements: Statements, { eventId, question, roomId, transactionId }: Echo): void => {
  markSent(statements, { eventId, transactionId })
  if (question === undefined) return
  statements.run(
    `INSERT INTO outbox (room_id, transaction_id, type, state, attempts, event_id, inbox_seq)
      SELECT ?, ?, 'm.room.message', 'sent', 1, ?, seq FROM inbox WHERE key = ? AND state = 'pending'
      ON CONFLICT (transaction_id) DO NOTHING`,
    roomId,
    transactionId,
    eventId,
    question
  )
}

const settleUnhandled = `
  UPDATE inbox SET state = ?, reason = ?, settled_at = ?, event = NULL
  WHERE key = ? AND state = 'pending' AND kind = 'message'`

/** A message was taken back. Where the chat wants it, so is what was said to it. */
const redact = (statements: Statements, one: Ingested["redactions"][number], now: number): void => {
  const known = statements.run("UPDATE inbox SET redacted = 1 WHERE key = ? AND room_id = ?", one.target, one.roomId)
  if (known === 0) return
  statements.run(settleUnhandled, "ignored", "redacted", now, one.target)
  if (one.follow) takeBack(statements, one)
}

/** Words for a message that was set aside: with them it can be read. */
export const makeReword = (db: Database): Store["Service"]["inbox"]["reword"] => (words) =>
  db.atomic("Store.inbox.reword", (statements) => {
    if (!reword(statements, words, `aside = ${waitsFor.itsKey}`)) return false
    statements.run(`UPDATE inbox SET aside = ${waitsFor.itsTurnAgain} WHERE key = ?`, words.target)
    return true
  })

/**
 * The transaction of a sync answer. The order matters: a row is there before what came after it in the room, and that the bot has
 * answered counts more than that the question is gone.
 */
export const makeIngest = (db: Database): Store["Service"]["inbox"]["ingest"] =>
  Effect.fnUntraced(function*(batch) {
    const now = yield* Clock.currentTimeMillis
    return yield* db.atomic("Store.inbox.ingest", (statements) => {
      for (const room of batch.encrypted) {
        noteEncrypted(statements, room)
      }
      const suspicious: Array<{ readonly row: InboxRow; readonly reason: IgnoreReason }> = []
      for (const row of batch.rows) {
        if (insert(statements, row, now) === replay) suspicious.push({ row, reason: replay })
      }
      for (const { reason, row, tell } of batch.ignored) {
        if (insert(statements, row, now, reason) === inClear && tell && isFirstInClear(statements, row.roomId)) {
          suspicious.push({ row, reason: inClear })
        }
      }
      for (const one of batch.edits) edit(statements, one, now)
      for (const key of batch.answered) statements.run(settleUnhandled, "answered", "answered_before", now, key)
      for (const echo of batch.echoes) take(statements, echo)
      for (const one of batch.redactions) redact(statements, one, now)
      // Behind the echoes, by which the question that is meant may be known.
      for (const { row, target } of batch.reactions) {
        if (wasAsked(statements, target, row.roomId, row.sender)) insert(statements, row, now)
      }
      for (const { events, from, roomId, to } of batch.gaps) {
        statements.run(
          "INSERT INTO gaps (room_id, from_token, to_token, events, noticed_at) VALUES (?, ?, ?, ?, ?)",
          roomId,
          from,
          to ?? null,
          events,
          now
        )
      }
      statements.run(
        "INSERT INTO cursor (id, token) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET token = excluded.token",
        batch.cursor
      )
      return suspicious
    })
  })
