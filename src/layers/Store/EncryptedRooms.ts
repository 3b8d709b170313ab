import * as Schema from "effect/Schema"
import { RoomId } from "../../domain/Ids.ts"
import type { Store } from "../Store.ts"
import { type Database, decoderOf } from "./Database.ts"
import type { Statements } from "./Sqlite.ts"

const decodeRooms = decoderOf(Schema.Array(Schema.Struct({ room_id: RoomId })))

const select = "SELECT room_id FROM encrypted_rooms WHERE room_id IN (SELECT value FROM json_each(?))"

export const makeEncryptedRooms = (db: Database): Store["Service"]["encryptedRooms"] => (among) =>
  db.once(
    "Store.encryptedRooms",
    (statements) => new Set(decodeRooms(statements.all(select, JSON.stringify(among))).map((row) => row.room_id))
  )

export const noteEncrypted = (statements: Statements, room: RoomId): void => {
  statements.run("INSERT INTO encrypted_rooms (room_id) VALUES (?) ON CONFLICT DO NOTHING", room)
}

export const makeNoteEncrypted = (db: Database): Store["Service"]["noteEncrypted"] => (room) =>
  db.once("Store.noteEncrypted", (statements) => noteEncrypted(statements, room))
