import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect } from "effect"
import { IDBFactory as ReferenceFactory, IDBKeyRange as referenceRanges } from "fake-indexeddb"
import { join } from "node:path"
import * as IndexedDb from "../../../../src/layers/MatrixClient/IndexedDb.ts"
import type { IDBDatabase } from "../../../../src/layers/MatrixClient/IndexedDb/Database.ts"
import type { IDBFactory } from "../../../../src/layers/MatrixClient/IndexedDb/Factory.ts"
import { IDBKeyRange } from "../../../../src/layers/MatrixClient/IndexedDb/KeyRange.ts"
import type { IDBObjectStore } from "../../../../src/layers/MatrixClient/IndexedDb/ObjectStore.ts"
import type { IDBTransaction } from "../../../../src/layers/MatrixClient/IndexedDb/Transaction.ts"
import { oneOf } from "../../../domain/Reconciliation/World.ts"
import { temporaryDirectory } from "../../Store/Samples.ts"
import { answerOf, endOf, thrownBy } from "./Databases.ts"
import {
  aKey,
  aTransaction,
  aValue,
  carryOut,
  indexNames,
  mistakeIn,
  plain,
  type Ranges,
  storeNames,
  type Transaction,
  type TypeOf
} from "./Program.ts"

const timeout = 60_000

/** Both implementations by what they have in common. */
interface Implementation {
  readonly factory: Pick<IDBFactory, "open">
  readonly ranges: Ranges
}

const reference = (): Implementation => ({ factory: new ReferenceFactory(), ranges: referenceRanges })

/** Opens a version and answers what could be seen of it, and the database unless it failed. */
const openVersion = (
  { factory }: Implementation,
  version: number | undefined,
  upgrade: (database: IDBDatabase, transaction: IDBTransaction, note: (what: unknown) => void) => void
): Promise<{ readonly database: IDBDatabase | undefined; readonly log: ReadonlyArray<unknown> }> =>
  new Promise((resolve) => {
    const log: Array<unknown> = []
    const request = factory.open("db", version)
    // The reference's classes are not ours: what counts is that both are used in the same way.
    const database = (): IDBDatabase => {
      const result: unknown = request.result
      if (isDatabase(result)) return result
      throw new Error("This is no database.")
    }
    request.onupgradeneeded = (event) => {
      log.push(["oldVersion" in event && event.oldVersion, "newVersion" in event && event.newVersion])
      if (request.transaction === null) throw new Error("There is no transaction.")
      upgrade(database(), request.transaction, (what) => log.push(plain(what)))
    }
    request.onsuccess = () => resolve({ database: database(), log: [...log, "open", database().version] })
    request.onerror = () => resolve({ database: undefined, log: [...log, "fails", request.error?.name] })
  })

const isDatabase = (value: unknown): value is IDBDatabase =>
  typeof value === "object" && value !== null && "objectStoreNames" in value

/** All there is in a database, by way of its stores and of its indexes. */
const contents = async (database: IDBDatabase): Promise<unknown> => {
  const stores = [...database.objectStoreNames]
  if (stores.length === 0) return []
  const transaction = database.transaction(stores)
  const found: Array<unknown> = []
  for (const name of stores) {
    const store = transaction.objectStore(name)
    const indexes = indexNames.filter((index) => thrownBy(() => store.index(index)) === "nothing")
    for (const source of [store, ...indexes.map((index) => store.index(index))]) {
      found.push([name, source.name, await answerOf(source.getAllKeys()), await answerOf(source.getAll())])
    }
  }
  await endOf(transaction)
  return plain(found)
}

const makeStores = (implementation: Implementation) =>
  openVersion(implementation, 1, (database) => {
    database.createObjectStore("plain")
    const store = database.createObjectStore("indexed")
    store.createIndex("byName", "name")
    store.createIndex("byOther", "other", { unique: true })
    store.createIndex("byBoth", ["name", "other"])
  })

const runAll = async (implementation: Implementation, transactions: ReadonlyArray<Transaction>) => {
  const { database } = await makeStores(implementation)
  if (database === undefined) throw new Error("The database does not open.")
  const log: Array<unknown> = [await contents(database)]
  for (const transaction of transactions) {
    log.push(await carryOut(database, implementation.ranges, transaction))
    // Each time: what was read before must not be what is read after.
    log.push(await contents(database))
  }
  database.close()
  return log
}

const aChange = Arbitrary.all({
  do: oneOf(
    "createStore",
    "createStore",
    "createIndex",
    "createIndex",
    "put",
    "put",
    "put",
    "delete",
    "clear",
    "deleteStore"
  ),
  store: oneOf(...storeNames),
  index: oneOf(...indexNames),
  path: oneOf<ReadonlyArray<unknown>>("name", "other", "payload.deep", ["name", "other"], "", "no path", [], 5),
  unique: oneOf(true, false, false),
  key: aKey,
  value: aValue
})

const aVersion = Arbitrary.all({
  version: oneOf(undefined, 1, 2, 3, 4, 5),
  changes: Arbitrary.array(aChange, { maxLength: 10 }),
  aborted: oneOf(true, false, false, false)
})
type Version = TypeOf<typeof aVersion>

const runVersions = async (implementation: Implementation, versions: ReadonlyArray<Version>) => {
  const log: Array<unknown> = []
  for (const { aborted, changes, version } of versions) {
    const { database, log: seen } = await openVersion(implementation, version, (database, transaction, note) => {
      const made = new Map<string, IDBObjectStore>()
      const store = (name: string) => made.get(name) ?? transaction.objectStore(name)
      for (const change of changes) {
        note([
          change.do,
          mistakeIn(() => {
            switch (change.do) {
              case "createStore":
                return void made.set(change.store, database.createObjectStore(change.store))
              case "deleteStore":
                return database.deleteObjectStore(change.store)
              case "createIndex":
                return store(change.store).createIndex(change.index, change.path, { unique: change.unique })
              case "put":
                return store(change.store).put(change.value, change.key)
              case "delete":
                return store(change.store).delete(change.key)
              case "clear":
                return store(change.store).clear()
            }
          })
        ])
      }
      if (aborted) transaction.abort()
    })
    log.push(seen)
    if (database === undefined) continue
    log.push([...database.objectStoreNames], await contents(database))
    database.close()
  }
  return log
}

describe("whatever is asked, the databases answer as the reference does", () => {
  it.effect.prop(
    "in transactions, and again when the file has been closed",
    [Arbitrary.array(aTransaction, { maxLength: 6 })],
    ([transactions]) =>
      Effect.gen(function*() {
        const path = join(yield* temporaryDirectory, "crypto.db")
        const expected = yield* Effect.promise(() => runAll(reference(), transactions))
        const log = yield* Effect.scoped(Effect.gen(function*() {
          const factory = yield* IndexedDb.open(path)
          return yield* Effect.promise(() => runAll({ factory, ranges: IDBKeyRange }, transactions))
        }))
        assert.deepStrictEqual(log, expected)

        const factory = yield* IndexedDb.open(path)
        const { database } = yield* Effect.promise(() =>
          openVersion({ factory, ranges: IDBKeyRange }, undefined, () => {})
        )
        const kept = yield* Effect.promise(() => database === undefined ? Promise.resolve() : contents(database))
        assert.deepStrictEqual(kept, expected.at(-1))
      }).pipe(Effect.scoped),
    { arbitrary: { runs: 120 }, timeout }
  )

  it.effect.prop(
    "in new versions of a database",
    [Arbitrary.array(aVersion, { maxLength: 5 })],
    ([versions]) =>
      Effect.gen(function*() {
        const expected = yield* Effect.promise(() => runVersions(reference(), versions))
        const factory = yield* IndexedDb.open(join(yield* temporaryDirectory, "crypto.db"))
        const log = yield* Effect.promise(() => runVersions({ factory, ranges: IDBKeyRange }, versions))
        assert.deepStrictEqual(log, expected)
      }).pipe(Effect.scoped),
    { arbitrary: { runs: 120 }, timeout }
  )
})
