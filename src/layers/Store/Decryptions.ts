import * as Schema from "effect/Schema"
import type { Store } from "../Store.ts"
import { type Database, decoderOf } from "./Database.ts"

const decodeCount = decoderOf(Schema.Struct({ rows: Schema.Int }))
const decodeRead = decoderOf(Schema.Array(Schema.Struct({ read: Schema.Literals([0, 1]) })))

/** What the inbox tells of keys, without a count that every message would have to write. */
export const makeDecryptions = (db: Database): Pick<Store["Service"]["inbox"], "asideIn" | "decryptions"> => ({
  asideIn: (room) =>
    db.once("Store.inbox.asideIn", (statements) =>
      decodeCount(statements.get(
        `SELECT count(*) AS "rows" FROM inbox
          WHERE room_id = ? AND state = 'pending' AND aside <> 0 AND provenance = 'live'`,
        room
      )).rows),

  decryptions: (limit) =>
    db.once("Store.inbox.decryptions", (statements) =>
      decodeRead(statements.all(
        `SELECT state <> 'pending' AS "read" FROM inbox
          WHERE seal IS NOT NULL AND provenance = 'live' AND (state <> 'pending' OR aside <> 0)
            AND (reason IS NULL OR reason NOT IN ('answered_before', 'backlog', 'redacted', 'replayed'))
          ORDER BY seq DESC LIMIT ?`,
        limit
      )).map(({ read }) => read === 1).reverse())
})
