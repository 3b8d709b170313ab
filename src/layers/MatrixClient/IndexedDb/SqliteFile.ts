import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite"
import { ownFile, smallestDatabase } from "../../Store/Database.ts"
import { damaged } from "./Problem.ts"
import { Recall } from "./Recall.ts"

type Row = Readonly<Record<string, SQLOutputValue>>

const schemaVersion = 1

/**
 * Keys and values of all databases. `key` and `primary_key` are the bytes of keys (`Key.ts`), `value` is a structured clone
 * (`Value.ts`). The second index of `entries` finds those of a record that goes.
 */
const schema = `
  CREATE TABLE databases (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, version INTEGER NOT NULL) STRICT;
  CREATE TABLE stores (id INTEGER PRIMARY KEY, database INTEGER NOT NULL, name TEXT NOT NULL, UNIQUE (database, name)) STRICT;
  CREATE TABLE indexes (
    id INTEGER PRIMARY KEY, store INTEGER NOT NULL, name TEXT NOT NULL, key_path TEXT NOT NULL, is_unique INTEGER NOT NULL,
    UNIQUE (store, name)
  ) STRICT;
  CREATE TABLE records (store INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, UNIQUE (store, key)) STRICT;
  CREATE TABLE entries (
    index_id INTEGER NOT NULL, key BLOB NOT NULL, primary_key BLOB NOT NULL, PRIMARY KEY (index_id, key, primary_key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX entries_of_record ON entries (index_id, primary_key);
  PRAGMA user_version = ${schemaVersion};
`

/** The file was written by a version of Homing that knows more. */
export class NewerSchema extends Error {}

/** The SQLite file below the databases. Each statement is prepared once; all of them throw what SQLite throws. */
export class SqliteFile {
  readonly #handle: DatabaseSync
  readonly #prepared = new Map<string, StatementSync>()
  /** What was read from it. */
  readonly recall = new Recall()

  /** Opens the file, or makes it, for its owner only. Reads its tables of contents and no record. */
  constructor(path: string) {
    // A database in memory has no file to own.
    const size = path === ":memory:" ? 0 : ownFile(path)
    // SQLite takes a file that is too short to be a database for an empty one, and would write over it.
    if (size > 0 && size < smallestDatabase) throw damaged(`${size} bytes are no database`)
    this.#handle = new DatabaseSync(path)
    try {
      // FULL, where the store of the chats has NORMAL: whoever loses the last state of a ratchet encrypts again with keys that
      // have been used, and nobody can read that.
      this.#handle.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
      this.#handle.exec("BEGIN IMMEDIATE")
      const version = integer(this.one("PRAGMA user_version")?.["user_version"])
      if (version > schemaVersion) throw new NewerSchema()
      if (version === 0) this.#handle.exec(schema)
      this.#handle.exec("COMMIT")
    } catch (cause) {
      this.#handle.close()
      throw cause
    }
  }

  begin(): void {
    this.#handle.exec("BEGIN IMMEDIATE")
  }

  commit(): void {
    this.#handle.exec("COMMIT")
  }

  rollback(): void {
    this.recall.forgetAll()
    // SQLite has done it by itself when the disk was full.
    if (this.#handle.isTransaction) this.#handle.exec("ROLLBACK")
  }

  close(): void {
    this.#prepared.clear()
    this.#handle.close()
  }

  one(sql: string, ...values: ReadonlyArray<SQLInputValue>): Row | undefined {
    return this.#statement(sql).get(...values)
  }

  all(sql: string, ...values: ReadonlyArray<SQLInputValue>): ReadonlyArray<Row> {
    return this.#statement(sql).all(...values)
  }

  /** As `all`, one row at a time: for what may not fit into memory. */
  each(sql: string, ...values: ReadonlyArray<SQLInputValue>): Iterable<Row> {
    return this.#statement(sql).iterate(...values)
  }

  run(sql: string, ...values: ReadonlyArray<SQLInputValue>): void {
    this.#statement(sql).run(...values)
  }

  #statement(sql: string): StatementSync {
    const known = this.#prepared.get(sql)
    if (known !== undefined) return known
    const made = this.#handle.prepare(sql)
    this.#prepared.set(sql, made)
    return made
  }
}

export const integer = (value: SQLOutputValue | undefined): number => {
  if (typeof value !== "number") throw damaged("a number is missing")
  return value
}

export const text = (value: SQLOutputValue | undefined): string => {
  if (typeof value !== "string") throw damaged("a name is missing")
  return value
}

export const blob = (value: SQLOutputValue | undefined): Uint8Array => {
  if (!(value instanceof Uint8Array)) throw damaged("a key or a value is missing")
  return value
}
