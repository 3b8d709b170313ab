import { assert, describe, it } from "@effect/vitest"
import type { IDBTransaction } from "../../../../src/layers/MatrixClient/IndexedDb/Transaction.ts"
import { answerOf, endOf, opened, thrownBy } from "./Databases.ts"
import { aTask, errorOf, keysIn, onDatabases, onStore, storeIn } from "./WebPlatform.ts"

const nothing = () => {}

describe("web platform: a transaction that is aborted", () => {
  it.effect("idbtransaction_abort, transaction-abort-object-restored: leaves nothing of what it wrote", () =>
    onStore((store) => store.put("kept", 1), async (database) => {
      const store = storeIn(database, "readwrite")
      await answerOf(store.put("changed", 1))
      await answerOf(store.put("new", 2))
      store.transaction.abort()
      assert.strictEqual(await endOf(store.transaction), "abort asked for")
      assert.isNull(store.transaction.error)
      assert.strictEqual(await answerOf(storeIn(database).get(1)), "kept")
      assert.deepStrictEqual(await keysIn(database), [1])
    }))

  it.effect("transaction-abort-request-error, request-abort-ordering: answers what it was asked with AbortError, in order", () =>
    onStore(nothing, async (database) => {
      const store = storeIn(database, "readwrite")
      const log: Array<unknown> = []
      const requests = [store.put(1, 1), store.get(1), store.count()]
      for (const [at, request] of requests.entries()) {
        request.onsuccess = () => log.push("success")
        request.onerror = () => log.push([at, request.error?.name, thrownBy(() => request.result)])
      }
      store.transaction.onabort = () => log.push("abort")
      store.transaction.abort()
      await aTask()
      await aTask()
      assert.deepStrictEqual(log, [[0, "AbortError", "nothing"], [1, "AbortError", "nothing"], [
        2,
        "AbortError",
        "nothing"
      ], "abort"])
    }))

  it.effect("transaction-abort-multiple, abort-after-commit: is not aborted again", () =>
    onStore(nothing, async (database) => {
      const { transaction } = storeIn(database)
      transaction.abort()
      assert.strictEqual(thrownBy(() => transaction.abort()), "InvalidStateError")
      await endOf(transaction)
      assert.strictEqual(thrownBy(() => transaction.abort()), "InvalidStateError")
      const complete = database.transaction("store")
      await endOf(complete)
      assert.strictEqual(thrownBy(() => complete.abort()), "InvalidStateError")
    }))

  it.effect("transaction-abort-index-metadata-revert, upgrade-transaction-lifecycle-user-aborted: nor of what the version was to be", () =>
    onDatabases(async (factory) => {
      const first = await opened(factory, "db", 1, (database) => {
        database.createObjectStore("store").put({ a: 1 }, 1)
      })
      first.close()
      const failed = opened(factory, "db", 2, (database, transaction) => {
        transaction.objectStore("store").createIndex("index", "a")
        database.createObjectStore("other")
        transaction.abort()
      })
      assert.strictEqual(await errorOf(failed), "AbortError")
      const again = await opened(factory, "db")
      assert.deepStrictEqual([again.version, ...again.objectStoreNames], [1, "store"])
      assert.strictEqual(thrownBy(() => storeIn(again).index("index")), "NotFoundError")
    }))

  it.effect("abort-in-initial-upgradeneeded: a database that was never made is version 1 for the next", () =>
    onDatabases(async (factory) => {
      const request = factory.open("db", 9)
      request.onupgradeneeded = () => request.transaction?.abort()
      assert.strictEqual(await errorOf(answerOf(request)), "AbortError")
      assert.isUndefined(request.result)
      const versions: Array<number> = []
      const next = factory.open("db")
      next.onupgradeneeded = (event) => {
        if ("oldVersion" in event && typeof event.oldVersion === "number") versions.push(event.oldVersion)
      }
      await answerOf(next)
      assert.deepStrictEqual(versions, [0])
    }))

  it.effect("fire-success-event-exception, fire-error-event-exception: is aborted by a handler that throws", () =>
    onStore((store) => store.put(1, 1), async (database) => {
      const ends: Array<string> = []
      for (const kind of ["success", "error"] as const) {
        const store = storeIn(database, "readwrite")
        const request = kind === "success" ? store.put(2, 2) : store.add(2, 1)
        request[`on${kind}`] = (event) => {
          // Also when the error itself was prevented.
          event.preventDefault()
          throw new Error("broken")
        }
        ends.push(await endOf(store.transaction))
      }
      assert.deepStrictEqual(ends, ["abort AbortError", "abort AbortError"])
      assert.deepStrictEqual(await keysIn(database), [1])
    }))

  it.effect("fire-upgradeneeded-event-exception: and so is a version", () =>
    onDatabases(async (factory) => {
      const failed = opened(factory, "db", 1, () => {
        throw new Error("broken")
      })
      assert.strictEqual(await errorOf(failed), "AbortError")
    }))
})

describe("web platform: errors and their way", () => {
  it.effect("request_bubble-and-capture, transaction_bubble-and-capture: go from the request to its transaction and connection", () =>
    onStore((store) => store.put(1, 1), async (database) => {
      const store = storeIn(database, "readwrite")
      const request = store.add(2, 1)
      const log: Array<unknown> = []
      const targets = { request, transaction: store.transaction, database }
      for (const [name, target] of Object.entries(targets)) {
        target.onerror = (event) => {
          log.push([event.type, name, event.target === request, event.currentTarget === target])
        }
        target.onabort = (event) =>
          log.push([event.type, name, event.target === store.transaction, event.currentTarget === target])
      }
      await aTask()
      await aTask()
      await aTask()
      assert.deepStrictEqual(
        log.slice(0, 3),
        ["request", "transaction", "database"].map((name) => ["error", name, true, true])
      )
      await new Promise((resolve) => setTimeout(resolve, 20))
      assert.deepStrictEqual(log.slice(3), ["transaction", "database"].map((name) => ["abort", name, true, true]))
      assert.strictEqual(store.transaction.error, request.error)
    }))

  it.effect("error-attributes: an error has its name, and is a DOMException", () =>
    onStore((store) => store.put(1, 1), async (database) => {
      const request = storeIn(database, "readwrite").add(2, 1)
      await answerOf(request).catch(nothing)
      assert.instanceOf(request.error, DOMException)
      assert.strictEqual(request.error?.name, "ConstraintError")
      assert.isAbove(request.error?.message.length ?? 0, 0)
    }))

  it.effect("idbobjectstore_add_failure-prevented: one that is prevented ends nothing", () =>
    onStore((store) => store.put("kept", 1), async (database) => {
      const store = storeIn(database, "readwrite")
      store.put("also", 2)
      store.add("not", 1).onerror = (event) => event.preventDefault()
      store.put("and", 3)
      assert.strictEqual(await endOf(store.transaction), "complete")
      assert.deepStrictEqual(await keysIn(database), [1, 2, 3])
      assert.strictEqual(await answerOf(storeIn(database).get(1)), "kept")
    }))

  it.effect("transaction-error-event: one that is not ends the transaction with it", () =>
    onStore((store) => store.put(1, 1), async (database) => {
      const store = storeIn(database, "readwrite")
      store.put(2, 2)
      store.add(1, 1)
      assert.strictEqual(await endOf(store.transaction), "abort ConstraintError")
      assert.deepStrictEqual(await keysIn(database), [1])
    }))
})

describe("web platform: explicit commits", () => {
  it.effect("idb-explicit-commit: answers what was asked, and takes no more", () =>
    onStore(nothing, async (database) => {
      const store = storeIn(database, "readwrite")
      const answer = answerOf(store.put("value", 1))
      store.transaction.commit()
      assert.strictEqual(thrownBy(() => store.put("value", 2)), "TransactionInactiveError")
      assert.strictEqual(thrownBy(() => store.transaction.commit()), "InvalidStateError")
      assert.strictEqual(thrownBy(() => store.transaction.abort()), "InvalidStateError")
      assert.strictEqual(await answer, 1)
      assert.strictEqual(await endOf(store.transaction), "complete")
      assert.deepStrictEqual(await keysIn(database), [1])
    }))

  it.effect("idb-explicit-commit: no request is taken in the handlers of what it still answers", () =>
    onStore(nothing, async (database) => {
      const store = storeIn(database, "readwrite")
      const seen: Array<string> = []
      store.put("value", 1).onsuccess = () => seen.push(thrownBy(() => store.put("value", 2)))
      store.transaction.commit()
      await endOf(store.transaction)
      assert.deepStrictEqual(seen, ["TransactionInactiveError"])
    }))

  it.effect("idb-explicit-commit: not of one that was aborted, has ended, or waits for its turn", () =>
    onStore(nothing, async (database) => {
      const aborted: IDBTransaction = database.transaction("store")
      aborted.abort()
      assert.strictEqual(thrownBy(() => aborted.commit()), "InvalidStateError")
      const ended = database.transaction("store")
      await endOf(ended)
      assert.strictEqual(thrownBy(() => ended.commit()), "InvalidStateError")
    }))

  it.effect("idb-explicit-commit: an error after it still ends the transaction", () =>
    onStore((store) => store.put(1, 1), async (database) => {
      const store = storeIn(database, "readwrite")
      store.put(2, 2)
      store.add(1, 1)
      store.transaction.commit()
      assert.strictEqual(await endOf(store.transaction), "abort ConstraintError")
      assert.deepStrictEqual(await keysIn(database), [1])
    }))

  it.effect("idb-explicit-commit: of a new version, too", () =>
    onDatabases(async (factory) => {
      const database = await opened(factory, "db", 2, (database, transaction) => {
        database.createObjectStore("store").put("value", 1)
        transaction.commit()
      })
      assert.strictEqual(database.version, 2)
      assert.deepStrictEqual(await keysIn(database), [1])
    }))
})
