import { Effect } from "effect"
import * as IndexedDb from "../../../../src/layers/MatrixClient/IndexedDb.ts"
import { endOf, opened } from "./Databases.ts"

/**
 * Another process, on the file of its argument: writes one record after another into two stores, and says the number of each
 * once its transaction is complete, until it is killed.
 */
const write = Effect.gen(function*() {
  const factory = yield* IndexedDb.open(process.argv[2] ?? "")
  return yield* Effect.promise(async () => {
    const database = await opened(factory, "db", 1, (database) => {
      database.createObjectStore("left")
      database.createObjectStore("right")
    })
    for (let n = 0;; n++) {
      const transaction = database.transaction(["left", "right"], "readwrite")
      transaction.objectStore("left").put({ n, payload: new Uint8Array(500) }, n)
      transaction.objectStore("right").put({ n }, n)
      await endOf(transaction)
      process.send?.(n)
    }
  })
})

await Effect.runPromise(Effect.scoped(write))
