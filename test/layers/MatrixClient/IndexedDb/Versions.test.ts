import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { IDBFactory } from "../../../../src/layers/MatrixClient/IndexedDb/Factory.ts"
import { answerOf, endOf, opened, temporaryDatabases, thrownBy } from "./Databases.ts"

const scene = (body: (factory: IDBFactory) => Promise<void>) =>
  Effect.flatMap(temporaryDatabases, (factory) => Effect.promise(() => body(factory))).pipe(Effect.scoped)

const failureOf = (opening: Promise<unknown>) => opening.then(() => "opened", (error: unknown) => String(error))

describe("a database", () => {
  it.effect("begins with version 1, and keeps the version that it has", () =>
    scene(async (factory) => {
      const seen: Array<unknown> = []
      const request = factory.open("db")
      request.onupgradeneeded = (event) => seen.push("oldVersion" in event && event.oldVersion)
      await answerOf(request)
      assert.deepStrictEqual(seen, [0])
      const again = await opened(factory, "db", undefined, () => seen.push("again"))
      assert.strictEqual(again.version, 1)
      assert.lengthOf(seen, 1)
    }))

  it.effect("has no version that is lower or no whole number above zero", () =>
    scene(async (factory) => {
      const database = await opened(factory, "db", 3)
      database.close()
      assert.include(await failureOf(opened(factory, "db", 2)), "VersionError")
      for (const version of [0, -1, 1.5, NaN]) {
        assert.strictEqual(thrownBy(() => factory.open("db", version)), "TypeError")
      }
    }))

  it.effect("stays as it was when its new version is aborted, or the handler throws", () =>
    scene(async (factory) => {
      const first = await opened(factory, "db", 1, (database) => {
        database.createObjectStore("kept").put("value", 1)
      })
      first.close()
      const aborted = opened(factory, "db", 2, (database, transaction) => {
        database.deleteObjectStore("kept")
        database.createObjectStore("new")
        transaction.abort()
      })
      assert.include(await failureOf(aborted), "AbortError")
      const broken = opened(factory, "db", 2, (database) => {
        database.createObjectStore("new")
        throw new Error("broken")
      })
      assert.include(await failureOf(broken), "AbortError")
      const last = await opened(factory, "db")
      assert.strictEqual(last.version, 1)
      assert.deepStrictEqual([...last.objectStoreNames], ["kept"])
      assert.strictEqual(await answerOf(last.transaction("kept").objectStore("kept").get(1)), "value")
    }))

  it.effect("that never came to its first version is not there", () =>
    scene(async (factory) => {
      const aborted = opened(factory, "db", 7, (_, transaction) => transaction.abort())
      assert.include(await failureOf(aborted), "AbortError")
      assert.strictEqual((await opened(factory, "db")).version, 1)
    }))

  it.effect("is aborted with an index whose keys are not unique", () =>
    scene(async (factory) => {
      const database = await opened(factory, "db", 1, (database) => {
        const store = database.createObjectStore("store")
        store.put({ name: "same" }, 1)
        store.put({ name: "same" }, 2)
      })
      database.close()
      const request = factory.open("db", 2)
      const end = new Promise((resolve) => {
        request.onupgradeneeded = () => {
          const { transaction } = request
          transaction?.objectStore("store").createIndex("byName", "name", { unique: true })
          if (transaction !== null) void endOf(transaction).then(resolve)
        }
      })
      assert.strictEqual(await end, "abort ConstraintError")
      assert.include(await failureOf(answerOf(request)), "AbortError")
    }))

  it.effect("fills a new index with the records that have its key", () =>
    scene(async (factory) => {
      const database = await opened(factory, "db", 1, (database) => {
        const store = database.createObjectStore("store")
        store.put({ name: "b", flag: 1 }, 1)
        store.put({ name: "a", flag: 1 }, 2)
        store.put({ flag: 1 }, 3)
        store.createIndex("byName", ["flag", "name"])
        store.put({ name: "0", flag: 1 }, 4)
      })
      const index = database.transaction("store").objectStore("store").index("byName")
      assert.deepStrictEqual(await answerOf(index.getAllKeys()), [4, 2, 1])
      assert.strictEqual(thrownBy(() => index.objectStore.index("none")), "NotFoundError")
    }))

  it.effect("waits with a new version until every connection is closed, and with those after it", () =>
    scene(async (factory) => {
      const first = await opened(factory, "db", 1, (database) => database.createObjectStore("store"))
      const second = await opened(factory, "db")
      const log: Array<string> = []
      const upgrade = opened(factory, "db", 2, () => log.push("upgrade"))
      const after = opened(factory, "db").then((database) => log.push(`version ${database.version}`))
      const transaction = first.transaction("store", "readwrite")
      void endOf(transaction).then(() => log.push("transaction"))
      first.close()
      await answerOf(second.transaction("store").objectStore("store").count())
      log.push("second closes")
      second.close()
      second.close()
      await upgrade
      await after
      assert.deepStrictEqual(log, ["transaction", "second closes", "upgrade", "version 2"])
    }))

  it.effect("has its stores made and deleted in a new version only, by what is there", () =>
    scene(async (factory) => {
      const database = await opened(factory, "db", 1, (database, transaction) => {
        const store = database.createObjectStore("store")
        assert.strictEqual(store, transaction.objectStore("store"))
        assert.strictEqual(thrownBy(() => database.createObjectStore("store")), "ConstraintError")
        assert.strictEqual(thrownBy(() => database.deleteObjectStore("none")), "NotFoundError")
        assert.strictEqual(thrownBy(() => database.transaction("store")), "InvalidStateError")
        store.createIndex("index", "name")
        assert.strictEqual(thrownBy(() => store.createIndex("index", "name")), "ConstraintError")
        assert.strictEqual(thrownBy(() => store.createIndex("other", "no path")), "SyntaxError")
        const deleted = database.createObjectStore("deleted")
        database.deleteObjectStore("deleted")
        assert.strictEqual(thrownBy(() => deleted.put(1, 1)), "InvalidStateError")
        assert.strictEqual(thrownBy(() => transaction.objectStore("deleted")), "NotFoundError")
      })
      assert.deepStrictEqual([database.objectStoreNames.length, database.objectStoreNames.item(0)], [1, "store"])
      assert.isNull(database.objectStoreNames.item(1))
      assert.strictEqual(thrownBy(() => database.createObjectStore("new")), "InvalidStateError")
      assert.strictEqual(thrownBy(() => database.deleteObjectStore("store")), "InvalidStateError")
      const store = database.transaction("store", "readwrite").objectStore("store")
      assert.strictEqual(thrownBy(() => store.createIndex("new", "name")), "InvalidStateError")
    }))

  it.effect("deletes a store with its records and indexes", () =>
    scene(async (factory) => {
      const first = await opened(factory, "db", 1, (database) => {
        const store = database.createObjectStore("store")
        store.createIndex("byName", "name")
        store.put({ name: "x" }, 1)
      })
      first.close()
      const second = await opened(factory, "db", 2, (database) => {
        database.deleteObjectStore("store")
        const store = database.createObjectStore("store")
        store.createIndex("byName", "name", { unique: true })
        store.put({ name: "x" }, 2)
      })
      const index = second.transaction("store").objectStore("store").index("byName")
      assert.deepStrictEqual(await answerOf(index.getAllKeys()), [2])
    }))

  it.effect("is closed in the handler of its new version: then it does not open, and the version stands", () =>
    scene(async (factory) => {
      assert.include(await failureOf(opened(factory, "db", 4, (database) => database.close())), "AbortError")
      assert.strictEqual((await opened(factory, "db")).version, 4)
    }))
})
