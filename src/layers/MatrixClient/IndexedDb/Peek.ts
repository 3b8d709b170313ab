import { DatabaseSync } from "node:sqlite"
import { encodeKey } from "./Key.ts"
import { blob } from "./SqliteFile.ts"
import { decodeValue } from "./Value.ts"

const record = `
  SELECT records.value FROM databases
  JOIN stores ON stores.database = databases.id
  JOIN records ON records.store = stores.id
  WHERE databases.name = ? AND stores.name = ? AND records.key = ?
`

/** The records of these keys, undefined where there is none, without a change to the file and beside whoever uses it. Throws what SQLite throws. */
export const peek = (
  path: string,
  { database, keys, store }: {
    readonly database: string
    readonly store: string
    readonly keys: ReadonlyArray<string>
  }
): ReadonlyArray<unknown> => {
  const file = new DatabaseSync(path, { readOnly: true, timeout: 5_000 })
  try {
    const tables = file.prepare("SELECT 1 FROM sqlite_master WHERE name = 'records'").get()
    if (tables === undefined) return keys.map(() => undefined)
    return keys.map((key) => {
      const row = file.prepare(record).get(database, store, encodeKey(key))
      return row === undefined ? undefined : decodeValue(blob(row["value"]))
    })
  } finally {
    file.close()
  }
}
