import { IDBCursor } from "./Cursor.ts"
import { IDBDatabase } from "./Database.ts"
import { IDBEvent, Target } from "./Event.ts"
import { IDBFactory } from "./Factory.ts"
import { IDBKeyRange } from "./KeyRange.ts"
import { IDBIndex, IDBObjectStore } from "./ObjectStore.ts"
import { problem } from "./Problem.ts"
import { IDBTransaction } from "./Transaction.ts"

/**
 * What IndexedDB has and matrix-sdk-crypto-wasm does not use. It is refused by name, so that a later version of the SDK which
 * does use it fails at once and says so, instead of reading `undefined`.
 */
const refused: ReadonlyArray<readonly [owner: object, called: string, members: ReadonlyArray<string>]> = [
  [Target.prototype, "EventTarget", [
    "addEventListener",
    "removeEventListener",
    "dispatchEvent",
    "onblocked",
    "onclose"
  ]],
  [IDBEvent.prototype, "Event", ["stopPropagation", "stopImmediatePropagation"]],
  [IDBFactory.prototype, "IDBFactory", ["deleteDatabase", "databases", "cmp"]],
  [IDBDatabase.prototype, "IDBDatabase", ["onversionchange"]],
  [IDBTransaction.prototype, "IDBTransaction", ["durability"]],
  [IDBObjectStore.prototype, "IDBObjectStore", [
    "autoIncrement",
    "deleteIndex",
    "getAllRecords",
    "getKey",
    "indexNames",
    "keyPath",
    "openKeyCursor"
  ]],
  [IDBIndex.prototype, "IDBIndex", ["getAllRecords", "getKey", "keyPath", "multiEntry", "openKeyCursor", "unique"]],
  [IDBCursor.prototype, "IDBCursor", ["advance", "continuePrimaryKey"]],
  [IDBKeyRange, "IDBKeyRange", ["only"]],
  [IDBKeyRange.prototype, "IDBKeyRange", ["includes", "lower", "lowerOpen", "upper", "upperOpen"]]
]

/** Makes every mention of a member that is not there throw `NotSupportedError`. */
export const refuseTheRest = (): void => {
  for (const [owner, called, members] of refused) {
    for (const member of members) {
      const refuse = (): never => {
        throw problem("NotSupportedError", `The store of the keys has no ${called}.${member}.`)
      }
      Object.defineProperty(owner, member, { configurable: true, get: refuse, set: refuse })
    }
  }
}
