import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as IndexedDb from "../../../../src/layers/MatrixClient/IndexedDb.ts"
import type { IDBDatabase } from "../../../../src/layers/MatrixClient/IndexedDb/Database.ts"
import type { IDBTransaction } from "../../../../src/layers/MatrixClient/IndexedDb/Transaction.ts"
import { temporaryDirectory } from "../../Store/Samples.ts"
import { answerOf, endOf, opened, thrownBy } from "./Databases.ts"

interface Scene {
  readonly database: IDBDatabase
  readonly path: string
}

/** Runs `body` on a database with the stores `a` and `b`. */
const scene = (body: (scene: Scene) => Promise<void>) =>
  Effect.gen(function*() {
    const path = join(yield* temporaryDirectory, "crypto.db")
    const factory = yield* IndexedDb.open(path)
    const database = yield* Effect.promise(() =>
      opened(factory, "db", 1, (database) => {
        database.createObjectStore("a")
        database.createObjectStore("b").createIndex("unique", "unique", { unique: true })
      })
    )
    yield* Effect.promise(() => body({ database, path }))
  }).pipe(Effect.scoped)

const keysIn = (database: IDBDatabase, store = "a") =>
  answerOf(database.transaction(store).objectStore(store).getAllKeys())

/** Whether another connection could write now. */
const isFree = (path: string): boolean => {
  const other = new DatabaseSync(path)
  try {
    return thrownBy(() => other.exec("BEGIN IMMEDIATE; ROLLBACK")) === "nothing"
  } finally {
    other.close()
  }
}

describe("transactions", () => {
  it.effect("run one at a time, in the order in which they were made", () =>
    scene(async ({ database }) => {
      const log: Array<string> = []
      const made = (["readwrite", "readonly", "readwrite"] as const).map((mode, n) => {
        const transaction = database.transaction(n === 2 ? "b" : "a", mode)
        transaction.objectStore(n === 2 ? "b" : "a").count().onsuccess = (event) => {
          log.push(`first of ${n}`)
          if (event.target !== event.currentTarget) log.push("told elsewhere")
          transaction.objectStore(n === 2 ? "b" : "a").count().onsuccess = () => log.push(`second of ${n}`)
        }
        return endOf(transaction).then(() => log.push(`end of ${n}`))
      })
      await Promise.all(made)
      assert.deepStrictEqual(log, [0, 1, 2].flatMap((n) => [`first of ${n}`, `second of ${n}`, `end of ${n}`]))
    }))

  it.effect("see what those before them wrote", () =>
    scene(async ({ database }) => {
      database.transaction("a", "readwrite").objectStore("a").put("value", 1)
      assert.strictEqual(await answerOf(database.transaction("a").objectStore("a").get(1)), "value")
    }))

  it.effect("end by themselves when nothing more is asked", () =>
    scene(async ({ database }) => {
      assert.strictEqual(await endOf(database.transaction("a", "readwrite")), "complete")
    }))

  it.effect("take requests where they are made, in handlers, and in what continues from those, and nowhere else", () =>
    scene(async ({ database }) => {
      const transaction = database.transaction("a", "readwrite")
      const store = transaction.objectStore("a")
      // Its first task is behind it: before that, Node gives no hook to see a timer come between.
      await answerOf(store.put(0, 0))
      const elsewhere: Array<string> = []
      const timer = setInterval(() => elsewhere.push(thrownBy(() => store.count())), 0)
      for (let n = 0; n < 500; n++) {
        await answerOf(store.put(n, n))
        await Promise.resolve()
        await new Promise((resolve) => queueMicrotask(() => resolve(undefined)))
      }
      const last = endOf(transaction)
      clearInterval(timer)
      assert.strictEqual(await last, "complete")
      assert.isAbove(elsewhere.length, 0)
      assert.deepStrictEqual([...new Set(elsewhere)], ["TransactionInactiveError"])
      assert.strictEqual(thrownBy(() => store.count()), "TransactionInactiveError")
      assert.strictEqual(thrownBy(() => transaction.objectStore("a")), "InvalidStateError")
    }))

  it.effect("are aborted by a handler that throws, and say what it threw", () =>
    scene(async ({ database }) => {
      const transaction = database.transaction("a", "readwrite")
      transaction.objectStore("a").put(1, 1).onsuccess = () => {
        throw new Error("broken")
      }
      assert.strictEqual(await endOf(transaction), "abort AbortError")
      assert.strictEqual(String(transaction.error?.cause), "Error: broken")
      assert.deepStrictEqual(await keysIn(database), [])
    }))

  it.effect("are aborted by an error that nobody prevents, which everyone around is told", () =>
    scene(async ({ database }) => {
      const transaction = database.transaction("a", "readwrite")
      transaction.objectStore("a").put(1, 1)
      const request = transaction.objectStore("a").add(2, 1)
      const told: Array<unknown> = []
      for (const target of [request, transaction, database]) {
        target.onerror = (event) => told.push(event.target === request && event.currentTarget === target)
      }
      assert.strictEqual(await endOf(transaction), "abort ConstraintError")
      assert.deepStrictEqual(told, [true, true, true])
      assert.deepStrictEqual(await keysIn(database), [])
    }))

  it.effect("go on after an error that was prevented, without any of what failed", () =>
    scene(async ({ database }) => {
      const transaction = database.transaction("b", "readwrite")
      const store = transaction.objectStore("b")
      store.put({ unique: "x" }, 1)
      const error = await answerOf(store.put({ unique: "x" }, 2)).catch((error: unknown) => error)
      assert.include(String(error), "ConstraintError")
      store.put({ unique: "y" }, 3)
      assert.strictEqual(await endOf(transaction), "complete")
      assert.deepStrictEqual(await keysIn(database, "b"), [1, 3])
    }))

  it.effect("undo everything when they are aborted, and answer what was asked with AbortError first", () =>
    scene(async ({ database }) => {
      await endOf(putting(database, 1))
      const transaction = putting(database, 2)
      const store = transaction.objectStore("a")
      await answerOf(store.delete(1))
      const log: Array<unknown> = []
      store.get(1).onerror = () => log.push("first")
      const request = store.get(2)
      request.onerror = () => log.push(request.error?.name)
      transaction.abort()
      assert.strictEqual(thrownBy(() => store.get(1)), "TransactionInactiveError")
      assert.strictEqual(await endOf(transaction), "abort asked for")
      assert.deepStrictEqual(log, ["first", "AbortError"])
      assert.deepStrictEqual(await keysIn(database), [1])
    }))

  it.effect("can be aborted before their turn, and then have none", () =>
    scene(async ({ database }) => {
      const first = putting(database, 1)
      const second = putting(database, 2)
      second.abort()
      assert.strictEqual(await endOf(second), "abort asked for")
      assert.strictEqual(await endOf(first), "complete")
      assert.deepStrictEqual(await keysIn(database), [1])
    }))

  it.effect("that are told to commit answer what was asked, and take no more", () =>
    scene(async ({ database }) => {
      const transaction = putting(database, 1)
      const request = answerOf(transaction.objectStore("a").put(2, 2))
      transaction.commit()
      assert.strictEqual(thrownBy(() => transaction.objectStore("a").put(3, 3)), "TransactionInactiveError")
      assert.strictEqual(thrownBy(() => transaction.abort()), "InvalidStateError")
      assert.strictEqual(thrownBy(() => transaction.commit()), "InvalidStateError")
      assert.strictEqual(await request, 2)
      assert.strictEqual(await endOf(transaction), "complete")
      assert.strictEqual(thrownBy(() => transaction.abort()), "InvalidStateError")
      assert.deepStrictEqual(await keysIn(database), [1, 2])
    }))

  it.effect("that only read refuse to write", () =>
    scene(async ({ database }) => {
      const store = database.transaction("a").objectStore("a")
      for (const write of [() => store.put(1, 1), () => store.add(1, 1), () => store.delete(1), () => store.clear()]) {
        assert.strictEqual(thrownBy(write), "ReadOnlyError")
      }
    }))

  it.effect("are made for stores that are there, in a mode that there is", () =>
    scene(async ({ database }) => {
      assert.strictEqual(thrownBy(() => database.transaction([])), "InvalidAccessError")
      assert.strictEqual(thrownBy(() => database.transaction(["a", "c"])), "NotFoundError")
      assert.strictEqual(thrownBy(() => database.transaction("a", "versionchange")), "TypeError")
      const transaction = database.transaction(["b", "a", "b"])
      assert.deepStrictEqual([...transaction.objectStoreNames], ["a", "b"])
      assert.strictEqual(thrownBy(() => database.transaction("a").objectStore("b")), "NotFoundError")
      assert.strictEqual(transaction.objectStore("a"), transaction.objectStore("a"))
    }))

  it.effect("go on when their connection is closed, which makes no more", () =>
    scene(async ({ database }) => {
      const transaction = putting(database, 1)
      database.close()
      assert.strictEqual(thrownBy(() => database.transaction("a")), "InvalidStateError")
      assert.strictEqual(await endOf(transaction), "complete")
    }))

  it.effect("keep a value as it was when it was handed over", () =>
    scene(async ({ database }) => {
      const transaction = database.transaction("a", "readwrite")
      const value = { bytes: Uint8Array.of(1, 2), nested: { list: [1] } }
      const key = ["k"]
      transaction.objectStore("a").put(value, key)
      value.bytes[0] = 9
      value.nested.list.push(2)
      key.push("l")
      await endOf(transaction)
      const kept = await answerOf(database.transaction("a").objectStore("a").get(["k"]))
      assert.deepStrictEqual(kept, { bytes: Uint8Array.of(1, 2), nested: { list: [1] } })
    }))

  it.effect("keep of a view what it shows, and not all of its buffer", () =>
    scene(async ({ database, path }) => {
      const memory = new Uint8Array(5_000_000)
      const transaction = database.transaction("a", "readwrite")
      transaction.objectStore("a").put({ view: memory.subarray(10, 20) }, 1)
      await endOf(transaction)
      const file = new DatabaseSync(path)
      assert.isBelow(Number(file.prepare("SELECT max(length(value)) AS n FROM records").get()?.["n"]), 100)
      file.close()
    }))

  it.effect("take what is a key and can be cloned, and refuse the rest when it is handed over", () =>
    scene(async ({ database }) => {
      const store = database.transaction("a", "readwrite").objectStore("a")
      assert.strictEqual(thrownBy(() => store.put(1)), "DataError")
      assert.strictEqual(thrownBy(() => store.put(1, NaN)), "DataError")
      assert.strictEqual(thrownBy(() => store.put(() => 1, 1)), "DataCloneError")
      assert.strictEqual(thrownBy(() => store.get(undefined)), "DataError")
      assert.strictEqual(thrownBy(() => store.delete(null)), "DataError")
    }))

  it.effect("have no answer before they have one", () =>
    scene(async ({ database }) => {
      const request = database.transaction("a").objectStore("a").get(1)
      assert.strictEqual(request.readyState, "pending")
      assert.strictEqual(thrownBy(() => request.result), "InvalidStateError")
      assert.strictEqual(thrownBy(() => request.error), "InvalidStateError")
      assert.isUndefined(await answerOf(request))
      assert.strictEqual(request.readyState, "done")
      assert.isNull(request.error)
    }))

  it.effect("are on the disk when `complete` is told, and not before", () =>
    scene(async ({ database, path }) => {
      const other = new DatabaseSync(path)
      const kept = () => Number(other.prepare("SELECT count(*) AS n FROM records").get()?.["n"])
      const transaction = database.transaction("a", "readwrite")
      await answerOf(transaction.objectStore("a").put(1, 1))
      assert.strictEqual(kept(), 0)
      const atTheEnd = new Promise((resolve) => {
        transaction.oncomplete = () => resolve(kept())
      })
      assert.strictEqual(await atTheEnd, 1)
      other.close()
    }))

  it.effect("lock the file from their first request to their end, and only when they may write", () =>
    scene(async ({ database, path }) => {
      const writing = database.transaction("a", "readwrite")
      assert.isTrue(isFree(path))
      await answerOf(writing.objectStore("a").count())
      assert.isFalse(isFree(path))
      await endOf(writing)
      assert.isTrue(isFree(path))
      const reading = database.transaction("a")
      await answerOf(reading.objectStore("a").count())
      assert.isTrue(isFree(path))
    }))
})

const putting = (database: IDBDatabase, key: number): IDBTransaction => {
  const transaction = database.transaction("a", "readwrite")
  transaction.objectStore("a").put(key, key)
  return transaction
}
