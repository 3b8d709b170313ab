import { Effect } from "effect"
import { join } from "node:path"
import * as IndexedDb from "../../../../src/layers/MatrixClient/IndexedDb.ts"
import { IDBDatabase } from "../../../../src/layers/MatrixClient/IndexedDb/Database.ts"
import type { IDBFactory } from "../../../../src/layers/MatrixClient/IndexedDb/Factory.ts"
import type { IDBRequest } from "../../../../src/layers/MatrixClient/IndexedDb/Request.ts"
import type { IDBTransaction } from "../../../../src/layers/MatrixClient/IndexedDb/Transaction.ts"
import { temporaryDirectory } from "../../Store/Samples.ts"

/** Databases in a file of their own that is gone when the scope ends. */
export const temporaryDatabases = Effect.flatMap(
  temporaryDirectory,
  (directory) => IndexedDb.open(join(directory, "crypto.db"))
)

/** The result of a request; rejects with its error, and the transaction goes on. */
export const answerOf = (request: IDBRequest): Promise<unknown> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = (event) => {
      event.preventDefault()
      reject(request.error ?? new Error("The request failed without an error."))
    }
  })

/** How a transaction ends: `complete`, or `abort` and why. */
export const endOf = (transaction: IDBTransaction): Promise<string> =>
  new Promise((resolve) => {
    transaction.oncomplete = () => resolve("complete")
    transaction.onabort = () => resolve(`abort ${transaction.error?.name ?? "asked for"}`)
  })

type Upgrade = (database: IDBDatabase, transaction: IDBTransaction) => void

/** Opens a database; rejects with the error. */
export const opened = (factory: IDBFactory, name: string, version?: number, upgrade?: Upgrade): Promise<IDBDatabase> =>
  new Promise((resolve, reject) => {
    const request = factory.open(name, version)
    const database = () => {
      if (!(request.result instanceof IDBDatabase)) throw new Error("This is no database.")
      return request.result
    }
    request.onupgradeneeded = () => {
      if (request.transaction !== null) upgrade?.(database(), request.transaction)
    }
    request.onsuccess = () => resolve(database())
    request.onerror = () => reject(request.error ?? new Error("The request failed without an error."))
  })

/** The name of what `body` throws. */
export const thrownBy = (body: () => unknown): string => {
  try {
    body()
    return "nothing"
  } catch (cause) {
    return cause instanceof Error ? cause.name : String(cause)
  }
}
