import { Effect } from "effect"
import { openDataDir } from "../../../src/layers/Store/Live.ts"
import { batch, message } from "./Samples.ts"

/**
 * A second process on the data directory of its first argument: keeps a message, says "open" and holds the directory until
 * it is killed; or says why it could not.
 */
const holdOpen = Effect.gen(function*() {
  const store = yield* openDataDir(process.argv[2] ?? "")
  yield* store.inbox.ingest(batch([message("$from-the-second-process")]))
  process.send?.("open")
  return yield* Effect.never
})

// Keeps the channel, and so this process, open until the first process ends.
process.on("message", () => {})
await Effect.runPromise(
  Effect.scoped(holdOpen).pipe(
    Effect.catch((error) => Effect.sync(() => process.send?.(error.message)))
  )
)
process.disconnect()
