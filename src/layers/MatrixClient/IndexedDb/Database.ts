import type { DatabaseShape, StoreShape } from "./Catalog.ts"
import type { Engine } from "./Engine.ts"
import { Target } from "./Event.ts"
import { NameList } from "./NameList.ts"
import type { IDBObjectStore } from "./ObjectStore.ts"
import { problem } from "./Problem.ts"
import { IDBTransaction } from "./Transaction.ts"

/** A connection to a database. */
export class IDBDatabase extends Target {
  readonly name: string
  /** The transaction that gives the database another version, while it does. */
  upgrade: IDBTransaction | undefined
  readonly #engine: Engine
  readonly #shape: DatabaseShape
  readonly #whenClosed: () => void
  #closed = false

  constructor(engine: Engine, shape: DatabaseShape, whenClosed: () => void) {
    super()
    this.#engine = engine
    this.#shape = shape
    this.#whenClosed = whenClosed
    this.name = shape.name
  }

  get version(): number {
    return this.#shape.version
  }

  get objectStoreNames(): NameList {
    return new NameList(this.#shape.stores.keys())
  }

  get closed(): boolean {
    return this.#closed
  }

  transaction(stores: string | Iterable<string>, mode = "readonly"): IDBTransaction {
    if (this.upgrade !== undefined) throw problem("InvalidStateError", "The database is getting another version.")
    if (this.#closed) throw problem("InvalidStateError", "The connection to the database has been closed.")
    const names = typeof stores === "string" ? [stores] : [...new Set(stores)]
    const missing = names.find((name) => !this.#shape.stores.has(name))
    if (missing !== undefined) throw problem("NotFoundError", `The database ${this.name} has no store ${missing}.`)
    if (names.length === 0) throw problem("InvalidAccessError", "A transaction has at least one store.")
    if (mode !== "readonly" && mode !== "readwrite") throw new TypeError(`There are no transactions that are ${mode}.`)
    return new IDBTransaction(this.#engine, this, this.#shape, { names, mode })
  }

  /** A store whose keys are given with each value. */
  createObjectStore(
    name: string,
    options: { readonly keyPath?: unknown; readonly autoIncrement?: boolean } = {}
  ): IDBObjectStore {
    const upgrade = this.#assertUpgrade()
    if (options.autoIncrement === true || (options.keyPath !== undefined && options.keyPath !== null)) {
      throw problem("NotSupportedError", "The key of a record is given with its value, and not found in it or made up.")
    }
    if (this.#shape.stores.has(name)) throw problem("ConstraintError", `The database has a store ${name}.`)
    const { catalog } = this.#engine
    const store: StoreShape = { id: catalog.nextId(), name, indexes: new Map(), deleted: false }
    this.#shape.stores.set(name, store)
    upgrade.change(() => catalog.saveStore(this.#shape, store))
    return upgrade.objectStore(name)
  }

  deleteObjectStore(name: string): void {
    const upgrade = this.#assertUpgrade()
    const store = this.#shape.stores.get(name)
    if (store === undefined) throw problem("NotFoundError", `The database ${this.name} has no store ${name}.`)
    store.deleted = true
    this.#shape.stores.delete(name)
    upgrade.change(() => this.#engine.catalog.deleteStore(store))
  }

  /** Transactions that have been made go on to their end. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#whenClosed()
  }

  #assertUpgrade(): IDBTransaction {
    if (this.upgrade === undefined) {
      throw problem("InvalidStateError", "Stores are made and deleted while a database gets another version.")
    }
    this.upgrade.assertActive()
    return this.upgrade
  }
}
