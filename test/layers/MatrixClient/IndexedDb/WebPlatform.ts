import { Effect } from "effect"
import { IDBCursorWithValue } from "../../../../src/layers/MatrixClient/IndexedDb/Cursor.ts"
import type { IDBDatabase } from "../../../../src/layers/MatrixClient/IndexedDb/Database.ts"
import type { IDBFactory } from "../../../../src/layers/MatrixClient/IndexedDb/Factory.ts"
import type { IDBObjectStore } from "../../../../src/layers/MatrixClient/IndexedDb/ObjectStore.ts"
import type { IDBRequest } from "../../../../src/layers/MatrixClient/IndexedDb/Request.ts"
import { answerOf, opened, temporaryDatabases } from "./Databases.ts"

// The cases of the web platform tests (github.com/web-platform-tests/wpt, IndexedDB) that are about what is there, written anew. Each is
// called by the name of the file there. What is refused has no case: `Surface.test.ts` holds that.

/** Runs `body` on databases of its own. */
export const onDatabases = (body: (factory: IDBFactory) => Promise<void>) =>
  Effect.flatMap(temporaryDatabases, (factory) => Effect.promise(() => body(factory))).pipe(Effect.scoped)

/** Runs `body` on a database with the store `store`, which its first version has filled. */
export const onStore = (fill: (store: IDBObjectStore) => void, body: (database: IDBDatabase) => Promise<void>) =>
  onDatabases(async (factory) =>
    body(await opened(factory, "db", 1, (database) => fill(database.createObjectStore("store"))))
  )

export const storeIn = (database: IDBDatabase, mode: "readonly" | "readwrite" = "readonly") =>
  database.transaction("store", mode).objectStore("store")

export const keysIn = (database: IDBDatabase) => answerOf(storeIn(database).getAllKeys())

/** The name of the error that something ends with. */
export const errorOf = (request: Promise<unknown>): Promise<unknown> =>
  request.then(() => "nothing", (error: unknown) => error instanceof Error && error.name)

/** Goes through all records; resolves at the end. `step` may change them; what it throws rejects. */
export const walk = (request: IDBRequest, step: (cursor: IDBCursorWithValue) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => {
      const cursor = request.result
      if (!(cursor instanceof IDBCursorWithValue)) return resolve()
      try {
        step(cursor)
        cursor.continue()
      } catch (cause) {
        reject(cause)
      }
    }
    request.onerror = () => reject(request.error)
  })

/** What a cursor comes by, as `[key, primaryKey, value]`. */
export const passed = async (request: IDBRequest): Promise<ReadonlyArray<readonly [unknown, unknown, unknown]>> => {
  const found: Array<readonly [unknown, unknown, unknown]> = []
  await walk(request, ({ key, primaryKey, value }) => found.push([key, primaryKey, value]))
  return found
}

/** The tasks that are waiting have run. */
export const aTask = () => new Promise((resolve) => setImmediate(resolve))
