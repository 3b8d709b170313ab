import type { IndexShape, StoreShape } from "./Catalog.ts"
import type { Engine } from "./Engine.ts"
import { decodeKey, encodeKey } from "./Key.ts"
import { keyAt, keyPathOf } from "./KeyPath.ts"
import { definiteSpanOf, spanOf } from "./KeyRange.ts"
import { problem } from "./Problem.ts"
import { addRecord, deleteRecords, entriesOf, fillIndex, type NewRecord, putRecord, recordsOf } from "./Records.ts"
import type { IDBRequest } from "./Request.ts"
import { Source } from "./Source.ts"
import type { IDBTransaction } from "./Transaction.ts"
import { encodeValue } from "./Value.ts"

/** A store in a transaction. Its keys are given with each value: neither key paths nor key generators are there. */
export class IDBObjectStore extends Source {
  readonly transaction: IDBTransaction
  readonly shape: StoreShape
  protected readonly home = this
  readonly #engine: Engine
  readonly #indexes = new Map<string, IDBIndex>()

  constructor(transaction: IDBTransaction, engine: Engine, shape: StoreShape) {
    super(recordsOf(engine.file, shape))
    this.transaction = transaction
    this.shape = shape
    this.#engine = engine
  }

  get name(): string {
    return this.shape.name
  }

  put(value: unknown, key?: unknown): IDBRequest {
    this.#assertWritable()
    return this.replace(this, value, key)
  }

  add(value: unknown, key?: unknown): IDBRequest {
    this.#assertWritable()
    const record = this.#recordOf(value, key)
    return this.transaction.ask(this, () => {
      addRecord(this.#engine.file, this.shape, record)
      return decodeKey(record.key)
    })
  }

  delete(query: unknown): IDBRequest {
    this.#assertWritable()
    return this.remove(this, query)
  }

  clear(): IDBRequest {
    this.#assertWritable()
    return this.transaction.ask(this, () => deleteRecords(this.#engine.file, this.shape, spanOf(undefined)))
  }

  index(name: string): IDBIndex {
    this.#assertNotDeleted()
    const shape = this.shape.indexes.get(name)
    if (shape === undefined) throw problem("NotFoundError", `The store ${this.name} has no index ${name}.`)
    return this.#indexOf(shape)
  }

  createIndex(
    name: string,
    keyPath: unknown,
    options: { readonly unique?: boolean; readonly multiEntry?: boolean } = {}
  ): IDBIndex {
    if (this.transaction.mode !== "versionchange") {
      throw problem("InvalidStateError", "Indexes are made while a database gets another version.")
    }
    this.assertUsable()
    if (this.shape.indexes.has(name)) throw problem("ConstraintError", `The store ${this.name} has an index ${name}.`)
    const path = keyPathOf(keyPath)
    if (options.multiEntry === true) {
      throw problem("NotSupportedError", "An index has one entry for a record, and not one for each of several keys.")
    }
    const { catalog, file } = this.#engine
    const shape: IndexShape = { id: catalog.nextId(), name, keyPath: path, unique: options.unique === true }
    this.shape.indexes.set(name, shape)
    this.transaction.change(() => {
      catalog.saveIndex(this.shape, shape)
      fillIndex(file, this.shape, shape)
    })
    return this.#indexOf(shape)
  }

  /** For everything that asks something of the store. */
  assertUsable(): void {
    this.#assertNotDeleted()
    this.transaction.assertActive()
  }

  /** `put`, asked by the store or by a cursor. */
  replace(source: object, value: unknown, key: unknown): IDBRequest {
    const record = this.#recordOf(value, key)
    return this.transaction.ask(source, () => {
      putRecord(this.#engine.file, this.shape, record)
      return decodeKey(record.key)
    })
  }

  /** `delete`, asked by the store or by a cursor. */
  remove(source: object, query: unknown): IDBRequest {
    const span = definiteSpanOf(query)
    return this.transaction.ask(source, () => deleteRecords(this.#engine.file, this.shape, span))
  }

  /** As the value is now: what is done to it later is not kept. */
  #recordOf(value: unknown, key: unknown): NewRecord {
    const bytes = encodeKey(key)
    return {
      key: bytes,
      value: encodeValue(value),
      entries: [...this.shape.indexes.values()].flatMap((index) => {
        const key = keyAt(value, index.keyPath)
        return key === undefined ? [] : [{ index, key }]
      })
    }
  }

  #indexOf(shape: IndexShape): IDBIndex {
    const known = this.#indexes.get(shape.name)
    if (known !== undefined) return known
    const index = new IDBIndex(this, this.#engine, shape)
    this.#indexes.set(shape.name, index)
    return index
  }

  #assertWritable(): void {
    this.#assertNotDeleted()
    this.transaction.assertWritable()
  }

  #assertNotDeleted(): void {
    if (this.shape.deleted) throw problem("InvalidStateError", `The store ${this.name} has been deleted.`)
  }
}

/** An index of a store, in a transaction. */
export class IDBIndex extends Source {
  readonly objectStore: IDBObjectStore
  readonly name: string
  protected readonly home: IDBObjectStore

  constructor(store: IDBObjectStore, engine: Engine, shape: IndexShape) {
    super(entriesOf(engine.file, store.shape, shape))
    this.objectStore = store
    this.home = store
    this.name = shape.name
  }
}
