import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { EventId, SyncToken, TransactionId } from "../../../src/domain/Ids.ts"
import { answered } from "../../../src/domain/Settlement.ts"
import { openDatabase } from "../../../src/layers/Store/Database.ts"
import { changeDataDir, leaseHolder, makeStore, openDataDir, readDataDir } from "../../../src/layers/Store/Live.ts"
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
          assert.deepStrictEqual(yield* store.inbox.begin(roomA), {
            ...message("$2"),
            attempts: 2,
            takenUp: false,
            receivedAt: 0
          })
          assert.isTrue(yield* store.outbox.hasSent(EventId.make("$sent")))
          assert.deepInclude(yield* store.outbox.next(roomA), { message: reply("t2") })
        }))
    }))
})

describe("the driver", () => {
  it.effect("is Effect's, with its patch in", () =>
    Effect.gen(function*() {
      const db = yield* openDatabase(":memory:")
      assert.strictEqual(db.sql.driver, "sqlite-node")
    }))

  it.effect("without its patch, which does not even load, is told in words of what to do", () =>
    Effect.gen(function*() {
      const load = () => Promise.reject(new Error("Cannot find module 'effect/unstable/sql'"))
      const error = yield* Effect.flip(openDatabase(":memory:", load))
      assert.strictEqual(error.problem, "unpatched_driver")
      assert.include(error.message, "npm ci")
    }))

  it.effect("with a patch that is not ours is refused too", () =>
    Effect.gen(function*() {
      const { make } = yield* Effect.promise(() => import("@effect/sql-sqlite-node/SqliteClient"))
      const withoutConnection: typeof make = (options) =>
        Effect.map(make(options), (client) => Object.assign(client, { database: undefined }))
      const error = yield* Effect.flip(openDatabase(":memory:", () => Promise.resolve({ make: withoutConnection })))
      assert.strictEqual(error.problem, "unpatched_driver")
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
        assert.include(error.message, "is a file and no directory. Set HOMING_DATA_DIR")
      }
    }))

  it.effect("makes no directory where the system takes none, and ends all the same", () =>
    Effect.gen(function*() {
      for (const dataDir of ["/proc/x", "/proc/x/y"]) {
        const error = yield* refusal(dataDir)
        assert.deepInclude(error, { problem: "not_writable", path: dataDir })
        assert.include(
          error.message,
          "The directory /proc/x cannot be made, since /proc takes none. Set HOMING_DATA_DIR"
        )
      }
    }))

  it.effect("tells one that may not be looked into from one where no bot has run", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      const nothing = yield* Effect.flip(readDataDir(dataDir))
      assert.include(nothing.message, "no bot has run there yet")
      // For root there is nothing that may not be looked into: a name that is too long stands for it.
      const hidden = yield* Effect.flip(readDataDir(join(dataDir, "x".repeat(300))))
      assert.notInclude(hidden.message, "no bot has run there yet")
    }))

  it.effect("makes every directory on the way for its owner alone", () =>
    Effect.gen(function*() {
      const dir = yield* temporaryDirectory
      yield* openDataDir(join(dir, "deep", "er"))
      for (const made of ["deep", "deep/er"]) assert.strictEqual(statSync(join(dir, made)).mode & 0o777, 0o700)
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
      yield* using(
        dataDir,
        (store) => store.inbox.ingest(batch(Array.from({ length: 200 }, (_, n) => message(`$${n}`))))
      )
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

  it.effect("is not made by looking", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      for (const look of [readDataDir, changeDataDir]) {
        assert.include((yield* Effect.flip(look(dataDir))).message, "no bot has run there yet")
      }
      assert.deepStrictEqual(readdirSync(dataDir), [])
    }))

  it.effect("asks for a start of the bot when an older Homing wrote it", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      const old = new DatabaseSync(join(dataDir, "homing.db"))
      for (const statement of migrations[0] ?? []) old.exec(statement)
      old.exec("PRAGMA user_version = 1")
      old.close()
      const looking = yield* readDataDir(dataDir)
      assert.deepStrictEqual(yield* looking.chats.all, [])
      assert.include((yield* Effect.flip(looking.inbox.gaps(1))).message, "an older Homing")
      assert.include((yield* Effect.flip(changeDataDir(dataDir))).message, "an older Homing")
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

describe("a database that is changed beside a bot", () => {
  it.effect("lets each of the two see what the other wrote", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      const running = yield* open(dataDir)
      yield* running.inbox.ingest(batch([message("$1")]))
      yield* running.inbox.settle("$1", answered([reply("t1")]))
      yield* running.outbox.dead(TransactionId.make("t1"), "forbidden")
      assert.isUndefined(yield* running.outbox.next(roomA))
      const beside = yield* changeDataDir(dataDir)
      assert.isTrue(yield* beside.outbox.retry(TransactionId.make("t1")))
      assert.deepInclude(yield* running.outbox.next(roomA), { message: reply("t1") })
      yield* running.outbox.sent(TransactionId.make("t1"), EventId.make("$a"))
      assert.isFalse(yield* beside.outbox.drop(TransactionId.make("t1")))
    }))
})

describe("a database that forgets", () => {
  it.effect("gives the room back to the disk, also one that an older Homing made", () =>
    Effect.gen(function*() {
      for (const [name, setUp] of [["new", ""], ["old", "CREATE TABLE other (x)"]] as const) {
        const dataDir = yield* temporaryDirectory
        if (setUp !== "") tamper(dataDir, setUp)
        const size = () => statSync(join(dataDir, "homing.db")).size
        yield* using(dataDir, (store) =>
          store.inbox.ingest(batch(
            Array.from({ length: 6000 }, (_, n) => message(`$${n}`)),
            {
              redactions: Array.from({ length: 5990 }, (_, n) => ({
                redaction: EventId.make(`$r${n}`),
                roomId: roomA,
                target: EventId.make(`$${n}`),
                follow: false
              }))
            }
          )))
        const before = size()
        yield* using(dataDir, (store) => store.prune({ before: 1e15, keep: 0 }))
        // What is left is a page or two for each table and index.
        assert.isBelow(size(), before / 5, name)
        yield* using(
          dataDir,
          (store) => Effect.map(store.inbox.counts, ({ pending }) => assert.strictEqual(pending, 10))
        )
      }
    }))
})

/** As it was kept when chats had no settings. */
const { settings: _, ...chatBeforeSettings } = bound("one", roomA)
const reportBeforeSettings = JSON.stringify({
  ...report(1),
  findings: [{ _tag: "Restored", chatId: "one", roomId: roomA, chat: chatBeforeSettings, reason: "no_local_chat" }]
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

  it.effect("keep what an older version wrote, the order of its replies too", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      const old = new DatabaseSync(join(dataDir, "homing.db"))
      for (const statement of migrations[0] ?? []) old.exec(statement)
      old.exec(`
        INSERT INTO inbox (seq, key, kind, room_id, sender, provenance, state, attempts, received_at)
          VALUES (7, '$1', 'message', '${roomA}', '${session.userId}', 'live', 'answered', 1, 5);
        INSERT INTO outbox (position, room_id, transaction_id, type, content, state, attempts, event_id, inbox_key) VALUES
          (4, '${roomA}', 't1', 'm.room.message', '${JSON.stringify(reply("t1").content)}', 'pending', 0, NULL, '$1'),
          (9, '${roomA}', 't2', 'm.room.message', '${JSON.stringify(reply("t2").content)}', 'pending', 0, NULL, '$1'),
          (2, '${roomA}', 't0', 'm.room.message', NULL, 'sent', 1, '$sent', '$1');
        PRAGMA user_version = 1`)
      old.close()
      yield* using(dataDir, (store) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* store.outbox.next(roomA), { position: 4, message: reply("t1") })
          assert.deepStrictEqual((yield* store.outbox.answersTo("$1")).map(({ position }) => position), [2, 4, 9])
          assert.isTrue(yield* store.outbox.hasSent(EventId.make("$sent")))
          yield* store.inbox.ingest(batch([message("$2")]))
          yield* store.inbox.settle("$2", answered([reply("t3")]))
          assert.strictEqual((yield* store.outbox.find("t3"))?.position, 10)
        }))
    }))

  it.effect("give the chats of an older version no settings, and lose nothing else of them", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      const old = new DatabaseSync(join(dataDir, "homing.db"))
      for (const statement of migrations.slice(0, 2).flat()) old.exec(statement)
      old.exec(`
        INSERT INTO chats (id, owner, owner_name, title, archived, revision, created_at, room_id, bound_at, marker_revision)
          VALUES ('one', '@ada:example.org', 'Ada', 'Plans', 0, 1, 1000, '${roomA}', 2000, 0);
        INSERT INTO reports (report) VALUES ('${reportBeforeSettings}');
        PRAGMA user_version = 2`)
      old.close()
      const looking = yield* readDataDir(dataDir)
      assert.deepStrictEqual(yield* looking.chats.all, [bound("one", roomA)])
      yield* using(dataDir, (store) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* store.chats.byRoom(roomA), bound("one", roomA))
          const [found] = (yield* store.reports.latest(1)).flatMap(({ findings }) => findings)
          assert.deepInclude(found, { _tag: "Restored", chat: bound("one", roomA) })
        }))
    }))

  it.effect("leave no half of a step behind", () =>
    Effect.gen(function*() {
      const db = yield* openDatabase(":memory:")
      yield* db.run(db.sql`CREATE TABLE outbox (other TEXT)`)
      assert.strictEqual((yield* Effect.flip(migrate(db))).problem, "failed")
      assert.deepStrictEqual(yield* db.sql`SELECT name FROM sqlite_master`, [{ name: "outbox" }])
    }))
})
