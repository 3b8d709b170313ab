import { assert, describe, it } from "@effect/vitest"
import { IDBKeyRange } from "../../../../src/layers/MatrixClient/IndexedDb/KeyRange.ts"
import { answerOf, thrownBy } from "./Databases.ts"
import { onStore, passed, storeIn } from "./WebPlatform.ts"

/** Keys in their order, one kind after the other, and some of each. */
const ordered: ReadonlyArray<unknown> = [
  -Infinity,
  -Number.MAX_VALUE,
  -1,
  -Number.MIN_VALUE,
  0,
  Number.MIN_VALUE,
  1,
  1.5,
  Number.MAX_VALUE,
  Infinity,
  new Date(-1e15),
  new Date(0),
  new Date(1e15),
  "",
  " ",
  "A",
  "a",
  "a\0",
  "aa",
  "b",
  "\u0100",
  "\ud834\udd1e",
  "\ufb00",
  new ArrayBuffer(0),
  Uint8Array.of(0).buffer,
  Uint8Array.of(0, 1).buffer,
  Uint8Array.of(255).buffer,
  [],
  [-1],
  [0, "z"],
  [1],
  [1, []],
  [new Date(0)],
  ["a"],
  [[]],
  [[], []],
  [[[]]]
]

/** Neither sorted nor sorted backwards. */
const shuffled = ordered.map((_, at) => ordered[at * 7 % ordered.length])

describe("web platform: keys", () => {
  it.effect("keyorder: records come in the order of their keys, however they were put in", () =>
    onStore((store) => {
      for (const key of shuffled) store.put("value", key)
    }, async (database) => {
      assert.strictEqual(new Set(shuffled).size, ordered.length)
      assert.deepStrictEqual(await answerOf(storeIn(database).getAllKeys()), ordered)
      assert.deepStrictEqual((await passed(storeIn(database).openCursor())).map(([key]) => key), ordered)
    }))

  it.effect("keyorder: the keys of an index are ordered in the same way", () =>
    onStore((store) => {
      store.createIndex("index", "key")
      for (const [at, key] of shuffled.entries()) store.put({ key }, at)
    }, async (database) => {
      const found = await passed(storeIn(database).index("index").openCursor())
      assert.deepStrictEqual(found.map(([key]) => key), ordered)
    }))

  it.effect("key_valid: what is a key comes back as it was", () =>
    onStore(() => {}, async (database) => {
      for (const key of [...ordered, -0, [[[[[[1]]]]]], Uint16Array.of(1, 2), new DataView(new ArrayBuffer(3))]) {
        const store = storeIn(database, "readwrite")
        const given = await answerOf(store.put("value", key))
        assert.strictEqual(await answerOf(store.get(key)), "value")
        assert.strictEqual(await answerOf(store.get(given)), "value")
        assert.strictEqual(await answerOf(store.count(given)), 1)
      }
    }))

  it.effect("key_invalid: what is none is refused by everything that takes one", () =>
    onStore(() => {}, async (database) => {
      const holes: Array<unknown> = [1]
      holes.length = 3
      const circle: Array<unknown> = []
      circle.push(circle)
      const none = [true, null, NaN, new Date(NaN), {}, () => 1, /x/, Symbol("x"), 1n, [undefined], [{}], holes, circle]
      const store = storeIn(database, "readwrite")
      for (const key of none) {
        const name = String(Array.isArray(key) ? "array" : key)
        assert.strictEqual(thrownBy(() => store.put("value", key)), "DataError", name)
        assert.strictEqual(thrownBy(() => store.add("value", key)), "DataError", name)
        assert.strictEqual(thrownBy(() => store.get(key)), "DataError", name)
        assert.strictEqual(thrownBy(() => store.delete(key)), "DataError", name)
        assert.strictEqual(thrownBy(() => IDBKeyRange.lowerBound(key)), "DataError", name)
        assert.strictEqual(thrownBy(() => IDBKeyRange.upperBound(key)), "DataError", name)
        // With null everything is meant.
        if (key === null) continue
        assert.strictEqual(thrownBy(() => store.getAll(key)), "DataError", name)
        assert.strictEqual(thrownBy(() => store.count(key)), "DataError", name)
        assert.strictEqual(thrownBy(() => store.openCursor(key)), "DataError", name)
      }
      assert.strictEqual(await answerOf(store.count()), 0)
    }))

  it.effect("idb-binary-key-roundtrip: a view is its bytes, and comes back as a buffer", () =>
    onStore(() => {}, async (database) => {
      const bytes = Uint8Array.of(9, 1, 2, 3, 4, 9)
      const store = storeIn(database, "readwrite")
      for (
        const view of [
          bytes.subarray(1, 5),
          new DataView(bytes.buffer, 1, 4),
          bytes.slice(1, 5).buffer,
          new Int32Array(bytes.slice(1, 5).buffer),
          new Uint8ClampedArray(bytes.buffer, 1, 4)
        ]
      ) {
        const key = await answerOf(store.put("value", view))
        assert.instanceOf(key, ArrayBuffer)
        assert.deepStrictEqual(key, Uint8Array.of(1, 2, 3, 4).buffer)
      }
      assert.strictEqual(await answerOf(store.count()), 1)
    }))

  it.effect("idb-binary-key-detached: a buffer that was given away is no key", () =>
    onStore(() => {}, async (database) => {
      const buffer = new ArrayBuffer(4)
      const view = new Uint8Array(buffer)
      structuredClone(buffer, { transfer: [buffer] })
      const store = storeIn(database, "readwrite")
      assert.strictEqual(thrownBy(() => store.put("value", buffer)), "DataError")
      assert.strictEqual(thrownBy(() => store.put("value", view)), "DataError")
    }))

  it("idbkeyrange_incorrect: a range needs keys, and a lower bound that is not above the upper one", () => {
    assert.strictEqual(thrownBy(() => IDBKeyRange.bound(2, 1)), "DataError")
    assert.strictEqual(thrownBy(() => IDBKeyRange.bound("a", 1)), "DataError")
    assert.strictEqual(thrownBy(() => IDBKeyRange.bound([1], "z")), "DataError")
    assert.strictEqual(thrownBy(() => IDBKeyRange.bound(1, 1, true)), "DataError")
    assert.strictEqual(thrownBy(() => IDBKeyRange.bound(1, 1, false, true)), "DataError")
    assert.strictEqual(thrownBy(() => IDBKeyRange.bound(1, NaN)), "DataError")
    assert.strictEqual(thrownBy(() => IDBKeyRange.bound(undefined, 1)), "DataError")
    assert.strictEqual(thrownBy(() => IDBKeyRange.bound(1, 1)), "nothing")
  })

  it.effect("idbkeyrange: bounds are in the range unless they are open", () =>
    onStore((store) => {
      for (let key = 1; key <= 5; key++) store.put("value", key)
    }, async (database) => {
      const keysIn = (range: IDBKeyRange) => answerOf(storeIn(database).getAllKeys(range))
      assert.deepStrictEqual(await keysIn(IDBKeyRange.bound(2, 4)), [2, 3, 4])
      assert.deepStrictEqual(await keysIn(IDBKeyRange.bound(2, 4, true)), [3, 4])
      assert.deepStrictEqual(await keysIn(IDBKeyRange.bound(2, 4, false, true)), [2, 3])
      assert.deepStrictEqual(await keysIn(IDBKeyRange.bound(2, 3, true, true)), [])
      assert.deepStrictEqual(await keysIn(IDBKeyRange.lowerBound(4)), [4, 5])
      assert.deepStrictEqual(await keysIn(IDBKeyRange.lowerBound(4, true)), [5])
      assert.deepStrictEqual(await keysIn(IDBKeyRange.upperBound(2)), [1, 2])
      assert.deepStrictEqual(await keysIn(IDBKeyRange.upperBound(2, true)), [1])
      assert.deepStrictEqual(await keysIn(IDBKeyRange.bound(3, 3)), [3])
      assert.deepStrictEqual(await keysIn(IDBKeyRange.lowerBound("a")), [])
    }))
})
