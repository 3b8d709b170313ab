import { assert, describe, it } from "@effect/vitest"
import { answerOf, endOf, opened, thrownBy } from "./Databases.ts"
import { onDatabases, onStore, passed, storeIn } from "./WebPlatform.ts"

describe("web platform: key paths", () => {
  it.effect("keypath-exceptions: what is no path is refused with SyntaxError", () =>
    onStore((store) => {
      for (const path of ["a b", "1a", "a.", ".a", "a..b", "a-b", ["a", "b c"], [], [["a"]]]) {
        assert.strictEqual(thrownBy(() => store.createIndex("index", path)), "SyntaxError", String(path))
      }
    }, async () => {}))

  it.effect("keypath: an index finds its key by a name, by several, by the value itself, or by a list of them", () =>
    onStore((store) => {
      store.createIndex("name", "a")
      store.createIndex("nested", "b.c.d")
      store.createIndex("list", ["a", "b.c.d"])
      store.put({ a: 1, b: { c: { d: "x" } } }, "first")
      store.put({ a: 2 }, "second")
      store.put({ b: { c: { d: "y" } } }, "third")
    }, async (database) => {
      const entries = async (index: string) => {
        const found = await passed(storeIn(database).index(index).openCursor())
        return found.map(([key, primaryKey]) => [key, primaryKey])
      }
      assert.deepStrictEqual(await entries("name"), [[1, "first"], [2, "second"]])
      assert.deepStrictEqual(await entries("nested"), [["x", "first"], ["y", "third"]])
      // One that is wanting leaves the record out.
      assert.deepStrictEqual(await entries("list"), [[[1, "x"], "first"]])
    }))

  it.effect("keypath: the empty path is the value", () =>
    onStore((store) => {
      store.createIndex("index", "")
      store.put("b", 1)
      store.put("a", 2)
      store.put({}, 3)
    }, async (database) => {
      assert.deepStrictEqual(await answerOf(storeIn(database).index("index").getAllKeys()), [2, 1])
    }))

  it.effect("keypath-special-identifiers, idbobjectstore_createIndex10-emptyname: any name is a name", () =>
    onStore((store) => {
      store.createIndex("", "$")
      store.createIndex("_", "_")
      store.createIndex("ä", "ä.ö")
      store.put({ $: 1, _: 2, ä: { ö: 3 } }, "key")
    }, async (database) => {
      const store = storeIn(database)
      assert.strictEqual(store.index("").name, "")
      assert.strictEqual(await answerOf(store.index("").count(1)), 1)
      assert.strictEqual(await answerOf(store.index("_").count(2)), 1)
      assert.strictEqual(await answerOf(store.index("ä").count(3)), 1)
    }))

  it.effect("keypath_invalidkey, idbindex_get4: a record whose key is none there is not in the index", () =>
    onStore((store) => {
      store.createIndex("index", "a")
      for (const [at, a] of [1, null, undefined, true, {}, NaN, new Date(NaN), [{}], "b"].entries()) {
        store.put({ a }, at)
      }
      store.put("no object", "string")
      store.put(null, "null")
    }, async (database) => {
      const store = storeIn(database)
      assert.strictEqual(await answerOf(store.count()), 11)
      assert.deepStrictEqual(await answerOf(store.index("index").getAllKeys()), [0, 8])
    }))

  it.effect("keypath-own-properties: what a value has of its prototype is no key", () =>
    onStore((store) => {
      store.createIndex("index", "inherited")
      store.createIndex("method", "toString")
      store.put(Object.create({ inherited: 1 }), 1)
      store.put({ inherited: 2 }, 2)
    }, async (database) => {
      const store = storeIn(database)
      assert.deepStrictEqual(await answerOf(store.index("index").getAllKeys()), [2])
      assert.strictEqual(await answerOf(store.index("method").count()), 0)
    }))
})

describe("web platform: values", () => {
  it.effect("structured-clone: what can be cloned comes back, the same within itself", () =>
    onStore(() => {}, async (database) => {
      const shared = { n: 1 }
      const circle: Record<string, unknown> = { shared, again: shared }
      circle["self"] = circle
      const values: ReadonlyArray<unknown> = [
        undefined,
        null,
        true,
        -0,
        NaN,
        2n ** 70n,
        "\ud800",
        new Date(1.5e12),
        /a+/gi,
        new Map([["a", new Set([1, 2])]]),
        Uint8Array.of(1, 2, 3),
        new Float64Array([0.5, -0]),
        new ArrayBuffer(3),
        [1, undefined, 3],
        new Error("broken")
      ]
      const store = storeIn(database, "readwrite")
      for (const [at, value] of values.entries()) store.put(value, at)
      store.put(circle, "circle")
      for (const [at, value] of values.entries()) assert.deepStrictEqual(await answerOf(store.get(at)), value)
      const again = await answerOf(store.get("circle"))
      assert.deepStrictEqual(again, circle)
      assert.strictEqual(Reflect.get(Object(again), "shared"), Reflect.get(Object(again), "again"))
    }))

  it.effect("idbobjectstore_put-dataclone, nested-cloning: what cannot be cloned is refused at once, however deep", () =>
    onStore(() => {}, async (database) => {
      const store = storeIn(database, "readwrite")
      for (const value of [() => 1, Symbol("x"), { deep: [{ f: () => 1 }] }, new WeakMap(), Promise.resolve(1)]) {
        assert.strictEqual(thrownBy(() => store.put(value, 1)), "DataCloneError")
      }
      assert.strictEqual(await endOf(store.transaction), "complete")
    }))

  it.effect("value_recursive, clone-before-keypath-eval: what is done to a value later is not kept", () =>
    onStore((store) => store.createIndex("index", "a"), async (database) => {
      const value = { a: 1 }
      const store = storeIn(database, "readwrite")
      store.put(value, "key")
      value.a = 2
      assert.deepStrictEqual(await answerOf(store.get("key")), { a: 1 })
      assert.strictEqual(await answerOf(store.index("index").count(1)), 1)
      assert.strictEqual(await answerOf(store.index("index").count(2)), 0)
    }))

  it.effect("large-nested-cloning: a value of megabytes comes back", () =>
    onDatabases(async (factory) => {
      const database = await opened(factory, "db", 1, (database) => database.createObjectStore("store"))
      const bytes = new Uint8Array(4_000_000).map((_, at) => at % 251)
      const transaction = database.transaction("store", "readwrite")
      transaction.objectStore("store").put({ list: [{ bytes }] }, 1)
      assert.strictEqual(await endOf(transaction), "complete")
      const again = await answerOf(storeIn(database).get(1))
      assert.isTrue(Buffer.from(bytes).equals(Object(again).list[0].bytes))
    }))
})
