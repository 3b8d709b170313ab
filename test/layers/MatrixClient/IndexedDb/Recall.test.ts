import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Recall } from "../../../../src/layers/MatrixClient/IndexedDb/Recall.ts"
import type { Listed } from "../../../../src/layers/MatrixClient/IndexedDb/Records.ts"
import { answerOf, endOf, opened, temporaryDatabases } from "./Databases.ts"

const listed = (bytes: number): ReadonlyArray<Listed> => {
  const key = Uint8Array.of(1)
  return [{ key, primaryKey: key, value: new Uint8Array(bytes) }]
}

describe("what is remembered of a store", () => {
  it("is asked once, until the store is written or what was written is taken back", () => {
    const recall = new Recall()
    let asked = 0
    const ask = (store = 1) =>
      recall.answer(store, "first", () => {
        asked++
        return listed(10)
      })
    ask()
    ask()
    assert.strictEqual(asked, 1)
    recall.forget(2)
    ask()
    assert.strictEqual(asked, 1)
    recall.forget(1)
    ask()
    assert.strictEqual(asked, 2)
    recall.forgetAll()
    ask()
    assert.strictEqual(asked, 3)
  })

  it("is nothing large, and not many answers", () => {
    const recall = new Recall()
    let asked = 0
    const ask = (question: string, bytes: number) =>
      recall.answer(1, question, () => {
        asked++
        return listed(bytes)
      })
    ask("large", 9_000)
    ask("large", 9_000)
    assert.strictEqual(asked, 2)
    ask("first", 10)
    for (let n = 0; n < 500; n++) ask(String(n), 10)
    asked = 0
    ask("first", 10)
    assert.strictEqual(asked, 1)
  })

  it.effect("is not what a reader makes of it", () =>
    Effect.gen(function*() {
      const factory = yield* temporaryDatabases
      yield* Effect.promise(async () => {
        const database = await opened(factory, "db", 1, (database) => database.createObjectStore("a"))
        const writing = database.transaction("a", "readwrite")
        const ended = endOf(writing)
        writing.objectStore("a").put({ bytes: Uint8Array.of(1, 2, 3) }, "k")
        await ended
        const read = async (): Promise<Uint8Array> => {
          const value = await answerOf(database.transaction("a").objectStore("a").get("k"))
          if (typeof value === "object" && value !== null && "bytes" in value && value.bytes instanceof Uint8Array) {
            return value.bytes
          }
          throw new Error("This is not what was kept.")
        }
        for (let n = 0; n < 3; n++) (await read()).fill(99)
        assert.deepStrictEqual([...await read()], [1, 2, 3])
        database.close()
      })
    }).pipe(Effect.scoped))
})
