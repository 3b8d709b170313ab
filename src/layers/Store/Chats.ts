import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Chat, DetachReason } from "../../domain/Chat.ts"
import { ChatId, RoomId, UserId } from "../../domain/Ids.ts"
import type { Store } from "../Store.ts"
import { allRows, type Database, firstRow } from "./Database.ts"

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
  marker_revision: Schema.Int
})
type Row = typeof Row.Type

const toChat = (row: Row): Chat =>
  new Chat({
    id: row.id,
    owner: row.owner,
    ownerName: row.owner_name,
    title: row.title,
    archived: row.archived,
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
  marker_revision: chat.markerRevision
})

const encodeRow = Schema.encodeSync(Row)

/** Chats and, in the same row, their bindings: `room_id` is unique, so a room shows one chat at most. */
export const makeChats = (db: Database): Store["Service"]["chats"] => {
  const { sql } = db

  return {
    all: Effect.map(allRows(db, Row, sql`SELECT * FROM chats`), (rows) => rows.map(toChat)).pipe(
      Effect.withSpan("Store.chats.all")
    ),

    byId: Effect.fn("Store.chats.byId")(function*(id) {
      const row = yield* firstRow(db, Row, sql`SELECT * FROM chats WHERE id = ${id}`)
      return row && toChat(row)
    }),

    byRoom: Effect.fn("Store.chats.byRoom")(function*(room) {
      const row = yield* firstRow(db, Row, sql`SELECT * FROM chats WHERE room_id = ${room}`)
      return row && toChat(row)
    }),

    put: Effect.fn("Store.chats.put")(function*(chat) {
      const row = encodeRow(fromChat(chat))
      yield* db.run(sql`INSERT INTO chats ${sql.insert(row)} ON CONFLICT (id) DO UPDATE SET ${sql.update(row, ["id"])}`)
    })
  }
}
