import { IDBCursor, IDBCursorWithValue } from "./Cursor.ts"
import { IDBDatabase } from "./Database.ts"
import { IDBVersionChangeEvent } from "./Event.ts"
import type { IDBFactory } from "./Factory.ts"
import { IDBKeyRange } from "./KeyRange.ts"
import { IDBIndex, IDBObjectStore } from "./ObjectStore.ts"
import { IDBOpenDBRequest, IDBRequest } from "./Request.ts"
import { IDBTransaction } from "./Transaction.ts"

/** The WebAssembly module looks these up by name at every use: `instanceof`, and the ranges of keys. */
const classes: Readonly<Record<string, object>> = {
  IDBCursor,
  IDBCursorWithValue,
  IDBDatabase,
  IDBIndex,
  IDBKeyRange,
  IDBObjectStore,
  IDBOpenDBRequest,
  IDBRequest,
  IDBTransaction,
  IDBVersionChangeEvent
}

/** Who has been installed where, and what stood there before the first. */
interface Installation {
  readonly factories: Array<IDBFactory>
  readonly before: ReadonlyMap<string, PropertyDescriptor | undefined>
}

const installations = new WeakMap<object, Installation>()

/**
 * Makes `factory` the `indexedDB` of `target`, which is `globalThis` but in tests, and answers how to undo it. Several may be
 * installed, and go in any order: the latest is `indexedDB`, and the classes stay until the last is gone.
 */
export const install = (target: object, factory: IDBFactory): () => void => {
  const installation = installations.get(target) ?? begin(target)
  installation.factories.push(factory)
  return () => {
    const at = installation.factories.lastIndexOf(factory)
    if (at >= 0) installation.factories.splice(at, 1)
    if (installation.factories.length === 0) end(target, installation)
  }
}

const begin = (target: object): Installation => {
  const factories: Array<IDBFactory> = []
  const before = new Map(
    ["indexedDB", ...Object.keys(classes)].map((name) => [name, Object.getOwnPropertyDescriptor(target, name)])
  )
  Object.defineProperty(target, "indexedDB", { configurable: true, enumerable: false, get: () => factories.at(-1) })
  for (const [name, value] of Object.entries(classes)) {
    Object.defineProperty(target, name, { configurable: true, enumerable: false, writable: true, value })
  }
  const installation = { factories, before }
  installations.set(target, installation)
  return installation
}

const end = (target: object, { before }: Installation): void => {
  if (!installations.delete(target)) return
  for (const [name, descriptor] of before) {
    if (descriptor === undefined) Reflect.deleteProperty(target, name)
    else Object.defineProperty(target, name, descriptor)
  }
}
