import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { type LeaseHeld, StoreUnavailable } from "../../domain/Errors.ts"
import { makeDirectory } from "../MakeDirectory.ts"
import type { Store } from "../Store.ts"
import { makeChats } from "./Chats.ts"
import { type Database, openDatabase } from "./Database.ts"
import { makeEncryptedRooms, makeNoteEncrypted } from "./EncryptedRooms.ts"
import { noDataDir, storeFailure, unavailable } from "./Failures.ts"
import { makeForget } from "./Forget.ts"
import { makeInbox } from "./Inbox.ts"
import { takeLease } from "./Lease.ts"
import { migrate, migrations, schemaVersion } from "./Migrations.ts"
import { makeOutbox } from "./Outbox.ts"
import { makePrompts } from "./Prompts.ts"
import { makeProvisioning } from "./Provisioning.ts"
import { makePrune } from "./Prune.ts"
import { makeReports } from "./Reports.ts"
import { makeCursor, makeSession } from "./Session.ts"

/** The store over an open database whose schema is up to date. */
export const makeStore = (db: Database): Store["Service"] => ({
  transaction: db.transaction,
  session: makeSession(db),
  cursor: makeCursor(db),
  encryptedRooms: makeEncryptedRooms(db),
  noteEncrypted: makeNoteEncrypted(db),
  chats: makeChats(db),
  reports: makeReports(db),
  inbox: makeInbox(db),
  outbox: makeOutbox(db),
  prompts: makePrompts(db),
  provisioning: makeProvisioning(db),
  prune: makePrune(db),
  forget: makeForget(db)
})

/** Opens, migrates and serves the file `filename`, or `:memory:`. */
export const openStore = Effect.fn("Store.openStore")(function*(filename: string) {
  const db = yield* openDatabase(filename)
  yield* migrate(db)
  return makeStore(db)
})

/** Makes the directory if need be, takes its lease, and only then touches the database. */
export const openDataDir = Effect.fn("Store.openDataDir")(function*(dataDir: string) {
  yield* Effect.mapError(makeDirectory(dataDir), noDataDir(dataDir))
  yield* takeLease(dataDir)
  return yield* openStore(Path.join(dataDir, "homing.db"))
})

/**
 * The path of a database that is there: opening it in any other case would make an empty one. A directory that this user may not look into
 * is told from one where there is none.
 */
export const presentDatabase = (dataDir: string): Effect.Effect<string, StoreUnavailable> => {
  const path = Path.join(dataDir, "homing.db")
  return Effect.try({
    try: () => Fs.statSync(path, { throwIfNoEntry: false }) !== undefined,
    catch: storeFailure(path)
  }).pipe(
    Effect.flatMap((there) =>
      there ? Effect.succeed(path) : new StoreUnavailable({ path, problem: "failed", detail: none })
    )
  )
}

const none = "There is none: no bot has run there yet. Set HOMING_DATA_DIR to the directory that the bot runs on."

/** The database of a data directory as it stands, for looking only: takes no lease and changes no schema. */
export const readDataDir = Effect.fn("Store.readDataDir")(function*(dataDir: string) {
  const db = yield* openDatabase(yield* presentDatabase(dataDir))
  yield* schemaVersion(db)
  yield* db.run(db.sql`PRAGMA query_only = ON`)
  return makeStore(db)
})

/**
 * The database of a data directory for one short change, whether or not a bot runs on it: SQLite lets one process write after the
 * other. Changes no schema, which a bot that runs would not expect.
 */
export const changeDataDir = Effect.fn("Store.changeDataDir")(function*(dataDir: string) {
  const path = yield* presentDatabase(dataDir)
  const db = yield* openDatabase(path)
  const version = yield* schemaVersion(db)
  if (version < migrations.length) {
    return yield* unavailable(
      path,
      "failed",
      "It was written by an older Homing, and the next start of the bot brings it up to date"
    )
  }
  return makeStore(db)
})

/** Who runs on a data directory; undefined when nobody does. Asks by taking the lease for a moment. */
export const leaseHolder = (dataDir: string): Effect.Effect<LeaseHeld | undefined, StoreUnavailable> =>
  Effect.scoped(takeLease(dataDir)).pipe(
    Effect.as(undefined),
    Effect.catchTag("LeaseHeld", (held) => Effect.succeed(held))
  )
