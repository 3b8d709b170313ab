import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { IDBCursorWithValue } from "../../../../src/layers/MatrixClient/IndexedDb/Cursor.ts"
import { IDBKeyRange } from "../../../../src/layers/MatrixClient/IndexedDb/KeyRange.ts"
import type { IDBObjectStore } from "../../../../src/layers/MatrixClient/IndexedDb/ObjectStore.ts"
import type { IDBRequest } from "../../../../src/layers/MatrixClient/IndexedDb/Request.ts"
import { answerOf, endOf, opened, temporaryDatabases, thrownBy } from "./Databases.ts"

/** Runs `body` with a store of five records whose index `group` has two keys. */
const scene = (body: (store: IDBObjectStore) => Promise<void>) =>
  Effect.gen(function*() {
    const factory = yield* temporaryDatabases
    const database = yield* Effect.promise(() =>
      opened(factory, "db", 1, (database) => {
        const store = database.createObjectStore("store")
        store.createIndex("group", "group")
        for (const n of [5, 3, 1, 4, 2]) store.put({ n, group: n % 2 === 0 ? "even" : "odd" }, n)
      })
    )
    yield* Effect.promise(() => body(database.transaction("store", "readwrite").objectStore("store")))
  }).pipe(Effect.scoped)

/** The cursor where it stands now; undefined at its end. */
const standing = async (request: IDBRequest): Promise<IDBCursorWithValue | undefined> => {
  const cursor = await answerOf(request)
  return cursor instanceof IDBCursorWithValue ? cursor : undefined
}

/** The primary keys that a cursor comes by. */
const walk = async (
  request: IDBRequest,
  at: (cursor: IDBCursorWithValue) => Promise<unknown> = () => Promise.resolve()
): Promise<ReadonlyArray<unknown>> => {
  const seen: Array<unknown> = []
  for (let cursor = await standing(request); cursor !== undefined; cursor = await standing(request)) {
    seen.push(cursor.primaryKey)
    await at(cursor)
    cursor.continue()
  }
  return seen
}

describe("a cursor", () => {
  it.effect("goes forward by keys, and in an index by primary keys among equal ones", () =>
    scene(async (store) => {
      assert.deepStrictEqual(await walk(store.openCursor()), [1, 2, 3, 4, 5])
      assert.deepStrictEqual(await walk(store.index("group").openCursor()), [2, 4, 1, 3, 5])
      assert.deepStrictEqual(await walk(store.index("group").openCursor("odd")), [1, 3, 5])
      assert.deepStrictEqual(await walk(store.openCursor(IDBKeyRange.bound(1, 4, true, true))), [2, 3])
      assert.deepStrictEqual(await walk(store.openCursor(IDBKeyRange.lowerBound(3, true))), [4, 5])
      assert.deepStrictEqual(await walk(store.openCursor(IDBKeyRange.upperBound(2))), [1, 2])
      assert.deepStrictEqual(await walk(store.openCursor(9)), [])
    }))

  it.effect("goes in no other direction, and to no key", () =>
    scene(async (store) => {
      for (const direction of ["prev", "prevunique", "nextunique"]) {
        assert.strictEqual(thrownBy(() => store.openCursor(undefined, direction)), "NotSupportedError")
      }
      const cursor = await standing(store.openCursor())
      assert.strictEqual(thrownBy(() => cursor?.continue(4)), "NotSupportedError")
      assert.strictEqual(cursor?.direction, "next")
    }))

  it.effect("deletes and replaces what it stands on", () =>
    scene(async (store) => {
      await walk(store.index("group").openCursor("even"), (cursor) => answerOf(cursor.delete()))
      await walk(store.openCursor(), (cursor) => answerOf(cursor.update({ group: "even", was: cursor.key })))
      assert.deepStrictEqual(await answerOf(store.index("group").getAllKeys("even")), [1, 3, 5])
      assert.deepStrictEqual(await answerOf(store.get(3)), { group: "even", was: 3 })
    }))

  it.effect("sees what comes and goes before it", () =>
    scene(async (store) => {
      const seen = await walk(store.openCursor(), async (cursor) => {
        if (cursor.key === 2) {
          await answerOf(store.delete(3))
          await answerOf(store.put({}, 4.5))
          await answerOf(store.put({}, 1.5))
        }
      })
      assert.deepStrictEqual(seen, [1, 2, 4, 4.5, 5])
    }))

  it.effect("keeps its value until it goes on, and has none on its way and at its end", () =>
    scene(async (store) => {
      const request = store.openCursor(IDBKeyRange.lowerBound(5))
      const cursor = await standing(request)
      assert.deepStrictEqual(cursor?.value, { n: 5, group: "odd" })
      assert.strictEqual(cursor?.request, request)
      assert.strictEqual(cursor?.source, store)
      cursor?.continue()
      assert.strictEqual(request.readyState, "pending")
      assert.strictEqual(thrownBy(() => cursor?.continue()), "InvalidStateError")
      assert.strictEqual(thrownBy(() => cursor?.delete()), "InvalidStateError")
      assert.isNull(await answerOf(request))
      assert.strictEqual(thrownBy(() => cursor?.continue()), "InvalidStateError")
      assert.strictEqual(thrownBy(() => cursor?.update({})), "InvalidStateError")
      assert.isUndefined(cursor?.key)
    }))

  it.effect("does not go on when its transaction has ended", () =>
    scene(async (store) => {
      const cursor = await standing(store.openCursor())
      await endOf(store.transaction)
      assert.strictEqual(thrownBy(() => cursor?.continue()), "TransactionInactiveError")
      assert.strictEqual(thrownBy(() => cursor?.update({})), "TransactionInactiveError")
    }))
})

describe("a range of keys", () => {
  it("has a lower bound that is not above its upper one, and includes both when they are one key", () => {
    assert.strictEqual(thrownBy(() => IDBKeyRange.bound(2, 1)), "DataError")
    assert.strictEqual(thrownBy(() => IDBKeyRange.bound("a", 1)), "DataError")
    assert.strictEqual(thrownBy(() => IDBKeyRange.bound(1, 1, true)), "DataError")
    assert.strictEqual(thrownBy(() => IDBKeyRange.bound(1, 1, false, true)), "DataError")
    assert.strictEqual(thrownBy(() => IDBKeyRange.bound(1, 1)), "nothing")
    assert.strictEqual(thrownBy(() => IDBKeyRange.lowerBound(NaN)), "DataError")
    assert.strictEqual(thrownBy(() => IDBKeyRange.upperBound({})), "DataError")
  })
})
