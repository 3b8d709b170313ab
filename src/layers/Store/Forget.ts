import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { DeviceId } from "../../domain/Ids.ts"
import type { Store } from "../Store.ts"
import { type Database, decoderOf } from "./Database.ts"
import { storeFailure } from "./Failures.ts"

const decodeTables = decoderOf(Schema.Array(Schema.Struct({ name: Schema.String })))

/** Who the bot is, and where it must not speak in clear; every other table is what it remembers. */
const kept = ["account", "encrypted_rooms"]

/**
 * Empties the tables and leaves the file: one transaction, where deleting the file and its log would be several steps with a crash between
 * each. The file then gives back what it no longer needs.
 */
export const makeForget = (db: Database): Store["Service"]["forget"] =>
  Effect.fn("Store.forget")(function*(keep) {
    yield* db.atomic("Store.forget", (statements) => {
      // Until the commit a row may be without the one that it refers to.
      statements.run("PRAGMA defer_foreign_keys = ON")
      const tables = decodeTables(
        statements.all("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      )
      for (const { name } of tables) {
        if (!kept.includes(name) || keep === "nothing") statements.run(`DELETE FROM "${name}"`)
      }
    })
    yield* db.run(db.sql`VACUUM`)
  })

/** The device's keys, and the key of the file they are in. Not `recovery.key`: it is the account's, and lets the next device into the backup. */
const keyFiles = ["crypto.db-shm", "crypto.db-wal", "crypto.db", "crypto.key"]

/**
 * Deletes the keys of the bot's device, on which nobody may run. `backup` has a copy of the database already, which is worth nothing
 * without its key.
 */
export const forgetKeys = Effect.fn("Store.forgetKeys")(function*(dataDir: string, backup: string) {
  const key = Path.join(dataDir, "crypto.key")
  const kept = Path.join(backup, "crypto.key")
  yield* Effect.try({
    try: () => {
      if (Fs.existsSync(key) && !Fs.existsSync(kept)) {
        Fs.copyFileSync(key, kept)
        Fs.chmodSync(kept, 0o600)
      }
      for (const name of keyFiles) Fs.rmSync(Path.join(dataDir, name), { force: true })
    },
    catch: storeFailure(Path.join(dataDir, "crypto.db"))
  })
})

/**
 * Moves the keys of `device`, undefined when it is not known whose they are, out of the way of the next device, and answers the path of each
 * that there was. They are not deleted: what is not in the key backup is nowhere else. What was put aside before stays as it is.
 */
export const putKeysAside = Effect.fn("Store.putKeysAside")(function*(dataDir: string, device: DeviceId | undefined) {
  // A device id is the server's choice, and no path.
  const name = device?.replaceAll(/[^A-Za-z0-9_-]/g, "_") ?? "unknown"
  const inPlace = (file: string) => Path.join(dataDir, file)
  const taken = (suffix: string) => keyFiles.some((file) => Fs.existsSync(inPlace(asideName(file, suffix))))
  return yield* Effect.try({
    try: () => {
      let suffix = name
      for (let count = 2; taken(suffix); count++) suffix = `${name}-${count}`
      // An index of the log that nobody uses, and a log in which nothing is left.
      Fs.rmSync(inPlace("crypto.db-shm"), { force: true })
      if (Fs.statSync(inPlace("crypto.db-wal"), { throwIfNoEntry: false })?.size === 0) {
        Fs.rmSync(inPlace("crypto.db-wal"))
      }
      return keyFiles.filter((file) => Fs.existsSync(inPlace(file))).map((file) => {
        const aside = inPlace(asideName(file, suffix))
        Fs.renameSync(inPlace(file), aside)
        return aside
      })
    },
    catch: storeFailure(inPlace("crypto.db"))
  })
})

/** SQLite looks for the log of a database by its name: `crypto.db.ABC-wal` belongs to `crypto.db.ABC`. */
const asideName = (file: string, suffix: string): string => file.replace(/^(crypto\.\w+)/, `$1.${suffix}`)
