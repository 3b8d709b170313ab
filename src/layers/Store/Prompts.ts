import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { RoomId, TransactionId, UserId } from "../../domain/Ids.ts"
import { type Prompt, PromptAction } from "../../domain/Prompt.ts"
import type { Store } from "../Store.ts"
import { type Database, decoderOf } from "./Database.ts"
import type { Statements } from "./Sqlite.ts"

const Row = Schema.Struct({
  transaction_id: TransactionId,
  room_id: RoomId,
  asker: UserId,
  action: Schema.fromJsonString(PromptAction),
  expires_at: Schema.Number
})
const decodeRow = decoderOf(Schema.UndefinedOr(Row))

const one = (found: unknown): Prompt | undefined => {
  const row = decodeRow(found)
  return row && {
    transactionId: row.transaction_id,
    roomId: row.room_id,
    asker: row.asker,
    action: row.action,
    expiresAt: row.expires_at
  }
}

/** One that is long over needs no "too late" any more. */
const keptFor = 24 * 3_600_000

const byEvent = `
  SELECT prompts.* FROM outbox JOIN prompts USING (transaction_id)
    WHERE event_id = ? AND prompts.room_id = ? AND asker = ?`

/** Whether somebody was asked something with this event. */
export const wasAsked = (statements: Statements, event: string, room: string, asker: string): boolean =>
  statements.get(byEvent, event, room, asker) !== undefined

export const makePrompts = (db: Database): Store["Service"]["prompts"] => ({
  put: Effect.fnUntraced(function*({ action, asker, expiresAt, roomId, transactionId }) {
    const now = yield* Clock.currentTimeMillis
    yield* db.atomic("Store.prompts.put", (statements) => {
      statements.run("DELETE FROM prompts WHERE expires_at < ?", now - keptFor)
      statements.run(
        "INSERT OR REPLACE INTO prompts (transaction_id, room_id, asker, action, expires_at) VALUES (?, ?, ?, ?, ?)",
        transactionId,
        roomId,
        asker,
        JSON.stringify(action),
        expiresAt
      )
    })
  }),

  byEvent: (event, room, asker) =>
    db.once("Store.prompts.byEvent", (statements) => one(statements.get(byEvent, event, room, asker))),

  newest: (room, asker) =>
    db.once("Store.prompts.newest", (statements) =>
      one(statements.get(
        "SELECT * FROM prompts WHERE room_id = ? AND asker = ? ORDER BY expires_at DESC LIMIT 1",
        room,
        asker
      ))),

  remove: (transactionId) =>
    db.atomic("Store.prompts.remove", (statements) => {
      statements.run("DELETE FROM prompts WHERE transaction_id = ?", transactionId)
    })
})
