import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { EventId, SyncToken, TransactionId } from "../../../src/domain/Ids.ts"
import { answered } from "../../../src/domain/Settlement.ts"
import { openDatabase } from "../../../src/layers/Store/Database.ts"
import { leaseHolder, makeStore, openDataDir, readDataDir } from "../../../src/layers/Store/Live.ts"
import { migrate, migrations } from "../../../src/layers/Store/Migrations.ts"
import { batch, bound, message, reply, report, roomA, session, temporaryDirectory } from "./Samples.ts"

const open = openDataDir

/** Opens, uses and closes a store. */
const using = <A, E>(dataDir: string, use: (store: Effect.Success<ReturnType<typeof open>>) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(open(dataDir), use))

/** The failure to open, which must name what is wrong and what to do. */
const refusal = Effect.fnUntraced(function*(dataDir: string) {
  const error = yield* Effect.flip(Effect.scoped(open(dataDir)))
  assert.strictEqual(error._tag, "StoreUnavailable")
  return error._tag === "StoreUnavailable" ? error : yield* Effect.die(error)
})

const tamper = (dataDir: string, sql: string) => {
  const db = new DatabaseSync(join(dataDir, "homing.db"))
  db.exec(sql)
  db.close()
}

describe("a data directory", () => {
  it.effect("is made for its owner only, and so is every file in it", () =>
    Effect.gen(function*() {
      const dataDir = join(yield* temporaryDirectory, "deep", "data")
      const store = yield* open(dataDir)
      yield* store.chats.put(bound("one", roomA))
      assert.strictEqual(statSync(dataDir).mode & 0o777, 0o700)
      for (const file of ["homing.db", "homing.db-wal", "homing.db-shm", "lease.db", "lease.json"]) {
        assert.strictEqual(statSync(join(dataDir, file)).mode & 0o777, 0o600, file)
      }
    }))

  it.effect("closes files that a restored backup left open to others", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      writeFileSync(join(dataDir, "homing.db"), "", { mode: 0o644 })
      yield* open(dataDir)
      assert.strictEqual(statSync(join(dataDir, "homing.db")).mode & 0o777, 0o600)
    }))

  it.effect("keeps everything over a restart", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      yield* using(dataDir, (store) =>
        Effect.gen(function*() {
          yield* store.session.save(session)
          yield* store.chats.put(bound("one", roomA))
          yield* store.reports.append(report(1))
          yield* store.inbox.ingest(batch([message("$1"), message("$2")], { cursor: SyncToken.make("s9") }))
          yield* store.inbox.settle("$1", answered([reply("t1"), reply("t2")]))
          yield* store.outbox.sent(TransactionId.make("t1"), EventId.make("$sent"))
          yield* store.inbox.begin(roomA)
        }))
      yield* using(dataDir, (store) =>
        Effect.gen(function*() {
          const loaded = yield* store.session.load
          assert.strictEqual(loaded && Redacted.value(loaded.accessToken), "syt_secret")
          assert.deepStrictEqual(yield* store.chats.byRoom(roomA), bound("one", roomA))
          assert.deepStrictEqual(yield* store.reports.latest(5), [report(1)])
          assert.strictEqual(yield* store.cursor, "s9")
          assert.strictEqual((yield* store.inbox.find("$1"))?.state, "answered")
          assert.deepStrictEqual(yield* store.inbox.begin(roomA), { ...message("$2"), attempts: 2 })
          assert.isTrue(yield* store.outbox.hasSent(EventId.make("$sent")))
          assert.deepInclude(yield* store.outbox.next(roomA), { message: reply("t2") })
        }))
    }))
})

describe("a database that cannot be used", () => {
  it.effect("says where to go when the directory cannot be made", () =>
    Effect.gen(function*() {
      const dir = yield* temporaryDirectory
      writeFileSync(join(dir, "file"), "")
      for (const dataDir of [join(dir, "file"), join(dir, "file", "below")]) {
        const error = yield* refusal(dataDir)
        assert.strictEqual(error.problem, "not_writable", dataDir)
        assert.include(error.message, "HOMING_DATA_DIR")
      }
    }))

  it.effect("says that a directory in the place of the file is in the way", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      mkdirSync(join(dataDir, "homing.db"))
      assert.strictEqual((yield* refusal(dataDir)).problem, "not_writable")
    }))

  it.effect("recognises garbage, short or long, and leaves it as it is", () =>
    Effect.gen(function*() {
      for (const garbage of ["x", "these are not the bytes of a database", "garbage".repeat(3000)]) {
        const dataDir = yield* temporaryDirectory
        const file = join(dataDir, "homing.db")
        writeFileSync(file, garbage)
        const error = yield* refusal(dataDir)
        assert.strictEqual(error.problem, "corrupt")
        assert.include(error.message, "markers on the homeserver")
        assert.strictEqual(readFileSync(file, "utf8"), garbage)
      }
    }))

  it.effect("recognises a page that was overwritten", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      yield* using(dataDir, (store) => store.inbox.ingest(batch(Array.from({ length: 200 }, (_, n) => message(`$${n}`)))))
      const file = join(dataDir, "homing.db")
      const bytes = readFileSync(file)
      bytes.fill(0xa5, bytes.length - 12 * 4096, bytes.length - 4 * 4096)
      writeFileSync(file, bytes)
      assert.strictEqual((yield* refusal(dataDir)).problem, "corrupt")
      assert.deepStrictEqual(readFileSync(file), bytes)
    }))

  it.effect("recognises a row that no Homing has written", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      yield* using(dataDir, (store) => store.chats.put(bound("one", roomA)))
      tamper(dataDir, "UPDATE chats SET owner = 'nobody'")
      const error = yield* Effect.flip(using(dataDir, (store) => store.chats.all))
      assert.deepInclude(error, { problem: "corrupt" })
    }))

  it.effect("asks for the newer Homing and does not touch its file", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      yield* using(dataDir, (store) => store.chats.put(bound("one", roomA)))
      tamper(dataDir, `ALTER TABLE chats RENAME TO conversations; PRAGMA user_version = ${migrations.length + 1}`)
      const before = readFileSync(join(dataDir, "homing.db"))
      const error = yield* refusal(dataDir)
      assert.strictEqual(error.problem, "newer_schema")
      assert.include(error.message, "Install that newer Homing")
      assert.deepStrictEqual(readFileSync(join(dataDir, "homing.db")), before)
    }))

  it.effect("keeps nothing of a batch for which the disk is too small, and goes on when there is room again", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      const db = yield* openDatabase(join(dataDir, "homing.db"))
      yield* migrate(db)
      const store = makeStore(db)
      yield* store.inbox.ingest(batch([message("$1")]))
      yield* db.run(db.sql`PRAGMA max_page_count = 24`)
      const many = batch(Array.from({ length: 500 }, (_, n) => message(`$many${n}`)), { cursor: SyncToken.make("s2") })
      const error = yield* Effect.flip(store.inbox.ingest(many))
      assert.strictEqual(error.problem, "disk_full")
      assert.include(error.message, "Free some disk space")
      assert.strictEqual(yield* store.cursor, "s1")
      assert.strictEqual((yield* store.inbox.counts).pending, 1)
      yield* db.run(db.sql`PRAGMA max_page_count = 10000`)
      yield* store.inbox.ingest(many)
      assert.strictEqual((yield* store.inbox.counts).pending, 501)
    }))
})

describe("a database that is only looked at", () => {
  it.effect("is read while a bot runs on it, and cannot be written", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      const running = yield* open(dataDir)
      yield* running.chats.put(bound("one", roomA))
      const looking = yield* readDataDir(dataDir)
      assert.deepStrictEqual(yield* looking.chats.byRoom(roomA), bound("one", roomA))
      assert.strictEqual((yield* Effect.flip(looking.chats.put(bound("one", roomA)))).problem, "not_writable")
      assert.strictEqual((yield* leaseHolder(dataDir))?._tag, "LeaseHeld")
    }))

  it.effect("is refused when a newer Homing wrote it", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      yield* using(dataDir, () => Effect.void)
      tamper(dataDir, "PRAGMA user_version = 99")
      assert.strictEqual((yield* Effect.flip(readDataDir(dataDir))).problem, "newer_schema")
      assert.isUndefined(yield* leaseHolder(dataDir))
    }))
})

describe("migrations", () => {
  it.effect("bring an empty file to the newest version, and change nothing the second time", () =>
    Effect.gen(function*() {
      const db = yield* openDatabase(":memory:")
      yield* migrate(db)
      const schema = yield* db.sql`SELECT name, sql FROM sqlite_master ORDER BY name`
      yield* migrate(db)
      assert.deepStrictEqual(yield* db.sql`SELECT name, sql FROM sqlite_master ORDER BY name`, schema)
      assert.strictEqual((yield* db.sql`PRAGMA user_version`)[0]?.["user_version"], migrations.length)
    }))

  it.effect("leave no half of a step behind", () =>
    Effect.gen(function*() {
      const db = yield* openDatabase(":memory:")
      yield* db.run(db.sql`CREATE TABLE outbox (other TEXT)`)
      assert.strictEqual((yield* Effect.flip(migrate(db))).problem, "failed")
      assert.deepStrictEqual(yield* db.sql`SELECT name FROM sqlite_master`, [{ name: "outbox" }])
    }))
})
