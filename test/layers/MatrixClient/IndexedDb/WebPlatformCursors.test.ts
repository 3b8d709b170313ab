import { assert, describe, it } from "@effect/vitest"
import { IDBCursorWithValue } from "../../../../src/layers/MatrixClient/IndexedDb/Cursor.ts"
import { IDBKeyRange } from "../../../../src/layers/MatrixClient/IndexedDb/KeyRange.ts"
import type { IDBObjectStore } from "../../../../src/layers/MatrixClient/IndexedDb/ObjectStore.ts"
import type { IDBRequest } from "../../../../src/layers/MatrixClient/IndexedDb/Request.ts"
import { answerOf, endOf, opened, thrownBy } from "./Databases.ts"
import { aTask, keysIn, onDatabases, onStore, passed, storeIn, walk } from "./WebPlatform.ts"

/** Records 1 to 5, and an index in which two have the same key. */
const five = (store: IDBObjectStore) => {
  store.createIndex("index", "letter")
  for (const [at, letter] of ["c", "a", "b", "a", "d"].entries()) store.put({ letter }, at + 1)
}

const firstOf = async (request: IDBRequest): Promise<IDBCursorWithValue> => {
  const cursor = await answerOf(request)
  if (!(cursor instanceof IDBCursorWithValue)) throw new Error("There is no record.")
  return cursor
}

const keysOf = (found: ReadonlyArray<readonly [unknown, unknown, unknown]>) => found.map(([key]) => key)
const primaryKeysOf = (found: ReadonlyArray<readonly [unknown, unknown, unknown]>) =>
  found.map(([, primary]) => primary)

describe("web platform: a cursor that is opened", () => {
  it.effect("idbobjectstore_openCursor: comes by every record, with its value", () =>
    onStore(five, async (database) => {
      const found = await passed(storeIn(database).openCursor())
      assert.deepStrictEqual(keysOf(found), [1, 2, 3, 4, 5])
      assert.deepStrictEqual(found[0], [1, 1, { letter: "c" }])
    }))

  it.effect("idbobjectstore_openCursor: of an empty store is null", () =>
    onStore(() => {}, async (database) => {
      assert.isNull(await answerOf(storeIn(database).openCursor()))
    }))

  it.effect("idbobjectstore_openCursor_invalid, idbcursor-key-range: takes a key, a range or nothing", () =>
    onStore(five, async (database) => {
      const store = storeIn(database)
      assert.deepStrictEqual(keysOf(await passed(store.openCursor(3))), [3])
      assert.deepStrictEqual(keysOf(await passed(store.openCursor(9))), [])
      assert.deepStrictEqual(keysOf(await passed(store.openCursor(IDBKeyRange.bound(2, 4, true)))), [3, 4])
      assert.deepStrictEqual(keysOf(await passed(store.openCursor(IDBKeyRange.lowerBound(5, true)))), [])
      assert.deepStrictEqual(keysOf(await passed(store.openCursor(null))), [1, 2, 3, 4, 5])
      assert.strictEqual(thrownBy(() => store.openCursor({})), "DataError")
    }))

  it.effect("idbindex_openCursor: comes by the records in the order of the index, and of their keys among equal ones", () =>
    onStore(five, async (database) => {
      const index = storeIn(database).index("index")
      const found = await passed(index.openCursor())
      assert.deepStrictEqual(keysOf(found), ["a", "a", "b", "c", "d"])
      assert.deepStrictEqual(primaryKeysOf(found), [2, 4, 3, 1, 5])
      assert.deepStrictEqual(found[0]?.[2], { letter: "a" })
      assert.deepStrictEqual(primaryKeysOf(await passed(index.openCursor("a"))), [2, 4])
      assert.deepStrictEqual(primaryKeysOf(await passed(index.openCursor(IDBKeyRange.bound("b", "c")))), [3, 1])
    }))

  it.effect("idbcursor-direction, idbcursor-iterating: goes forward; other directions are refused", () =>
    onStore(five, async (database) => {
      const store = storeIn(database)
      assert.strictEqual((await firstOf(store.openCursor(null, "next"))).direction, "next")
      for (const direction of ["prev", "nextunique", "prevunique", "sideways"]) {
        assert.strictEqual(thrownBy(() => store.openCursor(null, direction)), "NotSupportedError", direction)
      }
    }))

  it.effect("idbcursor-source, idbcursor-request-source: knows what it goes through and by which request", () =>
    onStore(five, async (database) => {
      const store = storeIn(database)
      const [ofStore, ofIndex] = [store.openCursor(), store.index("index").openCursor()]
      const [first, second] = [await firstOf(ofStore), await firstOf(ofIndex)]
      assert.strictEqual(first.source, store)
      assert.strictEqual(second.source, store.index("index"))
      assert.strictEqual(first.request, ofStore)
      assert.strictEqual(ofIndex.source, store.index("index"))
      assert.strictEqual(ofIndex.transaction, store.transaction)
    }))

  it.effect("idbobjectstore_openCursor, idbindex_openCursor2: is refused when its transaction has ended", () =>
    onStore(five, async (database) => {
      const store = storeIn(database)
      const index = store.index("index")
      await endOf(store.transaction)
      assert.strictEqual(thrownBy(() => store.openCursor()), "TransactionInactiveError")
      assert.strictEqual(thrownBy(() => index.openCursor()), "TransactionInactiveError")
    }))

  it.effect("idbindex_openCursor3: is refused when its store was deleted", () =>
    onDatabases(async (factory) => {
      await opened(factory, "db", 1, (database) => {
        const store = database.createObjectStore("store")
        const index = store.createIndex("index", "letter")
        database.deleteObjectStore("store")
        assert.strictEqual(thrownBy(() => store.openCursor()), "InvalidStateError")
        assert.strictEqual(thrownBy(() => index.openCursor()), "InvalidStateError")
      })
    }))
})

describe("web platform: continue", () => {
  it.effect("idbcursor_continue_objectstore, idbcursor_continue_index: is the same cursor, at another record", () =>
    onStore(five, async (database) => {
      for (const source of [storeIn(database), storeIn(database).index("index")]) {
        const seen = new Set<unknown>()
        await walk(source.openCursor(), (cursor) => seen.add(cursor))
        assert.strictEqual(seen.size, 1)
      }
    }))

  it.effect("idbcursor_continue_index, idbcursor-continue: may be asked once for each record", () =>
    onStore(five, async (database) => {
      const request = storeIn(database).openCursor()
      const cursor = await firstOf(request)
      cursor.continue()
      assert.strictEqual(request.readyState, "pending")
      assert.strictEqual(thrownBy(() => cursor.continue()), "InvalidStateError")
      assert.strictEqual(cursor.key, 1)
      assert.strictEqual(await answerOf(request), cursor)
      assert.strictEqual(cursor.key, 2)
    }))

  it.effect("idbcursor_continue_invalid: not at the end, nor when the transaction has ended", () =>
    onStore(five, async (database) => {
      const ended = await firstOf(storeIn(database).openCursor(5))
      ended.continue()
      assert.isNull(await answerOf(ended.request))
      assert.strictEqual(thrownBy(() => ended.continue()), "InvalidStateError")
      assert.isUndefined(ended.key)
      assert.isUndefined(ended.value)
      const { transaction } = ended.request
      if (transaction !== null) await endOf(transaction)
      assert.strictEqual(thrownBy(() => ended.continue()), "TransactionInactiveError")
    }))

  it.effect("idbcursor_continue_index4, idbcursor_continue_objectstore4: to a key is refused", () =>
    onStore(five, async (database) => {
      const cursor = await firstOf(storeIn(database).openCursor())
      assert.strictEqual(thrownBy(() => cursor.continue(3)), "NotSupportedError")
      // It stands where it stood.
      cursor.continue()
      assert.strictEqual(await answerOf(cursor.request), cursor)
      assert.strictEqual(cursor.key, 2)
    }))

  it.effect("idbcursor_continue_delete_objectstore: not when the store was deleted", () =>
    onDatabases(async (factory) => {
      const told = new Promise((resolve) => {
        void opened(factory, "db", 1, (database) => {
          const store = database.createObjectStore("store")
          store.put("value", 1)
          const request = store.openCursor()
          request.onsuccess = () => {
            const cursor = request.result
            if (!(cursor instanceof IDBCursorWithValue)) return
            database.deleteObjectStore("store")
            resolve([() => cursor.continue(), () => cursor.update(1), () => cursor.delete()].map(thrownBy))
          }
        })
      })
      assert.deepStrictEqual(await told, Array.from({ length: 3 }, () => "InvalidStateError"))
    }))

  it.effect("idbcursor_iterating, idbcursor_iterating_objectstore: sees what was added and deleted before it", () =>
    onStore(five, async (database) => {
      const store = storeIn(database, "readwrite")
      const seen: Array<unknown> = []
      await walk(store.openCursor(), ({ key }) => {
        seen.push(key)
        if (key !== 2) return
        store.delete(3)
        store.add({ letter: "z" }, 4.5)
        store.add({ letter: "z" }, 0)
      })
      assert.deepStrictEqual(seen, [1, 2, 4, 4.5, 5])
    }))

  it.effect("idbcursor_iterating_index: sees it in an index, too", () =>
    onStore(five, async (database) => {
      const store = storeIn(database, "readwrite")
      const seen: Array<unknown> = []
      await walk(store.index("index").openCursor(), ({ primaryKey }) => {
        seen.push(primaryKey)
        if (primaryKey !== 4) return
        store.put({ letter: "z" }, 3)
        store.put({ letter: "a" }, 9)
        store.delete(1)
      })
      assert.deepStrictEqual(seen, [2, 4, 9, 5, 3])
    }))

  it.effect("interleaved-cursors-small: cursors of one transaction go on side by side", () =>
    onStore(five, async (database) => {
      const store = storeIn(database)
      const seen: Array<unknown> = []
      const through = (name: string, source: { openCursor(): IDBRequest }) =>
        walk(source.openCursor(), ({ primaryKey }) => seen.push(`${name}${primaryKey}`))
      await Promise.all([through("s", store), through("i", store.index("index"))])
      assert.deepStrictEqual(seen, ["s1", "i2", "s2", "i4", "s3", "i3", "s4", "i1", "s5", "i5"])
    }))

  it.effect("parallel-cursors-upgrade: and while a database gets its version", () =>
    onDatabases(async (factory) => {
      const seen: Array<unknown> = []
      await opened(factory, "db", 1, (database) => {
        const store = database.createObjectStore("store")
        five(store)
        for (const name of ["x", "y"]) void walk(store.openCursor(), ({ key }) => seen.push(`${name}${key}`))
      })
      assert.deepStrictEqual(seen, [1, 2, 3, 4, 5].flatMap((key) => [`x${key}`, `y${key}`]))
    }))
})

describe("web platform: what a cursor changes", () => {
  it.effect("idbcursor_update_objectstore: replaces the value under the same key, and tells the key", () =>
    onStore(five, async (database) => {
      const store = storeIn(database, "readwrite")
      const cursor = await firstOf(store.openCursor(2))
      const request = cursor.update({ letter: "x" })
      assert.strictEqual(request.source, cursor)
      assert.strictEqual(await answerOf(request), 2)
      assert.deepStrictEqual(await answerOf(store.get(2)), { letter: "x" })
      assert.deepStrictEqual(cursor.value, { letter: "a" })
    }))

  it.effect("idbcursor_update_index: replaces the record, and the index follows", () =>
    onStore(five, async (database) => {
      const store = storeIn(database, "readwrite")
      const cursor = await firstOf(store.index("index").openCursor("b"))
      await answerOf(cursor.update({ letter: "y" }))
      assert.deepStrictEqual(await answerOf(store.get(3)), { letter: "y" })
      assert.strictEqual(await answerOf(store.index("index").count("b")), 0)
      assert.strictEqual(await answerOf(store.index("index").count("y")), 1)
    }))

  it.effect("idbcursor_update_index5, idbcursor_update_objectstore5: refuses what cannot be cloned", () =>
    onStore(five, async (database) => {
      const cursor = await firstOf(storeIn(database, "readwrite").openCursor())
      assert.strictEqual(thrownBy(() => cursor.update(() => 1)), "DataCloneError")
    }))

  it.effect("idbcursor_delete_objectstore, idbcursor_delete_index: deletes the record that it stands on", () =>
    onStore(five, async (database) => {
      const store = storeIn(database, "readwrite")
      const cursor = await firstOf(store.openCursor(4))
      const request = cursor.delete()
      assert.strictEqual(request.source, cursor)
      assert.isUndefined(await answerOf(request))
      const inIndex = await firstOf(store.index("index").openCursor("c"))
      await answerOf(inIndex.delete())
      await endOf(store.transaction)
      assert.deepStrictEqual(await keysIn(database), [2, 3, 5])
    }))

  it.effect("idbcursor_update_objectstore2, idbcursor_delete_objectstore2: nothing in a transaction that only reads", () =>
    onStore(five, async (database) => {
      for (const source of [storeIn(database), storeIn(database).index("index")]) {
        const cursor = await firstOf(source.openCursor())
        assert.strictEqual(thrownBy(() => cursor.update({})), "ReadOnlyError")
        assert.strictEqual(thrownBy(() => cursor.delete()), "ReadOnlyError")
      }
    }))

  it.effect("idbcursor_update_objectstore3, idbcursor_delete_objectstore3: nothing when the transaction has ended", () =>
    onStore(five, async (database) => {
      const store = storeIn(database, "readwrite")
      const cursor = await firstOf(store.openCursor())
      await endOf(store.transaction)
      assert.strictEqual(thrownBy(() => cursor.update({})), "TransactionInactiveError")
      assert.strictEqual(thrownBy(() => cursor.delete()), "TransactionInactiveError")
    }))

  it.effect("idbcursor_update_index7, idbcursor_delete_index7: nothing while the next record is on its way, nor at the end", () =>
    onStore(five, async (database) => {
      const cursor = await firstOf(storeIn(database, "readwrite").openCursor(5))
      cursor.continue()
      assert.strictEqual(thrownBy(() => cursor.update({})), "InvalidStateError")
      assert.strictEqual(thrownBy(() => cursor.delete()), "InvalidStateError")
      assert.isNull(await answerOf(cursor.request))
      assert.strictEqual(thrownBy(() => cursor.update({})), "InvalidStateError")
      assert.strictEqual(thrownBy(() => cursor.delete()), "InvalidStateError")
    }))

  it.effect("cursor-overloads, delete-range: a range takes its records away while a cursor goes through them", () =>
    onStore(five, async (database) => {
      const store = storeIn(database, "readwrite")
      const seen: Array<unknown> = []
      await walk(store.openCursor(), ({ key }) => {
        seen.push(key)
        if (key === 1) store.delete(IDBKeyRange.bound(2, 4))
      })
      assert.deepStrictEqual(seen, [1, 5])
      await aTask()
      assert.deepStrictEqual(await keysIn(database), [1, 5])
    }))
})
