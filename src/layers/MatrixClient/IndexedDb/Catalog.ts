import { type KeyPath, keyPathOf } from "./KeyPath.ts"
import { integer, type SqliteFile, text } from "./SqliteFile.ts"

/** What a database consists of. Read once when it is first opened, and changed while it gets another version. */
export interface DatabaseShape {
  readonly id: number
  readonly name: string
  /** 0 until its first version stands. */
  version: number
  readonly stores: Map<string, StoreShape>
}

export interface StoreShape {
  readonly id: number
  readonly name: string
  readonly indexes: Map<string, IndexShape>
  deleted: boolean
}

export interface IndexShape {
  readonly id: number
  readonly name: string
  readonly keyPath: KeyPath
  readonly unique: boolean
}

/** The table of contents of a file. Changes go into the transaction that is open. */
export class Catalog {
  readonly #file: SqliteFile
  readonly #databases = new Map<string, DatabaseShape>()
  #lastId: number

  constructor(file: SqliteFile) {
    this.#file = file
    this.#lastId = integer(
      file.one(
        "SELECT max(id) AS id FROM (SELECT 0 AS id UNION SELECT id FROM databases UNION SELECT id FROM stores UNION SELECT id FROM indexes)"
      )?.["id"]
    )
  }

  /** The database of this name; one of version 0, which is not kept yet, when there is none. */
  database(name: string): DatabaseShape {
    const known = this.#databases.get(name)
    if (known !== undefined) return known
    const shape = this.#read(name) ?? { id: this.nextId(), name, version: 0, stores: new Map() }
    this.#databases.set(name, shape)
    return shape
  }

  /** An id that nothing has. Given before it is kept: a store can be used as soon as it is asked for. */
  nextId(): number {
    return ++this.#lastId
  }

  /** What was changed has been rolled back: the file knows better. */
  forget(database: DatabaseShape): void {
    this.#databases.delete(database.name)
  }

  saveVersion({ id, name }: DatabaseShape, version: number): void {
    this.#file.run(
      "INSERT INTO databases (id, name, version) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET version = excluded.version",
      id,
      name,
      version
    )
  }

  saveStore(database: DatabaseShape, { id, name }: StoreShape): void {
    this.#file.run("INSERT INTO stores (id, database, name) VALUES (?, ?, ?)", id, database.id, name)
  }

  deleteStore({ id, indexes }: StoreShape): void {
    for (const index of indexes.values()) this.#file.run("DELETE FROM entries WHERE index_id = ?", index.id)
    this.#file.run("DELETE FROM indexes WHERE store = ?", id)
    this.#file.run("DELETE FROM records WHERE store = ?", id)
    this.#file.run("DELETE FROM stores WHERE id = ?", id)
  }

  saveIndex(store: StoreShape, { id, keyPath, name, unique }: IndexShape): void {
    this.#file.run(
      "INSERT INTO indexes (id, store, name, key_path, is_unique) VALUES (?, ?, ?, ?, ?)",
      id,
      store.id,
      name,
      JSON.stringify(keyPath),
      unique ? 1 : 0
    )
  }

  #read(name: string): DatabaseShape | undefined {
    const row = this.#file.one("SELECT id, version FROM databases WHERE name = ?", name)
    if (row === undefined) return undefined
    const id = integer(row["id"])
    const stores = this.#file.all("SELECT id, name FROM stores WHERE database = ?", id).map((store): StoreShape => ({
      id: integer(store["id"]),
      name: text(store["name"]),
      indexes: new Map(this.#indexesOf(integer(store["id"])).map((index) => [index.name, index])),
      deleted: false
    }))
    return { id, name, version: integer(row["version"]), stores: new Map(stores.map((store) => [store.name, store])) }
  }

  #indexesOf(store: number): ReadonlyArray<IndexShape> {
    return this.#file.all("SELECT id, name, key_path, is_unique FROM indexes WHERE store = ?", store).map((index) => ({
      id: integer(index["id"]),
      name: text(index["name"]),
      keyPath: keyPathOf(JSON.parse(text(index["key_path"]))),
      unique: integer(index["is_unique"]) === 1
    }))
  }
}
