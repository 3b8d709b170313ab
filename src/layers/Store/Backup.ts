import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { StoreUnavailable } from "../../domain/Errors.ts"
import type { BackedUp, Restored } from "../Store.ts"
import { ownFile } from "./Database.ts"
import { storeFailure } from "./Failures.ts"
import { takeLease } from "./Lease.ts"
import { migrations } from "./Migrations.ts"

/** The database that every backup has. */
const main = "homing.db"

/** A lock and no data: opening it in another way than `takeLease` does would let go of the lock. */
const lease = "lease.db"

const problem = (path: string, problem: StoreUnavailable["problem"], detail: string): StoreUnavailable =>
  new StoreUnavailable({ path, problem, detail })

/** A time as the name of a directory, such as `2026-11-23T23-42-30Z`. */
const stamp = Effect.map(
  Clock.currentTimeMillis,
  (now) => new Date(now).toISOString().replace(/\.\d+/, "").replaceAll(":", "-")
)

/** The databases of a directory, the main one first. */
const databasesIn = (dir: string): ReadonlyArray<string> => {
  const names = Fs.readdirSync(dir).filter((name) => name.endsWith(".db") && name !== lease).toSorted()
  // A key store that is newer than the cursor only meets events again; one that is older would lack keys that were acknowledged.
  return names.includes(main) ? [main, ...names.filter((name) => name !== main)] : names
}

const attempt = <A>(path: string, work: () => A): Effect.Effect<A, StoreUnavailable> =>
  Effect.try({ try: work, catch: storeFailure(path) })

const openReadOnly = Effect.fnUntraced(function*(path: string) {
  const { DatabaseSync } = yield* Effect.promise(() => import("node:sqlite"))
  return yield* Effect.acquireRelease(
    attempt(path, () => new DatabaseSync(path, { readOnly: true, timeout: 5_000 })),
    (db) => Effect.sync(() => db.close())
  )
})

/** Copies every database of `dataDir`, each as it stands at one moment, also while a bot runs on it. */
export const backUp = Effect.fn("Store.backUp")(function*(dataDir: string, dir: string) {
  const time = yield* stamp
  const sources = yield* attempt(dataDir, () => Fs.existsSync(dataDir) ? databasesIn(dataDir) : [])
  if (!sources.includes(main)) {
    const detail = `There is none. Set HOMING_DATA_DIR to the directory that the bot runs on.`
    return yield* problem(Path.join(dataDir, main), "failed", detail)
  }
  const target = Fs.existsSync(dir) ? Path.join(dir, time) : dir
  const unfinished = `${target}.unfinished`
  yield* attempt(target, () => {
    Fs.mkdirSync(Path.dirname(target), { recursive: true, mode: 0o700 })
    if (Fs.existsSync(target)) throw Object.assign(new Error(`${target} is there already`), { code: "EEXIST" })
    Fs.mkdirSync(unfinished, { mode: 0o700 })
  })
  yield* Effect.forEach(
    sources,
    (name) => copyDatabase(Path.join(dataDir, name), Path.join(unfinished, name)),
    { discard: true }
  )
  // Only now: a copy that was broken off never looks like a whole one.
  yield* attempt(target, () => Fs.renameSync(unfinished, target))
  const backedUp: BackedUp = { dir: target, files: sources }
  return backedUp
})

const copyDatabase = Effect.fnUntraced(function*(from: string, to: string) {
  const db = yield* openReadOnly(from)
  yield* attempt(to, () => {
    ownFile(to)
    // One read transaction: what is written meanwhile goes into the log, and not into the copy.
    db.prepare("VACUUM INTO ?").run(to)
    flush(to)
  })
}, Effect.scoped)

const flush = (path: string): void => {
  const file = Fs.openSync(path, "r+")
  try {
    Fs.fsyncSync(file)
  } finally {
    Fs.closeSync(file)
  }
}

/**
 * Puts the databases of a backup in the place of those of `dataDir`, on which nobody may run. What was there is moved into a directory
 * beside them; nothing is deleted. Everything that can fail for the backup's sake fails before the first file is moved.
 */
export const restore = Effect.fn("Store.restore")(function*(dataDir: string, dir: string) {
  const names = yield* attempt(dir, () => databasesIn(dir))
  if (!names.includes(main)) {
    return yield* problem(
      Path.join(dir, main),
      "failed",
      "It is not there. Name a directory that \"homing backup\" made."
    )
  }
  yield* attempt(dataDir, () => Fs.mkdirSync(dataDir, { recursive: true, mode: 0o700 }))
  yield* takeLease(dataDir)

  const arriving = (name: string) => Path.join(dataDir, `${name}.restoring`)
  const forgetArrivals = Effect.sync(() => names.forEach((name) => Fs.rmSync(arriving(name), { force: true })))
  yield* Effect.forEach(
    names,
    Effect.fnUntraced(function*(name) {
      yield* attempt(arriving(name), () => {
        Fs.copyFileSync(Path.join(dir, name), arriving(name))
        Fs.chmodSync(arriving(name), 0o600)
        flush(arriving(name))
      })
      yield* check(arriving(name), Path.join(dir, name))
    }),
    { discard: true }
  ).pipe(Effect.onError(() => forgetArrivals))

  const aside = Path.join(dataDir, `before-restore-${yield* stamp}`)
  const restored: Restored = yield* attempt(dataDir, () => {
    // With their logs: a database without its log is an older one.
    const present = Fs.readdirSync(dataDir).filter((name) => /\.db(-wal|-shm)?$/.test(name) && !name.startsWith(lease))
    if (present.length > 0) Fs.mkdirSync(aside, { mode: 0o700 })
    for (const name of present) Fs.renameSync(Path.join(dataDir, name), Path.join(aside, name))
    for (const name of names) Fs.renameSync(arriving(name), Path.join(dataDir, name))
    return { files: names, aside: present.length > 0 ? aside : undefined }
  })
  return restored
}, Effect.scoped)

const Answer = Schema.Struct({
  quick_check: Schema.optionalKey(Schema.String),
  user_version: Schema.optionalKey(Schema.Int)
})
const decodeAnswer = Schema.decodeUnknownSync(Answer)

/** Whether a copy is whole, and of a version that this Homing knows. `name` is what to call it. */
const check = Effect.fnUntraced(function*(path: string, name: string) {
  const db = yield* openReadOnly(path)
  const ask = (pragma: string) => attempt(name, () => decodeAnswer(db.prepare(pragma).get()))
  const { quick_check: found } = yield* ask("PRAGMA quick_check(1)")
  if (found !== "ok") {
    return yield* problem(name, "corrupt", `It is damaged: ${found}. Take another backup; nothing was changed.`)
  }
  if (Path.basename(name) !== main) return
  const { user_version: version = 0 } = yield* ask("PRAGMA user_version")
  if (version === 0 || version > migrations.length) {
    const found = version === 0 ? "It is no database of Homing" : `It was written by a newer Homing (schema ${version})`
    return yield* problem(
      name,
      "newer_schema",
      `${found}; this one knows schema ${migrations.length}. Nothing was changed.`
    )
  }
}, Effect.scoped)
