import { Arbitrary } from "effect"
import { IDBCursorWithValue } from "../../../../src/layers/MatrixClient/IndexedDb/Cursor.ts"
import type { IDBDatabase } from "../../../../src/layers/MatrixClient/IndexedDb/Database.ts"
import type { IDBKeyRange } from "../../../../src/layers/MatrixClient/IndexedDb/KeyRange.ts"
import type { IDBObjectStore } from "../../../../src/layers/MatrixClient/IndexedDb/ObjectStore.ts"
import type { IDBRequest } from "../../../../src/layers/MatrixClient/IndexedDb/Request.ts"
import type { IDBTransaction } from "../../../../src/layers/MatrixClient/IndexedDb/Transaction.ts"
import { oneOf } from "../../../domain/Reconciliation/World.ts"
import { thrownBy } from "./Databases.ts"

export type TypeOf<A> = A extends Arbitrary.Arbitrary<infer T> ? T : never

/** What is asked of a store in one request, and of what. Everything comes out of small sets, so that it collides. */
const keys = [1, 1, 2, 2, 3, -1.5, "a", "a", "b", "", "\0", new Date(5), Uint8Array.of(0, 1), ["a", 1], ["a"], []]
const noKeys = [NaN, [NaN], undefined, null]
export const aKey = oneOf<ReadonlyArray<unknown>>(...keys, ...noKeys)

export const aQuery = Arbitrary.all({
  kind: oneOf("none", "none", "key", "key", "key", "bound", "lowerBound", "upperBound"),
  lower: aKey,
  upper: aKey,
  lowerOpen: oneOf(true, false),
  upperOpen: oneOf(true, false)
})
type Query = TypeOf<typeof aQuery>

const flatPayloads = [
  0,
  "text",
  null,
  undefined,
  12n,
  new Date(7),
  /re/gi,
  Uint8Array.of(1, 2, 3),
  Uint8Array.of(9).buffer
]
const otherPayloads = [{ deep: [{ er: new Map([["k", new Set([1])]]) }] }, () => 1]

/** `name` and `other` are what the indexes look at. */
export const aValue = Arbitrary.all({
  name: aKey,
  other: oneOf(undefined, 1, 2, "x", [1], {}),
  payload: oneOf<ReadonlyArray<unknown>>(...flatPayloads, ...otherPayloads),
  whole: oneOf(true, true, true, true, false)
}).pipe(Arbitrary.map(({ name, other, payload, whole }): unknown => whole ? { name, other, payload } : payload))

export const storeNames = ["plain", "indexed"] as const
export const indexNames = ["byName", "byOther", "byBoth"] as const

const aStep = Arbitrary.all({
  do: oneOf(
    "put",
    "put",
    "put",
    "put",
    "add",
    "add",
    "get",
    "getAll",
    "getAllKeys",
    "count",
    "cursor",
    "delete",
    "clear"
  ),
  store: oneOf("plain", "indexed", "indexed"),
  index: oneOf(undefined, ...indexNames),
  query: aQuery,
  key: aKey,
  value: aValue,
  count: oneOf(undefined, 0, 1, 2),
  atCursor: oneOf("nothing", "nothing", "update", "delete"),
  /** After so many records the cursor is left. */
  upTo: oneOf(1, 2, 100),
  prevented: oneOf(true, true, true, false)
})
export type Step = TypeOf<typeof aStep>

export const aTransaction = Arbitrary.all({
  mode: oneOf("readwrite", "readwrite", "readwrite", "readwrite", "readonly"),
  names: oneOf<ReadonlyArray<ReadonlyArray<string>>>(["plain", "indexed"], ["plain", "indexed"], ["indexed"], []),
  steps: Arbitrary.array(aStep, { maxLength: 12 }),
  /** Everything is asked for at once, and not one after another. */
  atOnce: oneOf(false, false, true),
  end: oneOf("by itself", "by itself", "commit", "abort")
})
export type Transaction = TypeOf<typeof aTransaction>

export type Ranges = Pick<typeof IDBKeyRange, "bound" | "lowerBound" | "upperBound">

const rangeOf = (ranges: Ranges, { kind, lower, lowerOpen, upper, upperOpen }: Query): unknown => {
  switch (kind) {
    case "none":
      return undefined
    case "key":
      return lower
    case "bound":
      return ranges.bound(lower, upper, lowerOpen, upperOpen)
    case "lowerBound":
      return ranges.lowerBound(lower, lowerOpen)
    case "upperBound":
      return ranges.upperBound(upper, upperOpen)
  }
}

/** What a store or an index answered, in a form that can be compared. */
export const plain = (value: unknown): unknown => {
  if (value instanceof ArrayBuffer) return { buffer: [...new Uint8Array(value)] }
  if (value instanceof Uint8Array) return { bytes: [...value] }
  if (value instanceof Date) return { date: value.getTime() }
  if (value instanceof Map) return { map: [...value].map(plain) }
  if (value instanceof Set) return { set: [...value].map(plain) }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== "object" || value === null || value instanceof RegExp) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]))
}

/** Carries out a transaction and answers everything that became visible, in the order in which it did. */
export const carryOut = (
  database: IDBDatabase,
  ranges: Ranges,
  program: Transaction
): Promise<ReadonlyArray<unknown>> =>
  new Promise((resolve) => {
    const log: Array<unknown> = []
    const note = (at: number, ...what: ReadonlyArray<unknown>) => void log.push([at, ...what.map(plain)])
    let transaction: IDBTransaction
    try {
      transaction = database.transaction(program.names, program.mode)
    } catch (cause) {
      return resolve([cause instanceof Error ? cause.name : cause])
    }
    transaction.oncomplete = () => resolve([...log, "complete"])
    transaction.onabort = () => resolve([...log, "abort", transaction.error?.name])

    const step = (at: number): void => {
      const asked = program.steps[at]
      if (asked === undefined) {
        const { end } = program
        if (end !== "by itself") note(at, thrownBy(() => end === "commit" ? transaction.commit() : transaction.abort()))
        return
      }
      const next = () => {
        if (!program.atOnce) step(at + 1)
      }
      const mistake = mistakeIn(() => {
        const store = transaction.objectStore(asked.store)
        if (asked.do === "cursor") walk(store, asked, ranges, (...what) => note(at, ...what), next)
        else hear(request(store, asked, ranges), asked.prevented, (...what) => note(at, ...what), next)
      })
      note(at, mistake)
      if (mistake !== "nothing") next()
      if (program.atOnce) step(at + 1)
    }
    step(0)
  })

/** When neither key nor value can be kept, the reference looks at the value first, and the specification at the key. */
export const mistakeIn = (body: () => unknown): string => thrownBy(body).replace("DataCloneError", "DataError")

const sourceOf = (store: IDBObjectStore, { index }: Step) => index === undefined ? store : store.index(index)

const request = (store: IDBObjectStore, asked: Step, ranges: Ranges): IDBRequest => {
  switch (asked.do) {
    case "put":
      return store.put(asked.value, asked.key)
    case "add":
      return store.add(asked.value, asked.key)
    case "delete":
      return store.delete(rangeOf(ranges, asked.query))
    case "clear":
      return store.clear()
    case "get":
      return sourceOf(store, asked).get(rangeOf(ranges, asked.query))
    case "getAll":
      return sourceOf(store, asked).getAll(rangeOf(ranges, asked.query), asked.count)
    case "getAllKeys":
      return sourceOf(store, asked).getAllKeys(rangeOf(ranges, asked.query), asked.count)
    default:
      return sourceOf(store, asked).count(rangeOf(ranges, asked.query))
  }
}

type Note = (...what: ReadonlyArray<unknown>) => void

const hear = (request: IDBRequest, prevented: boolean, note: Note, next: () => void): void => {
  request.onsuccess = () => {
    note("answers", request.result)
    next()
  }
  request.onerror = (event) => {
    note("fails", request.error?.name)
    if (!prevented) return
    event.preventDefault()
    next()
  }
}

/** Goes along with a cursor. The reference updates nothing to `undefined`. The cursor of the reference is of another class: both have what is used here. */
const walk = (store: IDBObjectStore, asked: Step, ranges: Ranges, note: Note, next: () => void): void => {
  const request = sourceOf(store, asked).openCursor(rangeOf(ranges, asked.query))
  let seen = 0
  request.onerror = (event) => {
    note("cursor fails", request.error?.name)
    event.preventDefault()
  }
  request.onsuccess = () => {
    const cursor = request.result
    if (!isCursor(cursor)) return next()
    note("stands", cursor.key, cursor.primaryKey, cursor.value)
    const onwards = () => {
      if (++seen < asked.upTo) note("continue", thrownBy(() => cursor.continue()))
      else next()
    }
    if (asked.atCursor === "nothing") return onwards()
    const mistake = mistakeIn(() =>
      hear(asked.atCursor === "update" ? cursor.update(asked.value ?? null) : cursor.delete(), true, note, onwards)
    )
    if (mistake === "nothing") return
    note(mistake)
    onwards()
  }
}

const isCursor = (value: unknown): value is IDBCursorWithValue =>
  value instanceof IDBCursorWithValue || (typeof value === "object" && value !== null && "primaryKey" in value)
