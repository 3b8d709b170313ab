import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Chat, DetachReason } from "../../domain/Chat.ts"
import { type ChatSettings, noSettings, readSettings, writtenSettings } from "../../domain/ChatSettings.ts"
import { ChatId, RoomId, UserId } from "../../domain/Ids.ts"
import type { Store } from "../Store.ts"
import { type Database, decoderOf } from "./Database.ts"

/** As SQLite has it: to have the schema read the bit and the JSON costs three times what all the rest does. */
const Row = Schema.Struct({
  id: ChatId,
  owner: UserId,
  owner_name: Schema.String,
  title: Schema.String,
  archived: Schema.Literals([0, 1]),
  revision: Schema.Int,
  created_at: Schema.Number,
  room_id: Schema.NullOr(RoomId),
  bound_at: Schema.NullOr(Schema.Number),
  detached: Schema.NullOr(DetachReason),
  marker_revision: Schema.Int,
  /** This and what follows is absent in a file that an older Homing wrote, and that is only looked at. */
  settings: Schema.optionalKey(Schema.String),
  room_name: Schema.optionalKey(Schema.NullOr(Schema.String)),
  former_room_id: Schema.optionalKey(Schema.NullOr(RoomId)),
  fresh: Schema.optionalKey(Schema.Literals([0, 1]))
})
type Row = typeof Row.Type
const decodeRow = decoderOf(Schema.UndefinedOr(Row))
const decodeRows = decoderOf(Schema.Array(Row))

const decodeHeard = decoderOf(Schema.Array(Schema.Struct({ room_id: RoomId, heard_at: Schema.Number })))

const decodeIds = decoderOf(Schema.Array(Schema.Struct({ id: ChatId })))

const decodeSettings = decoderOf(Schema.fromJsonString(Schema.Unknown))
const settingsIn = (json: string): ChatSettings => json === "{}" ? noSettings : readSettings(decodeSettings(json))

/** The row was checked when it was decoded: the class need not check it once more. */
const toChat = (row: Row): Chat =>
  new Chat({
    id: row.id,
    owner: row.owner,
    ownerName: row.owner_name,
    title: row.title,
    archived: row.archived === 1,
    settings: settingsIn(row.settings ?? "{}"),
    revision: row.revision,
    createdAt: row.created_at,
    binding: row.room_id === null || row.bound_at === null ? null : { roomId: row.room_id, boundAt: row.bound_at },
    detached: row.detached,
    markerRevision: row.marker_revision,
    roomName: row.room_name ?? null,
    formerRoom: row.former_room_id ?? null,
    fresh: row.fresh === 1
  }, { disableChecks: true })

const fromChat = (chat: Chat): Row => ({
  id: chat.id,
  owner: chat.owner,
  owner_name: chat.ownerName,
  title: chat.title,
  archived: chat.archived ? 1 : 0,
  revision: chat.revision,
  created_at: chat.createdAt,
  room_id: chat.binding?.roomId ?? null,
  bound_at: chat.binding?.boundAt ?? null,
  detached: chat.detached,
  marker_revision: chat.markerRevision,
  settings: JSON.stringify(writtenSettings(chat.settings)),
  room_name: chat.roomName,
  former_room_id: chat.formerRoom,
  fresh: chat.fresh ? 1 : 0
})

const one = (found: unknown): Chat | undefined => {
  const row = decodeRow(found)
  return row && toChat(row)
}

const selectHeard = "SELECT room_id, max(received_at) AS heard_at FROM inbox WHERE kind = 'message'"

/** One value that lists any number: SQLite takes no more than 32,766 of them. */
const listed = "(SELECT value FROM json_each(?))"

/** Chats and, in the same row, their bindings: `room_id` is unique, so a room shows one chat at most. */
export const makeChats = (db: Database): Store["Service"]["chats"] => {
  const { sql } = db

  return {
    all: db.once("Store.chats.all", (statements) => decodeRows(statements.all("SELECT * FROM chats")).map(toChat)),

    ofOwner: (owner) =>
      db.once(
        "Store.chats.ofOwner",
        (statements) => decodeRows(statements.all("SELECT * FROM chats WHERE owner = ?", owner)).map(toChat)
      ),

    unmarked: db.once(
      "Store.chats.unmarked",
      (statements) =>
        decodeRows(statements.all(
          `SELECT * FROM chats
            WHERE room_id IS NOT NULL AND (marker_revision < revision OR former_room_id IS NOT NULL)`
        )).map(toChat)
    ),

    byId: (id) =>
      db.once("Store.chats.byId", (statements) => one(statements.get("SELECT * FROM chats WHERE id = ?", id))),

    byIds: (ids) =>
      db.once("Store.chats.byIds", (statements) => {
        const rows = decodeRows(statements.all(`SELECT * FROM chats WHERE id IN ${listed}`, JSON.stringify(ids)))
        return new Map(rows.map((row) => [row.id, toChat(row)]))
      }),

    byRoom: (room) =>
      db.once("Store.chats.byRoom", (statements) => one(statements.get("SELECT * FROM chats WHERE room_id = ?", room))),

    homeless: (room) =>
      db.once(
        "Store.chats.homeless",
        (statements) =>
          decodeRows(statements.all("SELECT * FROM chats WHERE former_room_id = ? AND room_id IS NULL", room)).map(
            toChat
          )
      ),

    byRooms: (rooms) =>
      db.once("Store.chats.byRooms", (statements) => {
        const rows = decodeRows(statements.all(`SELECT * FROM chats WHERE room_id IN ${listed}`, JSON.stringify(rooms)))
        return new Map(rows.flatMap((row) => row.room_id === null ? [] : [[row.room_id, toChat(row)]]))
      }),

    lastHeard: (rooms) =>
      db.once("Store.chats.lastHeard", (statements) => {
        // For all of them, to ask of every row whether its room is meant takes as long as the rest.
        const rows = rooms === "all"
          ? statements.all(`${selectHeard} GROUP BY room_id`)
          : statements.all(`${selectHeard} AND room_id IN ${listed} GROUP BY room_id`, JSON.stringify(rooms))
        return new Map(decodeHeard(rows).map((row) => [row.room_id, row.heard_at]))
      }),

    delete: Effect.fnUntraced(function*(id) {
      const now = yield* Clock.currentTimeMillis
      yield* db.atomic("Store.chats.delete", (statements) => {
        statements.run("INSERT OR IGNORE INTO deleted_chats (id, deleted_at) VALUES (?, ?)", id, now)
        statements.run("DELETE FROM chats WHERE id = ?", id)
      })
    }),

    deleted: db.once("Store.chats.deleted", (statements) => {
      // A file that an older Homing wrote, and that is only looked at, has no such table.
      const known = statements.get("SELECT 1 FROM sqlite_master WHERE name = 'deleted_chats'") !== undefined
      return new Set(known ? decodeIds(statements.all("SELECT id FROM deleted_chats")).map(({ id }) => id) : [])
    }),

    put: Effect.fn("Store.chats.put")(function*(chat) {
      const row = fromChat(chat)
      yield* db.run(sql`INSERT INTO chats ${sql.insert(row)} ON CONFLICT (id) DO UPDATE SET ${sql.update(row, ["id"])}`)
    }),

    remove: Effect.fn("Store.chats.remove")(function*(id) {
      yield* db.run(sql`DELETE FROM chats WHERE id = ${id}`)
    })
  }
}
