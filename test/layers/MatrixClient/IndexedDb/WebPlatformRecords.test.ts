import { assert, describe, it } from "@effect/vitest"
import type { IDBDatabase } from "../../../../src/layers/MatrixClient/IndexedDb/Database.ts"
import { IDBKeyRange } from "../../../../src/layers/MatrixClient/IndexedDb/KeyRange.ts"
import type { IDBObjectStore } from "../../../../src/layers/MatrixClient/IndexedDb/ObjectStore.ts"
import { answerOf, endOf, opened, thrownBy } from "./Databases.ts"
import { errorOf, onDatabases, onStore, storeIn } from "./WebPlatform.ts"

const letters = ["a", "b", "c", "d", "e"]

/** Records `a` to `e`, with an index in which they stand backwards, two to a key. */
const five = (store: IDBObjectStore) => {
  store.createIndex("index", "half")
  for (const [at, letter] of letters.entries()) store.put({ letter, half: Math.floor((4 - at) / 2) }, letter)
}

const valuesOf = (...wanted: ReadonlyArray<string>) =>
  wanted.map((letter) => ({ letter, half: Math.floor((4 - letters.indexOf(letter)) / 2) }))

describe("web platform: records", () => {
  it.effect("idbobjectstore_put, idbobjectstore_add: tell the key under which the record stands", () =>
    onStore(() => {}, async (database) => {
      const store = storeIn(database, "readwrite")
      assert.strictEqual(await answerOf(store.add("one", "key")), "key")
      assert.strictEqual(await answerOf(store.put("two", "key")), "key")
      assert.strictEqual(await answerOf(store.get("key")), "two")
      assert.strictEqual(await answerOf(store.count()), 1)
    }))

  it.effect("idbobjectstore_add3: a record of this key is not added again", () =>
    onStore(() => {}, async (database) => {
      const store = storeIn(database, "readwrite")
      await answerOf(store.add("one", 1))
      assert.strictEqual(await errorOf(answerOf(store.add("two", 1))), "ConstraintError")
      assert.strictEqual(await answerOf(store.get(1)), "one")
    }))

  it.effect("idbobjectstore_put13, idbobjectstore_add14: an index that is unique has each key once", () =>
    onStore((store) => store.createIndex("index", "a", { unique: true }), async (database) => {
      const store = storeIn(database, "readwrite")
      await answerOf(store.put({ a: "same" }, 1))
      assert.strictEqual(await errorOf(answerOf(store.put({ a: "same" }, 2))), "ConstraintError")
      assert.strictEqual(await errorOf(answerOf(store.add({ a: "same" }, 3))), "ConstraintError")
      // Its own key is no other.
      assert.strictEqual(await answerOf(store.put({ a: "same", b: 1 }, 1)), 1)
      await answerOf(store.delete(1))
      assert.strictEqual(await answerOf(store.put({ a: "same" }, 2)), 2)
    }))

  it.effect("idbobjectstore_get, idbobjectstore_get-absent: the first of what is asked for, or nothing", () =>
    onStore(five, async (database) => {
      const store = storeIn(database)
      assert.deepStrictEqual(await answerOf(store.get("b")), valuesOf("b")[0])
      assert.isUndefined(await answerOf(store.get("x")))
      assert.deepStrictEqual(await answerOf(store.get(IDBKeyRange.lowerBound("b", true))), valuesOf("c")[0])
      assert.isUndefined(await answerOf(store.get(IDBKeyRange.lowerBound("x"))))
      assert.strictEqual(thrownBy(() => store.get(undefined)), "DataError")
    }))

  it.effect("idbobjectstore_getAll: everything, a key, a range, and no more than so many", () =>
    onStore(five, async (database) => {
      const store = storeIn(database)
      assert.deepStrictEqual(await answerOf(store.getAll()), valuesOf(...letters))
      assert.deepStrictEqual(await answerOf(store.getAll(null)), valuesOf(...letters))
      assert.deepStrictEqual(await answerOf(store.getAll("c")), valuesOf("c"))
      assert.deepStrictEqual(await answerOf(store.getAll("x")), [])
      assert.deepStrictEqual(await answerOf(store.getAll(undefined, 2)), valuesOf("a", "b"))
      assert.deepStrictEqual(await answerOf(store.getAll(undefined, 0)), valuesOf(...letters))
      assert.deepStrictEqual(await answerOf(store.getAll(undefined, 99)), valuesOf(...letters))
      const range = IDBKeyRange.bound("b", "d", true, false)
      assert.deepStrictEqual(await answerOf(store.getAll(range)), valuesOf("c", "d"))
      assert.deepStrictEqual(await answerOf(store.getAll(range, 1)), valuesOf("c"))
    }))

  it.effect("idbobjectstore_getAllKeys: and their keys", () =>
    onStore(five, async (database) => {
      const store = storeIn(database)
      assert.deepStrictEqual(await answerOf(store.getAllKeys()), letters)
      assert.deepStrictEqual(await answerOf(store.getAllKeys("c")), ["c"])
      assert.deepStrictEqual(await answerOf(store.getAllKeys(undefined, 2)), ["a", "b"])
      assert.deepStrictEqual(await answerOf(store.getAllKeys(IDBKeyRange.upperBound("c", true))), ["a", "b"])
    }))

  it.effect("idbindex_getAll, idbindex_getAllKeys: in the order of the index, with the keys of the store", () =>
    onStore(five, async (database) => {
      const index = storeIn(database).index("index")
      assert.deepStrictEqual(await answerOf(index.getAllKeys()), ["d", "e", "b", "c", "a"])
      assert.deepStrictEqual(await answerOf(index.getAllKeys(1)), ["b", "c"])
      assert.deepStrictEqual(await answerOf(index.getAllKeys(IDBKeyRange.lowerBound(1), 2)), ["b", "c"])
      assert.deepStrictEqual(await answerOf(index.getAll(0)), valuesOf("d", "e"))
      assert.deepStrictEqual(await answerOf(index.getAll(undefined, 3)), valuesOf("d", "e", "b"))
      assert.deepStrictEqual(await answerOf(index.getAll(7)), [])
    }))

  it.effect("idbindex_get: the first record with the key", () =>
    onStore(five, async (database) => {
      const index = storeIn(database).index("index")
      assert.deepStrictEqual(await answerOf(index.get(1)), valuesOf("b")[0])
      assert.isUndefined(await answerOf(index.get(7)))
      assert.deepStrictEqual(await answerOf(index.get(IDBKeyRange.lowerBound(1, true))), valuesOf("a")[0])
      assert.strictEqual(thrownBy(() => index.get(null)), "DataError")
    }))

  it.effect("idbobjectstore_count, idbindex_count: how many there are of what is asked for", () =>
    onStore(five, async (database) => {
      const store = storeIn(database)
      assert.strictEqual(await answerOf(store.count()), 5)
      assert.strictEqual(await answerOf(store.count("c")), 1)
      assert.strictEqual(await answerOf(store.count("x")), 0)
      assert.strictEqual(await answerOf(store.count(IDBKeyRange.bound("b", "d"))), 3)
      assert.strictEqual(await answerOf(store.index("index").count(1)), 2)
      assert.strictEqual(await answerOf(store.index("index").count(IDBKeyRange.upperBound(1))), 4)
      assert.strictEqual(thrownBy(() => store.count({})), "DataError")
    }))

  it.effect("idbobjectstore_delete, delete-request-queue: a key, a range, or what is not there", () =>
    onStore(five, async (database) => {
      const store = storeIn(database, "readwrite")
      assert.isUndefined(await answerOf(store.delete("a")))
      assert.isUndefined(await answerOf(store.delete("x")))
      await answerOf(store.delete(IDBKeyRange.bound("c", "d")))
      assert.deepStrictEqual(await answerOf(store.getAllKeys()), ["b", "e"])
      assert.deepStrictEqual(await answerOf(store.index("index").getAllKeys()), ["e", "b"])
      assert.strictEqual(thrownBy(() => store.delete(undefined)), "DataError")
    }))

  it.effect("idbobjectstore_clear: leaves neither records nor what an index knew of them", () =>
    onStore(five, async (database) => {
      const store = storeIn(database, "readwrite")
      assert.isUndefined(await answerOf(store.clear()))
      assert.strictEqual(await answerOf(store.count()), 0)
      assert.strictEqual(await answerOf(store.index("index").count()), 0)
    }))

  it.effect("idbobjectstore_add16, idbobjectstore_clear3, idbobjectstore_delete6: nothing is written while only reading", () =>
    onStore(five, async (database) => {
      const store = storeIn(database)
      for (
        const write of [() => store.add(1, 1), () => store.put(1, 1), () => store.delete("a"), () => store.clear()]
      ) {
        assert.strictEqual(thrownBy(write), "ReadOnlyError")
      }
    }))

  it.effect("idbobjectstore-request-source, idbindex-request-source: a request knows whom it asks", () =>
    onStore(five, async (database) => {
      const store = storeIn(database, "readwrite")
      const index = store.index("index")
      for (const request of [store.get("a"), store.getAll(), store.count(), store.put(1, 1), store.delete(1)]) {
        assert.strictEqual(request.source, store)
        assert.strictEqual(request.transaction, store.transaction)
      }
      for (const request of [index.get(1), index.getAll(), index.getAllKeys(), index.count()]) {
        assert.strictEqual(request.source, index)
      }
    }))
})

describe("web platform: stores and indexes", () => {
  const upgraded = (upgrade: (database: IDBDatabase) => void) =>
    onDatabases(async (factory) => {
      let thrown: unknown
      await opened(factory, "db", 1, (database) => {
        try {
          upgrade(database)
        } catch (cause) {
          thrown = cause
        }
      })
      if (thrown !== undefined) throw thrown
    })

  it.effect("idbdatabase_createObjectStore, string-list-ordering: are listed by their names, whatever these are", () =>
    onDatabases(async (factory) => {
      const names = ["", "B", "a", "\0", "ä", "\ud834\udd1e", "10", "9", "__proto__", "\uffff"]
      const database = await opened(factory, "db", 1, (database) => {
        for (const name of names) database.createObjectStore(name)
      })
      assert.deepStrictEqual([...database.objectStoreNames], [...names].sort())
      assert.isTrue(names.every((name) => database.objectStoreNames.contains(name)))
      assert.isFalse(database.objectStoreNames.contains("b"))
      const transaction = database.transaction([...names])
      for (const name of names) assert.strictEqual(transaction.objectStore(name).name, name)
    }))

  it.effect("idbdatabase_createObjectStore-exception-order, idbdatabase_createObjectStore3: are there once", () =>
    upgraded((database) => {
      database.createObjectStore("store")
      assert.strictEqual(thrownBy(() => database.createObjectStore("store")), "ConstraintError")
      assert.strictEqual(thrownBy(() => database.deleteObjectStore("none")), "NotFoundError")
      database.deleteObjectStore("store")
      assert.strictEqual(thrownBy(() => database.createObjectStore("store")), "nothing")
    }))

  it.effect("idbdatabase_createObjectStore-createIndex-emptyname, idbobjectstore_createIndex3: an index is there once", () =>
    upgraded((database) => {
      const store = database.createObjectStore("")
      const index = store.createIndex("", "a")
      assert.strictEqual(store.index(""), index)
      assert.strictEqual(index.objectStore, store)
      assert.strictEqual(thrownBy(() => store.createIndex("", "b")), "ConstraintError")
      assert.strictEqual(thrownBy(() => store.index("none")), "NotFoundError")
    }))

  it.effect("idbobjectstore_createIndex15-autoincrement, keygenerator, idbindex-multientry: what is not there is refused", () =>
    upgraded((database) => {
      assert.strictEqual(thrownBy(() => database.createObjectStore("a", { autoIncrement: true })), "NotSupportedError")
      assert.strictEqual(thrownBy(() => database.createObjectStore("a", { keyPath: "id" })), "NotSupportedError")
      const store = database.createObjectStore("a")
      assert.strictEqual(thrownBy(() => store.createIndex("i", "a", { multiEntry: true })), "NotSupportedError")
      assert.strictEqual(thrownBy(() => store.index("i")), "NotFoundError")
    }))

  it.effect("idbobjectstore_createIndex4: knows the records that were there", () =>
    onDatabases(async (factory) => {
      const first = await opened(factory, "db", 1, (database) => {
        const store = database.createObjectStore("store")
        for (const [at, letter] of ["b", "a", "c"].entries()) store.put({ letter }, at)
      })
      first.close()
      const second = await opened(factory, "db", 2, (_, transaction) => {
        transaction.objectStore("store").createIndex("index", "letter")
      })
      assert.deepStrictEqual(await answerOf(storeIn(second).index("index").getAllKeys()), [1, 0, 2])
    }))

  it.effect("idbobjectstore_createIndex13: ends the version when records make it ambiguous", () =>
    onDatabases(async (factory) => {
      const failed = opened(factory, "db", 1, (database) => {
        const store = database.createObjectStore("store")
        store.put({ a: 1 }, 1)
        store.put({ a: 1 }, 2)
        store.createIndex("index", "a", { unique: true })
      })
      assert.strictEqual(await errorOf(failed), "AbortError")
      assert.strictEqual((await opened(factory, "db")).objectStoreNames.length, 0)
    }))

  it.effect("idbobjectstore_createIndex6-event_order, idbdatabase_createObjectStore11: change only with the version", () =>
    onStore(five, async (database) => {
      assert.strictEqual(thrownBy(() => database.createObjectStore("new")), "InvalidStateError")
      assert.strictEqual(thrownBy(() => database.deleteObjectStore("store")), "InvalidStateError")
      const store = storeIn(database, "readwrite")
      assert.strictEqual(thrownBy(() => store.createIndex("new", "a")), "InvalidStateError")
      assert.strictEqual(await endOf(store.transaction), "complete")
    }))

  it.effect("idbdatabase_deleteObjectStore, idbobjectstore_deleted: one that was deleted takes nothing any more", () =>
    upgraded((database) => {
      const store = database.createObjectStore("store")
      const index = store.createIndex("index", "a")
      database.deleteObjectStore("store")
      for (
        const use of [
          () => store.add(1, 1),
          () => store.put(1, 1),
          () => store.get(1),
          () => store.getAll(),
          () => store.count(),
          () => store.delete(1),
          () => store.clear(),
          () => store.index("index"),
          () => store.createIndex("other", "a"),
          () => index.get(1),
          () => index.getAllKeys(),
          () => index.count()
        ]
      ) {
        assert.strictEqual(thrownBy(use), "InvalidStateError", String(use))
      }
    }))

  it.effect("idbdatabase_deleteObjectStore4-not_reused: a new one of the name is empty, and another", () =>
    upgraded((database) => {
      const old = database.createObjectStore("store")
      old.createIndex("index", "a")
      database.deleteObjectStore("store")
      const store = database.createObjectStore("store")
      assert.notStrictEqual(store, old)
      assert.strictEqual(thrownBy(() => store.index("index")), "NotFoundError")
    }))
})
