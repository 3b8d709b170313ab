import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { exitCode, StoreUnavailable } from "../../domain/Errors.ts"
import { makeDirectory } from "../MakeDirectory.ts"
import type { BackedUp, Restored } from "../Store.ts"
import { ownFile } from "./Database.ts"
import { noDataDir, storeFailure } from "./Failures.ts"
import { takeLease } from "./Lease.ts"
import { presentDatabase } from "./Live.ts"
import { migrations } from "./Migrations.ts"

/** The database that every backup has. */
const main = "homing.db"

/** What opens the account's secrets: whoever lost it has nothing newer. */
const recovery = "recovery.key"

/** A lock and no data: opening it in another way than `takeLease` does would let go of the lock. */
const lease = "lease.db"

/** A backup cannot be put where it was asked for, or is not found there. `detail` is a clause. Exit code 74. */
export class BackupRefused extends Schema.TaggedError<BackupRefused>()("BackupRefused", {
  detail: Schema.String,
  /** A sentence. */
  advice: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = exitCode.storeUnusable
  override get message() {
    return `${this.detail.charAt(0).toUpperCase()}${this.detail.slice(1)}. ${this.advice}`
  }
}

const problem = (path: string, problem: StoreUnavailable["problem"], detail: string): StoreUnavailable =>
  new StoreUnavailable({ path, problem, detail })

/** A time as the name of a directory, such as `2026-11-23T23-42-30Z`. */
const stamp = Effect.map(
  Clock.currentTimeMillis,
  (now) => new Date(now).toISOString().replace(/\.\d+/, "").replaceAll(":", "-")
)

const isDatabase = (name: string): boolean => name.endsWith(".db")

/** The databases of a directory, the main one first, and the keys that they are encrypted with. */
const filesIn = (dir: string): ReadonlyArray<string> => {
  const names = Fs.readdirSync(dir).filter((name) => /\.(db|key)$/.test(name) && name !== lease).toSorted()
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

/** Copies every database of `dataDir`, each as it stands at one moment, and its keys, also while a bot runs on it. */
export const backUp = Effect.fn("Store.backUp")(function*(dataDir: string, dir: string) {
  const time = yield* stamp
  yield* presentDatabase(dataDir)
  const sources = yield* attempt(dataDir, () => filesIn(dataDir))
  if (isInside(dataDir, dir)) {
    return yield* new BackupRefused({
      detail: `${dir} is in the data directory ${dataDir}, and a backup there is lost together with it`,
      advice: "Name a directory elsewhere, on another disk if there is one."
    })
  }
  const target = Fs.existsSync(dir) ? Path.join(dir, time) : dir
  const unfinished = `${target}.unfinished`
  if (Fs.existsSync(target)) {
    return yield* new BackupRefused({ detail: `${target} is there already`, advice: elsewhere })
  }
  if (Fs.existsSync(unfinished)) {
    return yield* new BackupRefused({
      detail: `${unfinished} is there already, of a backup that was broken off or still runs`,
      advice: "Delete it once nothing writes there, or name another directory."
    })
  }
  yield* Effect.mapError(makeDirectory(unfinished), ({ detail }) => new BackupRefused({ detail, advice: elsewhere }))
  yield* Effect.forEach(
    sources,
    (name) => (isDatabase(name) ? copyDatabase : copyKey)(Path.join(dataDir, name), Path.join(unfinished, name)),
    { discard: true }
  )
  // Only now: a copy that was broken off never looks like a whole one.
  yield* attempt(target, () => Fs.renameSync(unfinished, target))
  const backedUp: BackedUp = { dir: target, files: sources }
  return backedUp
})

/** Whether `path` is `directory`, or below it: as the file system sees it, also where `path` is not there yet. */
const isInside = (directory: string, path: string): boolean => {
  const [first] = Path.relative(Fs.realpathSync(directory), whereItIs(Path.resolve(path))).split(Path.sep)
  return first !== ".." && !Path.isAbsolute(first ?? "")
}

const whereItIs = (path: string): string =>
  Fs.existsSync(path) || Path.dirname(path) === path
    ? Fs.realpathSync(path)
    : Path.join(whereItIs(Path.dirname(path)), Path.basename(path))

const elsewhere = "Name a directory that this user may write, on a disk that has the room."

const copyDatabase = Effect.fnUntraced(function*(from: string, to: string) {
  const db = yield* openReadOnly(from)
  yield* attempt(to, () => {
    ownFile(to)
    // One read transaction: what is written meanwhile goes into the log, and not into the copy.
    db.prepare("VACUUM INTO ?").run(to)
    flush(to)
  })
}, Effect.scoped)

const copyKey = (from: string, to: string) =>
  attempt(to, () => {
    ownFile(to)
    Fs.copyFileSync(from, to)
    flush(to)
  })

const flush = (path: string): void => {
  const file = Fs.openSync(path, "r+")
  try {
    Fs.fsyncSync(file)
  } finally {
    Fs.closeSync(file)
  }
}

/** What belongs together: the keys of the device, and what opens them. */
const isOfTheKeys = (name: string): boolean => /^crypto\.(db(-wal|-shm)?|key)$/.test(name)

/**
 * Whether there are keys that can be read. They are newer than those of any backup: older ones would encrypt with what was used before, and
 * name one-time keys that the homeserver has given away.
 */
const hasKeys = (dataDir: string): Effect.Effect<boolean> => {
  const path = Path.join(dataDir, "crypto.db")
  return Fs.existsSync(path) ? Effect.isSuccess(check(path, path)) : Effect.succeed(false)
}

/**
 * Puts the databases of a backup in the place of those of `dataDir`, on which nobody may run. What was there is moved into a directory
 * beside them; nothing is deleted. Everything that can fail for the backup's sake fails before the first file is moved. Keys that are there
 * and whole stay, as does a recovery key.
 */
export const restore = Effect.fn("Store.restore")(function*(dataDir: string, dir: string) {
  const all = yield* Effect.try({ try: () => filesIn(dir), catch: (cause) => notABackup(dir, cause) })
  if (!all.includes(main)) return yield* notABackup(dir, undefined)
  yield* Effect.mapError(makeDirectory(dataDir), noDataDir(dataDir))
  yield* takeLease(dataDir)
  const keysStay = yield* hasKeys(dataDir)
  const recoveryStays = Fs.existsSync(Path.join(dataDir, recovery))
  const stays = (name: string) => name === recovery ? recoveryStays : keysStay && isOfTheKeys(name)
  const names = all.filter((name) => !stays(name))

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
      const copied = Path.join(dir, name)
      if (isDatabase(name)) yield* Effect.mapError(check(arriving(name), copied), ofTheBackup(copied))
    }),
    { discard: true }
  ).pipe(Effect.onError(() => forgetArrivals))

  const aside = Path.join(dataDir, `before-restore-${yield* stamp}`)
  const restored: Restored = yield* attempt(dataDir, () => {
    // With their logs: a database without its log is an older one.
    const present = Fs.readdirSync(dataDir).filter((name) =>
      /\.(db(-wal|-shm)?|key)$/.test(name) && !name.startsWith(lease) && !stays(name)
    )
    if (present.length > 0) Fs.mkdirSync(aside, { mode: 0o700 })
    for (const name of present) Fs.renameSync(Path.join(dataDir, name), Path.join(aside, name))
    for (const name of names) Fs.renameSync(arriving(name), Path.join(dataDir, name))
    return { files: names, kept: all.filter(stays), aside: present.length > 0 ? aside : undefined }
  })
  return restored
}, Effect.scoped)

/** What a start advises of its own database is none for a backup. */
const ofTheBackup = (path: string) => (error: StoreUnavailable): StoreUnavailable =>
  error.problem !== "corrupt" || error.detail.includes("nothing was changed")
    ? error
    : problem(path, "corrupt", `${error.detail.split(".")[0]}. Name another backup; nothing was changed.`)

const notABackup = (dir: string, cause: unknown): BackupRefused => {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined
  const found = cause === undefined
    ? `there is no ${main} in ${dir}`
    : code === "ENOENT"
    ? `there is no directory ${dir}`
    : code === "ENOTDIR"
    ? `${dir} is a file and no directory`
    : code === "EACCES" || code === "EPERM"
    ? `this user may not read ${dir}`
    : `${dir} cannot be read (${String(code)})`
  return new BackupRefused({
    detail: found,
    advice: "Name a directory that \"homing backup\" made. Nothing was changed."
  })
}

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
