import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import type { StoreUnavailable } from "../../../src/domain/Errors.ts"
import { openDatabase } from "../../../src/layers/Store/Database.ts"

/** A database with one table. */
const aTable = Effect.gen(function*() {
  const db = yield* openDatabase(":memory:")
  yield* db.run(db.sql`CREATE TABLE notes (note TEXT UNIQUE, number INTEGER)`)
  return {
    db,
    write: (note: string, otherwise?: Error) =>
      db.atomic("write", (statements) => {
        statements.run("INSERT INTO notes VALUES (?, 1)", note)
        if (otherwise !== undefined) throw otherwise
        return note
      }),
    notes: db.once("read", (statements) => statements.all("SELECT note FROM notes ORDER BY note").length)
  }
})

/** Which of them were kept. */
const atOnce = (writes: ReadonlyArray<Effect.Effect<string, StoreUnavailable>>) =>
  Effect.forEach(writes, (write) => Effect.map(Effect.exit(write), Exit.isSuccess), { concurrency: "unbounded" })

describe("transactions that are asked for together", () => {
  it.effect("share one commit", () =>
    Effect.gen(function*() {
      const { db, notes, write } = yield* aTable
      // Nothing but a rollback of all of them shows that they were one: this part ends the transaction itself.
      const spoil = db.atomic("spoil", (statements) => String(statements.run("ROLLBACK")))
      const exits = yield* atOnce([write("a"), spoil, write("b")])
      assert.deepStrictEqual(exits, [false, false, false])
      assert.strictEqual(yield* notes, 0)
      assert.strictEqual(yield* write("c"), "c")
      assert.strictEqual(yield* notes, 1)
    }))

  it.effect("are undone alone when they fail", () =>
    Effect.gen(function*() {
      const { notes, write } = yield* aTable
      const exits = yield* atOnce([write("a"), write("b", new Error("no")), write("c")])
      assert.deepStrictEqual(exits, [true, false, true])
      assert.strictEqual(yield* notes, 2)
    }))

  it.effect("are not begun for whoever was interrupted before", () =>
    Effect.gen(function*() {
      const { notes, write } = yield* aTable
      const gone = yield* Effect.forkChild(write("a"), { startImmediately: true })
      yield* Fiber.interrupt(gone)
      yield* write("b")
      assert.strictEqual(yield* notes, 1)
    }))
})
