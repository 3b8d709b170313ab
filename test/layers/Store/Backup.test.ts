import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { createHash } from "node:crypto"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { answered } from "../../../src/domain/Settlement.ts"
import { backUp, restore } from "../../../src/layers/Store/Backup.ts"
import { takeLease } from "../../../src/layers/Store/Lease.ts"
import { openDataDir } from "../../../src/layers/Store/Live.ts"
import { batch, bound, message, reply, roomA, roomB, temporaryDirectory } from "./Samples.ts"

/** A data directory with one chat, one message in hand, and a second database. */
const aDataDir = Effect.gen(function*() {
  const dataDir = yield* temporaryDirectory
  yield* Effect.scoped(Effect.gen(function*() {
    const store = yield* openDataDir(dataDir)
    yield* store.chats.put(bound("one", roomA))
    yield* store.inbox.ingest(batch([message("$1")]))
  }))
  const keys = new DatabaseSync(join(dataDir, "crypto.db"))
  keys.exec("CREATE TABLE keys (name TEXT); INSERT INTO keys VALUES ('first')")
  keys.close()
  return dataDir
})

const keysIn = (dir: string): ReadonlyArray<unknown> => {
  const db = new DatabaseSync(join(dir, "crypto.db"), { readOnly: true })
  const names = db.prepare("SELECT name FROM keys").all().map(({ name }) => name)
  db.close()
  return names
}

const chatsIn = (dataDir: string) =>
  Effect.scoped(
    Effect.flatMap(openDataDir(dataDir), ({ chats }) => Effect.map(chats.all, (_) => _.map(({ id }) => String(id))))
  )

/** What the files are, by a hash each. Looking at a database may leave its empty log behind. */
const contents = (dir: string) =>
  readdirSync(dir).filter((name) => !/-(wal|shm)$/.test(name)).map((name) =>
    `${name} ${createHash("sha256").update(readFileSync(join(dir, name))).digest("hex")}`
  )

describe("a backup", () => {
  it.effect("holds what a running bot has committed, in files for the owner only, and no lease", () =>
    Effect.gen(function*() {
      const dataDir = yield* aDataDir
      const running = yield* openDataDir(dataDir)
      yield* running.inbox.settle("$1", answered([reply("t1")]))
      const dir = join(yield* temporaryDirectory, "deep", "backup")
      assert.deepStrictEqual(yield* backUp(dataDir, dir), { dir, files: ["homing.db", "crypto.db"] })
      yield* running.chats.put(bound("one", roomA, { title: "Later" }))
      assert.deepStrictEqual(readdirSync(dir).toSorted(), ["crypto.db", "homing.db"])
      assert.strictEqual(statSync(dir).mode & 0o777, 0o700)
      for (const file of ["homing.db", "crypto.db"]) assert.strictEqual(statSync(join(dir, file)).mode & 0o777, 0o600)
      assert.deepStrictEqual(keysIn(dir), ["first"])
      const copy = yield* openDataDir(dir)
      assert.strictEqual((yield* copy.chats.byRoom(roomA))?.title, "Plans")
      assert.deepInclude(yield* copy.outbox.next(roomA), { message: reply("t1") })
    }))

  it.effect("goes into a new directory inside one that is there, and overwrites nothing", () =>
    Effect.gen(function*() {
      const dataDir = yield* aDataDir
      const backups = yield* temporaryDirectory
      const { dir } = yield* backUp(dataDir, backups)
      assert.strictEqual(dir, join(backups, "1970-01-01T00-00-00Z"))
      const before = contents(dir)
      assert.include((yield* Effect.flip(backUp(dataDir, backups))).message, "is there already")
      assert.deepStrictEqual(contents(dir), before)
      assert.deepStrictEqual(readdirSync(backups), ["1970-01-01T00-00-00Z"])
    }))

  it.effect("is not made of a directory without a database", () =>
    Effect.gen(function*() {
      const [dataDir, backups] = [yield* temporaryDirectory, yield* temporaryDirectory]
      const error = yield* Effect.flip(backUp(dataDir, backups))
      assert.include(error.message, "HOMING_DATA_DIR")
      assert.deepStrictEqual([readdirSync(dataDir), readdirSync(backups)], [[], []])
    }))
})

describe("a backup is refused", () => {
  it.effect("inside the data directory, by whatever way that is named", () =>
    Effect.gen(function*() {
      const dataDir = yield* aDataDir
      const link = join(yield* temporaryDirectory, "link")
      symlinkSync(dataDir, link)
      const before = contents(dataDir)
      for (
        const dir of [dataDir, join(dataDir, "copy"), join(dataDir, "a", "b"), join(link, "copy"), `${dataDir}/x/../y`]
      ) {
        assert.include((yield* Effect.flip(backUp(dataDir, dir))).message, "is in the data directory", dir)
      }
      assert.include((yield* Effect.flip(backUp(link, join(dataDir, "copy")))).message, "is in the data directory")
      assert.deepStrictEqual(contents(dataDir), before)
      const beside = `${dataDir}-backup`
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(beside, { recursive: true })))
      assert.strictEqual((yield* backUp(dataDir, beside)).dir, beside)
    }))

  it.effect("where no directory can be made, with words about the backup and not about the bot's directory", () =>
    Effect.gen(function*() {
      const dataDir = yield* aDataDir
      const file = join(dataDir, "..", "file-of-the-test")
      writeFileSync(file, "")
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(file)))
      for (const dir of [file, join(file, "below"), "/proc/x", "/proc/x/y"]) {
        const { message } = yield* Effect.flip(backUp(dataDir, dir))
        assert.match(message, /^The directory .* cannot be made, since .*\. Name a directory that this user may write/)
        assert.notInclude(message, "HOMING_DATA_DIR")
      }
    }))
})

describe("restoring", () => {
  it.effect("puts the backup in place, and moves what was there aside with its log", () =>
    Effect.gen(function*() {
      const dataDir = yield* aDataDir
      const { dir } = yield* backUp(dataDir, yield* temporaryDirectory)
      yield* Effect.scoped(Effect.flatMap(openDataDir(dataDir), (store) => store.chats.put(bound("two", roomB))))
      writeFileSync(join(dataDir, "homing.db-wal"), "")
      chmodSync(join(dir, "homing.db"), 0o644)
      const restored = yield* restore(dataDir, dir)
      assert.strictEqual(statSync(join(dataDir, "homing.db")).mode & 0o777, 0o600)
      const aside = join(dataDir, "before-restore-1970-01-01T00-00-00Z")
      assert.deepStrictEqual(restored, { files: ["homing.db"], kept: ["crypto.db"], aside })
      assert.deepStrictEqual(readdirSync(aside).toSorted(), ["homing.db", "homing.db-wal"])
      assert.deepStrictEqual(yield* chatsIn(dataDir), ["one"])
      assert.deepStrictEqual(yield* chatsIn(aside), ["one", "two"])
      assert.deepStrictEqual(keysIn(dataDir), ["first"])
    }))

  it.effect("leaves keys that are whole as they are, since older ones would be used twice", () =>
    Effect.gen(function*() {
      const dataDir = yield* aDataDir
      for (const name of ["crypto.key", "recovery.key"]) {
        writeFileSync(join(dataDir, name), "of the backup\n", { mode: 0o600 })
      }
      const { dir } = yield* backUp(dataDir, join(yield* temporaryDirectory, "backup"))
      const keys = new DatabaseSync(join(dataDir, "crypto.db"))
      keys.exec("INSERT INTO keys VALUES ('second')")
      keys.close()
      writeFileSync(join(dataDir, "recovery.key"), "a newer one\n")
      const { kept } = yield* restore(dataDir, dir)
      assert.deepStrictEqual(kept.toSorted(), ["crypto.db", "crypto.key", "recovery.key"])
      assert.deepStrictEqual(keysIn(dataDir), ["first", "second"])
      assert.strictEqual(readFileSync(join(dataDir, "recovery.key"), "utf8"), "a newer one\n")
    }).pipe(Effect.scoped))

  it.effect("brings back keys where there are none or damaged ones, with what they are encrypted with", () =>
    Effect.gen(function*() {
      const dataDir = yield* aDataDir
      writeFileSync(join(dataDir, "crypto.key"), "the first\n", { mode: 0o600 })
      const { dir } = yield* backUp(dataDir, join(yield* temporaryDirectory, "backup"))
      assert.strictEqual(statSync(join(dir, "crypto.key")).mode & 0o777, 0o600)
      writeFileSync(join(dataDir, "crypto.key"), "another\n")
      writeFileSync(join(dataDir, "crypto.db"), Buffer.alloc(8192, 0xa5))
      const { aside } = yield* restore(dataDir, dir)
      assert.strictEqual(readFileSync(join(dataDir, "crypto.key"), "utf8"), "the first\n")
      assert.strictEqual(readFileSync(join(aside ?? "", "crypto.key"), "utf8"), "another\n")
      assert.deepStrictEqual(keysIn(dataDir), ["first"])
      rmSync(join(dataDir, "crypto.db"))
      yield* TestClock.adjust("1 second")
      assert.include((yield* restore(dataDir, dir)).files, "crypto.db")
    }).pipe(Effect.scoped))

  it.effect("makes a data directory where there is none", () =>
    Effect.gen(function*() {
      const { dir } = yield* backUp(yield* aDataDir, yield* temporaryDirectory)
      const dataDir = join(yield* temporaryDirectory, "new")
      assert.isUndefined((yield* restore(dataDir, dir)).aside)
      assert.deepStrictEqual(yield* chatsIn(dataDir), ["one"])
    }))

  it.effect("is refused while a bot runs", () =>
    Effect.gen(function*() {
      const dataDir = yield* aDataDir
      const { dir } = yield* backUp(dataDir, yield* temporaryDirectory)
      yield* takeLease(dataDir)
      assert.strictEqual((yield* Effect.flip(restore(dataDir, dir)))._tag, "LeaseHeld")
      assert.isFalse(readdirSync(dataDir).some((name) => name.startsWith("before-restore")))
    }))

  it.effect("refuses a backup that is damaged, newer, of something else or none, and changes nothing", () =>
    Effect.gen(function*() {
      const dataDir = yield* aDataDir
      const spoil = {
        malformed: (dir: string) => {
          const bytes = readFileSync(join(dir, "homing.db"))
          writeFileSync(join(dir, "homing.db"), bytes.fill(0xa5, 4096))
        },
        "File is not a database. Name another backup; nothing was changed.": (dir: string) => {
          writeFileSync(join(dir, "homing.db"), Buffer.alloc(8_192, "no database"))
        },
        "newer Homing": (dir: string) => {
          const db = new DatabaseSync(join(dir, "homing.db"))
          db.exec("PRAGMA user_version = 99")
          db.close()
        },
        "no database of Homing": (dir: string) => {
          const db = new DatabaseSync(join(dir, "homing.db"))
          db.exec("PRAGMA user_version = 0")
          db.close()
        }
      }
      const before = contents(dataDir)
      for (const [found, harm] of Object.entries(spoil)) {
        const { dir } = yield* backUp(dataDir, yield* temporaryDirectory)
        harm(dir)
        const error = yield* Effect.flip(restore(dataDir, dir))
        assert.include(error.message, found)
        assert.include(error.message, dir)
        assert.deepStrictEqual(contents(dataDir), before)
      }
      const empty = join(yield* temporaryDirectory, "empty")
      mkdirSync(empty)
      assert.include((yield* Effect.flip(restore(dataDir, empty))).message, "homing backup")
      const advice = "Name a directory that \"homing backup\" made. Nothing was changed."
      const nowhere = join(empty, "nowhere")
      assert.strictEqual(
        (yield* Effect.flip(restore(dataDir, nowhere))).message,
        `There is no directory ${nowhere}. ${advice}`
      )
      const file = join(dataDir, "homing.db")
      assert.strictEqual(
        (yield* Effect.flip(restore(dataDir, file))).message,
        `${file} is a file and no directory. ${advice}`
      )
      assert.isTrue(existsSync(join(dataDir, "homing.db")))
    }))
})
