import { Effect } from "effect"
import * as IndexedDb from "../../../../src/layers/MatrixClient/IndexedDb.ts"
import { endOf, opened } from "./Databases.ts"

/** Another process, on the file of its argument, whose commits fail: puts a record, and says so if it is told that it is kept. */
const put = Effect.gen(function*() {
  const factory = yield* IndexedDb.open(process.argv[2] ?? "")
  yield* Effect.promise(async () => {
    const database = await opened(factory, "db")
    const transaction = database.transaction("store", "readwrite")
    transaction.objectStore("store").put(1, 1)
    process.send?.(await endOf(transaction))
  })
})

await Effect.runPromise(Effect.scoped(put))
