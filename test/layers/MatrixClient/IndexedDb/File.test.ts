import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { once } from "node:events"
import { chmodSync, closeSync, openSync, readFileSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { text } from "node:stream/consumers"
import type { StoreUnavailable } from "../../../../src/domain/Errors.ts"
import * as IndexedDb from "../../../../src/layers/MatrixClient/IndexedDb.ts"
import type { IDBFactory } from "../../../../src/layers/MatrixClient/IndexedDb/Factory.ts"
import { SqliteFile } from "../../../../src/layers/MatrixClient/IndexedDb/SqliteFile.ts"
import { temporaryDirectory } from "../../Store/Samples.ts"
import { answerOf, endOf, opened } from "./Databases.ts"
import { kill, processTimeout, started } from "./Processes.ts"

const temporaryFile = Effect.map(temporaryDirectory, (directory) => join(directory, "crypto.db"))

const modeOf = (path: string) => statSync(path).mode & 0o777

/** Opens a database with the store `store`. */
const openStore = (factory: IDBFactory) =>
  Effect.promise(() =>
    opened(factory, "db", 1, (database) => database.createObjectStore("store").createIndex("flag", "flag"))
  )

/** Makes every commit of a record fail: what it adds refers to nobody, and SQLite looks at that when it commits. */
const spoilCommits = (path: string) =>
  Effect.acquireUseRelease(
    Effect.sync(() => new DatabaseSync(path)),
    (file) =>
      Effect.sync(() =>
        file.exec(`
          CREATE TABLE nobody (id INTEGER PRIMARY KEY);
          CREATE TABLE spoiled (id INTEGER REFERENCES nobody DEFERRABLE INITIALLY DEFERRED);
          CREATE TRIGGER spoil AFTER INSERT ON records BEGIN INSERT INTO spoiled VALUES (1); END;
        `)
      ),
    (file) => Effect.sync(() => file.close())
  )

describe("the file", () => {
  it.effect("is for its owner only, with what SQLite puts beside it", () =>
    Effect.gen(function*() {
      const path = yield* temporaryFile
      yield* openStore(yield* IndexedDb.open(path))
      assert.deepStrictEqual([path, `${path}-wal`, `${path}-shm`].map(modeOf), [0o600, 0o600, 0o600])
    }))

  it.effect("becomes so when it was not", () =>
    Effect.gen(function*() {
      const path = yield* temporaryFile
      yield* Effect.scoped(IndexedDb.open(path))
      chmodSync(path, 0o644)
      yield* openStore(yield* IndexedDb.open(path))
      assert.deepStrictEqual([path, `${path}-wal`, `${path}-shm`].map(modeOf), [0o600, 0o600, 0o600])
    }))

  it.effect("is written through to the disk at every commit, by way of a log", () =>
    Effect.gen(function*() {
      const file = new SqliteFile(yield* temporaryFile)
      assert.strictEqual(file.one("PRAGMA synchronous")?.["synchronous"], 2)
      assert.strictEqual(file.one("PRAGMA journal_mode")?.["journal_mode"], "wal")
      file.close()
    }))

  it.effect("of a newer Homing is left alone", () =>
    Effect.gen(function*() {
      const path = yield* temporaryFile
      yield* Effect.scoped(IndexedDb.open(path))
      const file = new DatabaseSync(path)
      file.exec("PRAGMA user_version = 2")
      file.close()
      const before = readFileSync(path)
      const error = yield* Effect.flip(IndexedDb.open(path))
      assert.strictEqual(error.problem, "newer_schema")
      assert.isTrue(before.equals(readFileSync(path)))
    }))

  it.effect("that is damaged or cannot be opened is told with what to do", () =>
    Effect.gen(function*() {
      const path = yield* temporaryFile
      writeFileSync(path, "no database ".repeat(100))
      const damaged = yield* Effect.flip(IndexedDb.open(path))
      assert.strictEqual(damaged.problem, "corrupt")
      assert.include(damaged.message, "the keys of encrypted rooms")
      assert.include(damaged.message, path)
      const missing = yield* Effect.flip(IndexedDb.open(join(path, "crypto.db")))
      assert.strictEqual(missing.problem, "not_writable")
    }))

  it.effect("that was cut short is not taken for an empty one", () =>
    Effect.gen(function*() {
      const path = yield* temporaryFile
      yield* Effect.scoped(Effect.flatMap(IndexedDb.open(path), openStore))
      for (const size of [600, 100, 10]) {
        truncateSync(path, size)
        assert.strictEqual((yield* Effect.flip(IndexedDb.open(path))).problem, "corrupt")
        assert.strictEqual(statSync(path).size, size)
      }
    }))

  it.effect("is closed when its scope ends, once what was asked for is done", () =>
    Effect.gen(function*() {
      const path = yield* temporaryFile
      const ends = yield* Effect.scoped(Effect.gen(function*() {
        const factory = yield* IndexedDb.open(path)
        const database = yield* openStore(factory)
        const transactions = [1, 2, 3].map((key) => {
          const transaction = database.transaction("store", "readwrite")
          transaction.objectStore("store").put({}, key)
          return endOf(transaction)
        })
        return { factory, database, transactions }
      }))
      assert.deepStrictEqual(yield* Effect.promise(() => Promise.all(ends.transactions)), Array(3).fill("complete"))
      const database = yield* openStore(yield* IndexedDb.open(path))
      const keys = yield* Effect.promise(() =>
        answerOf(database.transaction("store").objectStore("store").getAllKeys())
      )
      assert.deepStrictEqual(keys, [1, 2, 3])
    }))

  it.effect("answers nothing that is asked for after its end, and refuses it neither: nobody is there to hear of it", () =>
    Effect.gen(function*() {
      const path = yield* temporaryFile
      const heard: Array<unknown> = []
      const hear = (answer: Promise<unknown>) => void answer.then((_) => heard.push(_), (_) => heard.push(_))
      const late = yield* Effect.scoped(Effect.gen(function*() {
        const factory = yield* IndexedDb.open(path)
        return { factory, database: yield* openStore(factory), asked: factory.open("other") }
      }))
      const transaction = late.database.transaction("store", "readwrite")
      const put = transaction.objectStore("store").put({}, "late")
      hear(endOf(transaction))
      for (const request of [put, late.asked, late.factory.open("another")]) hear(answerOf(request))
      const database = yield* openStore(yield* IndexedDb.open(path))
      const keys = yield* Effect.promise(() =>
        answerOf(database.transaction("store").objectStore("store").getAllKeys())
      )
      assert.deepStrictEqual({ heard, keys }, { heard: [], keys: [] })
    }))

  it.effect("is not read when it is opened, however many keys it holds", () =>
    Effect.gen(function*() {
      const path = yield* temporaryFile
      const count = 20_000
      yield* Effect.scoped(Effect.gen(function*() {
        const database = yield* openStore(yield* IndexedDb.open(path))
        const transaction = database.transaction("store", "readwrite")
        const store = transaction.objectStore("store")
        for (let key = 0; key < count; key++) store.put({ flag: 1, key: new Uint8Array(300) }, `key ${key}`)
        yield* Effect.promise(() => endOf(transaction))
      }))
      // Everything but the first pages, where the tables of contents are, is destroyed.
      const { size } = statSync(path)
      assert.isAbove(size, count * 300)
      const file = openSync(path, "r+")
      writeSync(file, Buffer.alloc(size - 64 * 1024, 0xaa), 0, undefined, 64 * 1024)
      closeSync(file)

      const failed = yield* Deferred.make<StoreUnavailable>()
      const factory = yield* IndexedDb.open(path, {
        onFailure: (error) => Deferred.doneUnsafe(failed, Effect.succeed(error))
      })
      const database = yield* openStore(factory)
      assert.deepStrictEqual([...database.objectStoreNames], ["store"])
      database.transaction("store").objectStore("store").getAll()
      assert.strictEqual((yield* Deferred.await(failed)).problem, "corrupt")
    }), processTimeout)
})

describe("a store that is deleted", () => {
  it.effect("leaves nothing in the file", () =>
    Effect.gen(function*() {
      const path = yield* temporaryFile
      const factory = yield* IndexedDb.open(path)
      const database = yield* openStore(factory)
      const transaction = database.transaction("store", "readwrite")
      transaction.objectStore("store").put({ flag: 1 }, 1)
      yield* Effect.promise(() => endOf(transaction))
      database.close()
      const file = new DatabaseSync(path)
      const rows = () =>
        ["stores", "indexes", "records", "entries"].map((table) => file.prepare(`SELECT * FROM ${table}`).all().length)
      assert.deepStrictEqual(rows(), [1, 1, 1, 1])
      yield* Effect.promise(() => opened(factory, "db", 2, (database) => database.deleteObjectStore("store")))
      assert.deepStrictEqual(rows(), [0, 0, 0, 0])
      file.close()
    }))
})

describe("a file that fails", () => {
  it.effect("stops everything: nothing is told and nothing is done any more", () =>
    Effect.gen(function*() {
      const path = yield* temporaryFile
      const failed = yield* Deferred.make<StoreUnavailable>()
      const factory = yield* IndexedDb.open(path, {
        onFailure: (error) => Deferred.doneUnsafe(failed, Effect.succeed(error))
      })
      const database = yield* openStore(factory)
      yield* spoilCommits(path)
      const told: Array<string> = []
      const transaction = database.transaction("store", "readwrite")
      transaction.objectStore("store").put({}, 1)
      void endOf(transaction).then((end) => told.push(end))
      void endOf(database.transaction("store")).then((end) => told.push(end))
      const error = yield* Deferred.await(failed)
      assert.strictEqual(error.path, path)
      assert.include(error.message, "FOREIGN KEY")
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(() => setImmediate(resolve))))
      assert.deepStrictEqual(told, [])
    }))

  it.effect("stops everything also when it cannot be locked", () =>
    Effect.gen(function*() {
      const path = yield* temporaryFile
      const failed = yield* Deferred.make<StoreUnavailable>()
      const factory = yield* IndexedDb.open(path, {
        onFailure: (error) => Deferred.doneUnsafe(failed, Effect.succeed(error))
      })
      const database = yield* openStore(factory)
      const other = new DatabaseSync(path)
      other.exec("BEGIN IMMEDIATE")
      database.transaction("store", "readwrite").objectStore("store").put({}, 1)
      assert.include((yield* Deferred.await(failed)).message, "locked")
      other.close()
    }))

  it.live("ends the process with code 74 and one paragraph", () =>
    Effect.gen(function*() {
      const path = yield* temporaryFile
      yield* Effect.scoped(Effect.flatMap(IndexedDb.open(path), openStore))
      yield* spoilCommits(path)
      const child = yield* started(new URL("FailingProcess.ts", import.meta.url), path)
      const messages: Array<unknown> = []
      child.on("message", (message) => messages.push(message))
      const [[code], said] = yield* Effect.promise(() =>
        Promise.all([once(child, "exit"), child.stderr === null ? "" : text(child.stderr)])
      )
      assert.strictEqual(code, 74)
      assert.deepStrictEqual(messages, [])
      assert.include(said, path)
      assert.match(said, /^[^\n]+\n$/)
    }), processTimeout)
})

describe("a process that is killed", () => {
  it.live("leaves every transaction whose end it saw, and no part of another", () =>
    Effect.gen(function*() {
      const path = yield* temporaryFile
      const child = yield* started(new URL("WriterProcess.ts", import.meta.url), path)
      const seen: Array<unknown> = []
      yield* Effect.callback<void>((resume) => {
        child.on("message", (n) => {
          if (seen.push(n) === 100) resume(Effect.void)
        })
      })
      yield* kill(child)
      assert.strictEqual(child.signalCode, "SIGKILL")

      const factory = yield* IndexedDb.open(path)
      const database = yield* Effect.promise(() => opened(factory, "db"))
      const transaction = database.transaction(["left", "right"])
      const [left, right] = yield* Effect.promise(() =>
        Promise.all(["left", "right"].map((store) => answerOf(transaction.objectStore(store).getAllKeys())))
      )
      assert.deepStrictEqual(left, right)
      assert.isArray(left)
      assert.deepStrictEqual(Array.isArray(left) && left.slice(0, seen.length), seen)
    }), processTimeout)
})
