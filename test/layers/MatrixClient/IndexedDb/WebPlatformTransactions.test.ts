import { assert, describe, it } from "@effect/vitest"
import type { IDBDatabase } from "../../../../src/layers/MatrixClient/IndexedDb/Database.ts"
import type { IDBFactory } from "../../../../src/layers/MatrixClient/IndexedDb/Factory.ts"
import { answerOf, endOf, opened, thrownBy } from "./Databases.ts"
import { aTask, onDatabases, onStore, storeIn } from "./WebPlatform.ts"

const nothing = () => {}

/** A database with the stores `a` and `b`. */
const onTwo = (body: (database: IDBDatabase, factory: IDBFactory) => Promise<void>) =>
  onDatabases(async (factory) =>
    body(
      await opened(factory, "db", 1, (database) => {
        database.createObjectStore("a")
        database.createObjectStore("b")
      }),
      factory
    )
  )

describe("web platform: the life of a transaction", () => {
  it.effect("transaction-lifetime-empty: ends by itself when nothing is asked of it, in its turn", () =>
    onStore(nothing, async (database) => {
      const log: Array<string> = []
      const made = ["first", "empty", "last"].map((name) => {
        const transaction = database.transaction("store", "readwrite")
        if (name !== "empty") transaction.objectStore("store").put(1, name)
        return endOf(transaction).then((end) => log.push(`${name} ${end}`))
      })
      await Promise.all(made)
      assert.deepStrictEqual(log, ["first complete", "empty complete", "last complete"])
    }))

  it.effect("transaction-lifetime, idb_webworkers: lives as long as each answer asks for more", () =>
    onStore(nothing, async (database) => {
      const transaction = database.transaction("store", "readwrite")
      const end = endOf(transaction)
      for (let n = 0; n < 50; n++) await answerOf(transaction.objectStore("store").put(n, n))
      assert.strictEqual(await end, "complete")
      assert.strictEqual(thrownBy(() => transaction.objectStore("store")), "InvalidStateError")
      assert.strictEqual(await answerOf(storeIn(database).count()), 50)
    }))

  it.effect("transaction-deactivation-timing: takes requests where it was made, and not in the next task", () =>
    onStore(nothing, async (database) => {
      const store = storeIn(database)
      assert.strictEqual(thrownBy(() => store.get(1)), "nothing")
      await Promise.resolve()
      assert.strictEqual(thrownBy(() => store.get(1)), "nothing")
      await endOf(store.transaction)
      await aTask()
      assert.strictEqual(thrownBy(() => store.get(1)), "TransactionInactiveError")
    }))

  it.effect("event-dispatch-active-flag: takes requests in the handlers of its requests, and in those of its end none", () =>
    onStore(nothing, async (database) => {
      const transaction = database.transaction("store", "readwrite")
      const store = transaction.objectStore("store")
      const seen: Array<string> = []
      store.add(1, 1).onsuccess = () => {
        seen.push(`success ${thrownBy(() => store.count())}`)
        store.add(2, 1).onerror = (event) => {
          event.preventDefault()
          seen.push(`error ${thrownBy(() => store.count())}`)
        }
      }
      await new Promise((resolve) => {
        transaction.oncomplete = () => resolve(seen.push(`complete ${thrownBy(() => store.count())}`))
      })
      assert.deepStrictEqual(seen, ["success nothing", "error nothing", "complete TransactionInactiveError"])
    }))

  it.effect("upgrade-transaction-deactivation-timing: of a new version takes them in the handler of upgradeneeded", () =>
    onDatabases(async (factory) => {
      const request = factory.open("db", 1)
      const seen: Array<string> = []
      const opening = new Promise((resolve) => {
        request.onupgradeneeded = () => {
          const { transaction } = request
          if (transaction === null) return
          const database = transaction.db
          const store = database.createObjectStore("store")
          seen.push(thrownBy(() => store.get(1)))
          void endOf(transaction).then(() => seen.push(thrownBy(() => store.get(1))))
        }
        request.onsuccess = resolve
      })
      await opening
      assert.deepStrictEqual(seen, ["nothing", "TransactionInactiveError"])
    }))

  it.effect("transaction-create_in_versionchange: no other is made while a version is", () =>
    onDatabases(async (factory) => {
      const seen: Array<string> = []
      await opened(factory, "db", 1, (database) => {
        database.createObjectStore("store")
        seen.push(thrownBy(() => database.transaction("store")))
      })
      assert.deepStrictEqual(seen, ["InvalidStateError"])
    }))

  it.effect("idbdatabase_transaction, idbdatabase_transaction-exception-order: is made of stores that are there", () =>
    onTwo(async (database) => {
      assert.strictEqual(thrownBy(() => database.transaction("none")), "NotFoundError")
      assert.strictEqual(thrownBy(() => database.transaction([])), "InvalidAccessError")
      assert.strictEqual(thrownBy(() => database.transaction("a", "versionchange")), "TypeError")
      assert.strictEqual(thrownBy(() => database.transaction("a", "whatever")), "TypeError")
      const transaction = database.transaction(["b", "a", "a"])
      assert.deepStrictEqual([...transaction.objectStoreNames], ["a", "b"])
      assert.strictEqual(transaction.mode, "readonly")
      assert.strictEqual(transaction.db, database)
      database.close()
      assert.strictEqual(thrownBy(() => database.transaction("a")), "InvalidStateError")
    }))

  it.effect("idbtransaction_objectStoreNames, idbtransaction-objectStore-exception-order: gives those that it was made of", () =>
    onTwo(async (database) => {
      const transaction = database.transaction("a")
      assert.strictEqual(transaction.objectStore("a"), transaction.objectStore("a"))
      assert.strictEqual(thrownBy(() => transaction.objectStore("b")), "NotFoundError")
      assert.strictEqual(thrownBy(() => transaction.objectStore("none")), "NotFoundError")
      await endOf(transaction)
      assert.strictEqual(thrownBy(() => transaction.objectStore("none")), "InvalidStateError")
    }))

  it.effect("transaction-scheduling-within-database, transaction-scheduling-rw-scopes: comes after those made before", () =>
    onTwo(async (database) => {
      const log: Array<string> = []
      const made = ["a", "b", "a"].map((name, n) => {
        const transaction = database.transaction(name, "readwrite")
        const store = transaction.objectStore(name)
        store.put(n, n).onsuccess = () => {
          log.push(`put ${n}`)
          store.get(n).onsuccess = () => log.push(`get ${n}`)
        }
        return endOf(transaction)
      })
      await Promise.all(made)
      assert.deepStrictEqual(log.filter((line) => /0|2/.test(line)), ["put 0", "get 0", "put 2", "get 2"])
    }))

  it.effect("writer-starvation: who writes is not kept waiting by those who read and come later", () =>
    onStore((store) => store.put(0, "key"), async (database) => {
      const read = () => answerOf(storeIn(database).get("key"))
      const before = [read(), read()]
      storeIn(database, "readwrite").put(1, "key")
      const after = [read(), read()]
      assert.deepStrictEqual(await Promise.all([...before, ...after]), [0, 0, 1, 1])
    }))

  it.effect("transaction-requestqueue, request-event-ordering-small-values: answers in the order of asking", () =>
    onStore(nothing, async (database) => {
      const store = storeIn(database, "readwrite")
      const log: Array<unknown> = []
      const note = (what: unknown) => () => log.push(what)
      store.put("x".repeat(1_000_000), 1).onsuccess = note("put")
      store.get(1).onsuccess = note("get")
      store.count().onsuccess = note("count")
      store.get("none").onsuccess = note("nothing")
      store.clear().onsuccess = note("clear")
      await endOf(store.transaction)
      assert.deepStrictEqual(log, ["put", "get", "count", "nothing", "clear"])
    }))

  it.effect("idbrequest-onupgradeneeded, idbobjectstore_put-readystate: has no answer before it is told", () =>
    onStore(nothing, async (database) => {
      const request = storeIn(database).get(1)
      assert.strictEqual(request.readyState, "pending")
      assert.strictEqual(thrownBy(() => request.result), "InvalidStateError")
      assert.strictEqual(thrownBy(() => request.error), "InvalidStateError")
      await answerOf(request)
      assert.deepStrictEqual([request.readyState, request.error, request.result], ["done", null, undefined])
    }))
})
