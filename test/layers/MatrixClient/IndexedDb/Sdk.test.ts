import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { once } from "node:events"
import { join } from "node:path"
import { temporaryDirectory } from "../../Store/Samples.ts"
import { processTimeout, started } from "./Processes.ts"

const Told = Schema.Struct({ keys: Schema.Array(Schema.String), uploads: Schema.Int, message: Schema.String })

/** What one life of the device tells. */
const life = Effect.fnUntraced(function*(...args: ReadonlyArray<string>) {
  const child = yield* started(new URL("DeviceProcess.ts", import.meta.url), ...args)
  const [message] = yield* Effect.promise(() => once(child, "message"))
  return yield* Schema.decodeUnknownEffect(Told)(message)
})

describe("the crypto of the SDK", () => {
  it.live(
    "is the same device in the next process, has nothing more to upload and reads what it encrypted",
    () =>
      Effect.gen(function*() {
        const path = join(yield* temporaryDirectory, "crypto.db")
        const first = yield* life(path)
        assert.lengthOf(first.keys, 2)
        assert.strictEqual(first.uploads, 1)
        const second = yield* life(path, first.message)
        assert.deepStrictEqual(second, { keys: first.keys, uploads: 0, message: "kept" })
      }).pipe(Effect.scoped),
    processTimeout
  )

  it.live("is another device with another file", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const [one, other] = [yield* life(join(directory, "one.db")), yield* life(join(directory, "other.db"))]
      assert.notDeepEqual(one.keys, other.keys)
    }).pipe(Effect.scoped), processTimeout)
})
