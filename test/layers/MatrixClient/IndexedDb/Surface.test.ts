import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { readFileSync } from "node:fs"
import * as IndexedDb from "../../../../src/layers/MatrixClient/IndexedDb.ts"
import { IDBCursorWithValue } from "../../../../src/layers/MatrixClient/IndexedDb/Cursor.ts"
import { IDBKeyRange } from "../../../../src/layers/MatrixClient/IndexedDb/KeyRange.ts"
import type { IDBTransaction } from "../../../../src/layers/MatrixClient/IndexedDb/Transaction.ts"
import { answerOf, opened, temporaryDatabases, thrownBy } from "./Databases.ts"

const folder = new URL("../../../../node_modules/@matrix-org/matrix-sdk-crypto-wasm/", import.meta.url)
const read = (url: URL) => readFileSync(url, "utf8")

/** The words of a text. */
const words = (text: string): ReadonlyArray<string> => text.trim().split(/\s+/)

/** What the interfaces of IndexedDB have (w3.org/TR/IndexedDB, IDL), with what they have from events. */
const specification: Readonly<Record<string, ReadonlyArray<string>>> = {
  IDBFactory: words("open deleteDatabase databases cmp"),
  IDBRequest: words("result error source transaction readyState onsuccess onerror"),
  IDBOpenDBRequest: words("result error transaction readyState onblocked onupgradeneeded"),
  IDBVersionChangeEvent: words("type target currentTarget oldVersion newVersion preventDefault stopPropagation"),
  IDBDatabase: words(`
    name version objectStoreNames transaction close createObjectStore deleteObjectStore
    onabort onclose onerror onversionchange addEventListener
  `),
  DOMStringList: words("length item contains"),
  IDBTransaction: words(`
    objectStoreNames mode durability db error objectStore commit abort onabort oncomplete onerror
  `),
  IDBObjectStore: words(`
    name keyPath indexNames transaction autoIncrement put add delete clear get getKey getAll getAllKeys getAllRecords
    count openCursor openKeyCursor index createIndex deleteIndex
  `),
  IDBIndex: words(`
    name objectStore keyPath multiEntry unique get getKey getAll getAllKeys getAllRecords count openCursor openKeyCursor
  `),
  IDBCursorWithValue: words(`
    source direction key primaryKey request advance continue continuePrimaryKey update delete value
  `),
  IDBKeyRange: words("lower upper lowerOpen upperOpen includes"),
  "IDBKeyRange itself": words("only lowerBound upperBound bound")
}

/** One object of each interface. */
const objects = Effect.gen(function*() {
  const factory = yield* temporaryDatabases
  return yield* Effect.promise(async () => {
    const request = factory.open("db", 1)
    const event = new Promise<object>((resolve) => {
      request.onupgradeneeded = (event) => {
        request.transaction?.db.createObjectStore("store").createIndex("index", "name")
        resolve(event)
      }
    })
    await answerOf(request)
    const database = await opened(factory, "db")
    const transaction: IDBTransaction = database.transaction("store", "readwrite")
    const store = transaction.objectStore("store")
    store.put({ name: 1 }, 1)
    const cursorRequest = store.openCursor()
    const cursor = await answerOf(cursorRequest)
    if (!(cursor instanceof IDBCursorWithValue)) throw new Error("This is no cursor.")
    const found: Readonly<Record<string, object>> = {
      IDBFactory: factory,
      IDBRequest: cursorRequest,
      IDBOpenDBRequest: request,
      IDBVersionChangeEvent: await event,
      IDBDatabase: database,
      DOMStringList: database.objectStoreNames,
      IDBTransaction: transaction,
      IDBObjectStore: store,
      IDBIndex: store.index("index"),
      IDBCursorWithValue: cursor,
      IDBKeyRange: IDBKeyRange.lowerBound(1),
      "IDBKeyRange itself": IDBKeyRange
    }
    return found
  })
})

/** What is to be seen of a member: whether it is there, missing, or refused by its name. */
const stateOf = (object: object, member: string): "there" | "refused" | "missing" => {
  const thrown = thrownBy(() => Reflect.get(object, member))
  if (thrown === "NotSupportedError") return "refused"
  return member in object ? "there" : "missing"
}

/** An argument, member or assignment of an object: `arg0.put(arg1, arg2)`, `arg0.result`, `arg0.onerror = arg1`. */
const mention = /\barg\d\.(\w+)(?:(\((?:[^()]|\([^()]*\))*\))|( =))?/g

/** Everything that the glue between WebAssembly and JavaScript does to objects of IndexedDB, calls with their arguments' number. */
const usesIn = (glue: string): ReadonlyArray<string> => {
  const members = new Set(["indexedDB", ...Object.values(specification).flat()])
  const functions = [...glue.matchAll(/^export function __wbg_\w+\([^)]*\) \{[\s\S]*?^\}/gm)].map(([text]) => text)
  const uses = functions.flatMap((text) => [
    ...[...text.matchAll(mention)]
      .filter(([, name = ""]) => members.has(name))
      .map(([, name, call, assigned = ""]) => `${name}${call === undefined ? assigned : `(${countOf(call)})`}`),
    ...[...text.matchAll(/IDBKeyRange\.\w+|instanceof IDB\w+/g)].map(([use]) => use)
  ])
  return [...new Set(uses)].sort()
}

/** A string is handed over as two numbers, and is one argument. */
const countOf = (call: string): number => {
  const values = call.slice(1, -1).replaceAll(/getStringFromWasm0\([^)]*\)/g, "string")
  return values === "" ? 0 : values.split(",").length
}

/** As of the version below. Some, such as `add(1)` and `error(1)`, are of sets, maps and loggers and have a name in common. */
const uses = `
  IDBKeyRange.bound, IDBKeyRange.lowerBound, IDBKeyRange.upperBound, abort(0), add(1), add(2), clear(0), close(0), commit(0),
  continue(0), count(0), createIndex(2), createIndex(3), createObjectStore(1), delete(0), delete(1), deleteObjectStore(1),
  error, error(1), get(1), getAll(0), getAll(1), getAll(2), getAllKeys(0), getAllKeys(1), index(1), indexedDB,
  instanceof IDBCursor, instanceof IDBCursorWithValue, instanceof IDBDatabase, instanceof IDBOpenDBRequest,
  instanceof IDBRequest, item(1), key, length, name, objectStore(1), objectStoreNames, oldVersion, onabort =, oncomplete =,
  onerror =, onsuccess =, onupgradeneeded =, open(1), open(2), openCursor(0), openCursor(1), put(2), readyState, request,
  result, target, transaction, transaction(2), unique =, update(1), value, version
`.trim().split(/,\s+/)

/** What is never taken for used by its name alone: `unique` is an option of an index here, and a member nowhere. */
const notAMember = "unique ="

describe("what the SDK uses of IndexedDB", () => {
  it("is that of the version that is pinned", () => {
    const { dependencies } = JSON.parse(read(new URL("../../../../package.json", import.meta.url)))
    const { version } = JSON.parse(read(new URL("package.json", folder)))
    assert.strictEqual(version, "18.9.0")
    assert.strictEqual(dependencies["@matrix-org/matrix-sdk-crypto-wasm"], version)
  })

  it("is known, call by call", () => {
    assert.deepStrictEqual(usesIn(read(new URL("pkg/matrix_sdk_crypto_wasm_bg.js", folder))), uses)
  })

  it.effect("is there; everything else is refused by its name", () =>
    Effect.gen(function*() {
      const used = new Set(
        uses.filter((use) => use !== notAMember).map((use) => use.replace(/^IDBKeyRange\.|\W.*$/g, ""))
      )
      const found = yield* objects
      for (const [name, members] of Object.entries(specification)) {
        const object = found[name] ?? {}
        for (const member of members) {
          const state = stateOf(object, member)
          if (used.has(member)) assert.strictEqual(state, "there", `${name}.${member}`)
          else assert.notStrictEqual(state, "missing", `${name}.${member}`)
        }
        assert.strictEqual(stateOf(object, "somethingElse"), "missing")
      }
    }).pipe(Effect.scoped))

  it.effect("is refused also when it is an option", () =>
    Effect.gen(function*() {
      const factory = yield* temporaryDatabases
      yield* Effect.promise(() =>
        opened(factory, "db", 1, (database) => {
          assert.strictEqual(thrownBy(() => database.createObjectStore("a", { keyPath: "id" })), "NotSupportedError")
          assert.strictEqual(
            thrownBy(() => database.createObjectStore("a", { autoIncrement: true })),
            "NotSupportedError"
          )
          const store = database.createObjectStore("a", { keyPath: null, autoIncrement: false })
          assert.strictEqual(thrownBy(() => store.createIndex("i", "name", { multiEntry: true })), "NotSupportedError")
        })
      )
    }).pipe(Effect.scoped))
})

describe("the globals", () => {
  const names = [
    "indexedDB",
    "IDBCursor",
    "IDBCursorWithValue",
    "IDBDatabase",
    "IDBKeyRange",
    "IDBOpenDBRequest",
    "IDBRequest"
  ]
  const present = () => names.filter((name) => name in globalThis)
  const installed = () => Reflect.get(globalThis, "indexedDB")

  it.effect("are there as long as somebody needs them, in whatever order they go", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(present(), [])
      const [one, other] = [yield* temporaryDatabases, yield* temporaryDatabases]
      const [first, second] = [yield* Scope.make(), yield* Scope.make()]
      yield* IndexedDb.install(one).pipe(Scope.provide(first))
      assert.strictEqual(installed(), one)
      assert.deepStrictEqual(present(), names)
      yield* IndexedDb.install(other).pipe(Scope.provide(second))
      assert.strictEqual(installed(), other)
      yield* Scope.close(first, Exit.void)
      assert.strictEqual(installed(), other)
      assert.deepStrictEqual(present(), names)
      yield* Scope.close(second, Exit.void)
      assert.deepStrictEqual(present(), [])
    }).pipe(Effect.scoped))
})
