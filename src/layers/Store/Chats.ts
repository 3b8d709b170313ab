import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Chat, DetachReason } from "../../domain/Chat.ts"
import { readSettings, writtenSettings } from "../../domain/ChatSettings.ts"
import { ChatId, RoomId, UserId } from "../../domain/Ids.ts"
import type { Store } from "../Store.ts"
import { allRows, type Database, decoderOf } from "./Database.ts"

const Row = Schema.Struct({
  id: ChatId,
  owner: UserId,
  owner_name: Schema.String,
  title: Schema.String,
  archived: Schema.BooleanFromBit,
  revision: Schema.Int,
  created_at: Schema.Number,
  room_id: Schema.NullOr(RoomId),
  bound_at: Schema.NullOr(Schema.Number),
  detached: Schema.NullOr(DetachReason),
  marker_revision: Schema.Int,
  /** Absent in a file that an older Homing wrote, and that is only looked at. */
  settings: Schema.optionalKey(Schema.fromJsonString(Schema.Unknown))
})
type Row = typeof Row.Type
const decodeRow = decoderOf(Schema.UndefinedOr(Row))
const decodeRows = decoderOf(Schema.Array(Row))

const decodeHeard = decoderOf(Schema.Array(Schema.Struct({ room_id: RoomId, heard_at: Schema.Number })))

const toChat = (row: Row): Chat =>
  new Chat({
    id: row.id,
    owner: row.owner,
    ownerName: row.owner_name,
    title: row.title,
    archived: row.archived,
    settings: readSettings(row.settings),
    revision: row.revision,
    createdAt: row.created_at,
    binding: row.room_id === null || row.bound_at === null ? null : { roomId: row.room_id, boundAt: row.bound_at },
    detached: row.detached,
    markerRevision: row.marker_revision
  })

const fromChat = (chat: Chat): Row => ({
  id: chat.id,
  owner: chat.owner,
  owner_name: chat.ownerName,
  title: chat.title,
  archived: chat.archived,
  revision: chat.revision,
  created_at: chat.createdAt,
  room_id: chat.binding?.roomId ?? null,
  bound_at: chat.binding?.boundAt ?? null,
  detached: chat.detached,
  marker_revision: chat.markerRevision,
  settings: writtenSettings(chat.settings)
})

const encodeRow = Schema.encodeSync(Row)

const one = (found: unknown): Chat | undefined => {
  const row = decodeRow(found)
  return row && toChat(row)
}

/** One value that lists any number: SQLite takes no more than 32,766 of them. */
const listed = "(SELECT value FROM json_each(?))"

/** Chats and, in the same row, their bindings: `room_id` is unique, so a room shows one chat at most. */
export const makeChats = (db: Database): Store["Service"]["chats"] => {
  const { sql } = db

  return {
    all: Effect.map(allRows(db, Row, sql`SELECT * FROM chats`), (rows) => rows.map(toChat)).pipe(
      Effect.withSpan("Store.chats.all")
    ),

    byId: (id) =>
      db.once("Store.chats.byId", (statements) => one(statements.get("SELECT * FROM chats WHERE id = ?", id))),

    byRoom: (room) =>
      db.once("Store.chats.byRoom", (statements) => one(statements.get("SELECT * FROM chats WHERE room_id = ?", room))),

    byRooms: (rooms) =>
      db.once("Store.chats.byRooms", (statements) => {
        const rows = decodeRows(statements.all(`SELECT * FROM chats WHERE room_id IN ${listed}`, JSON.stringify(rooms)))
        return new Map(rows.flatMap((row) => row.room_id === null ? [] : [[row.room_id, toChat(row)]]))
      }),

    lastHeard: (rooms) =>
      db.once("Store.chats.lastHeard", (statements) => {
        const rows = decodeHeard(statements.all(
          `SELECT room_id, max(received_at) AS heard_at FROM inbox
            WHERE kind = 'message' AND room_id IN ${listed} GROUP BY room_id`,
          JSON.stringify(rooms)
        ))
        return new Map(rows.map((row) => [row.room_id, row.heard_at]))
      }),

    put: Effect.fn("Store.chats.put")(function*(chat) {
      const row = encodeRow(fromChat(chat))
      yield* db.run(sql`INSERT INTO chats ${sql.insert(row)} ON CONFLICT (id) DO UPDATE SET ${sql.update(row, ["id"])}`)
    })
  }
}
