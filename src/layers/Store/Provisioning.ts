import * as Schema from "effect/Schema"
import { RoomId } from "../../domain/Ids.ts"
import { Origin, requestKey } from "../../domain/Origin.ts"
import type { Store } from "../Store.ts"
import { type Database, decoderOf } from "./Database.ts"

const Row = Schema.Struct({
  origin: Schema.fromJsonString(Origin),
  room_id: Schema.NullOr(RoomId),
  done: Schema.BooleanFromBit
})
const decodeRow = decoderOf(Row)

export const makeProvisioning = (db: Database): Store["Service"]["provisioning"] => ({
  begin: (origin) =>
    db.atomic("Store.provisioning.begin", (statements) => {
      const key = requestKey(origin)
      statements.run(
        "INSERT INTO provisioning (key, origin, done) VALUES (?, ?, 0) ON CONFLICT (key) DO NOTHING",
        key,
        JSON.stringify(origin)
      )
      const row = decodeRow(statements.get("SELECT origin, room_id, done FROM provisioning WHERE key = ?", key))
      return { origin: row.origin, roomId: row.room_id ?? undefined, done: row.done }
    }),

  isOpen: (origin) =>
    db.once(
      "Store.provisioning.isOpen",
      (statements) =>
        statements.get("SELECT 1 FROM provisioning WHERE key = ? AND done = 0", requestKey(origin)) !== undefined
    ),

  made: (origin, room) =>
    db.once("Store.provisioning.made", (statements) => {
      statements.run(
        "UPDATE provisioning SET origin = ?, room_id = ? WHERE key = ?",
        JSON.stringify(origin),
        room,
        requestKey(origin)
      )
    }),

  done: (origin) =>
    db.once("Store.provisioning.done", (statements) => {
      statements.run("UPDATE provisioning SET done = 1 WHERE key = ?", requestKey(origin))
    })
})
