import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Fs from "node:fs"
import type { StoreUnavailable } from "../../domain/Errors.ts"
import { passing } from "../Checkpoint.ts"
import { storeFailure, unavailable } from "./Failures.ts"

type Statement = Effect.Effect<ReadonlyArray<object>, SqlError>

/** One open database. Every failure of it is a `StoreUnavailable` that names the file. */
export interface Database {
  readonly sql: SqlClient
  readonly path: string
  run(statement: Statement): Effect.Effect<void, StoreUnavailable>
  /** Joins a transaction that is open already: the inner one alone can be undone. */
  transaction<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | StoreUnavailable, R>
}

/** The rows of a query, decoded. A row that does not decode means that the file is damaged. */
export const allRows = <A, I>(db: Database, row: Schema.Codec<A, I>, statement: Statement) => {
  const decode = Schema.decodeUnknownEffect(Schema.Array(row))
  return Effect.mapError(Effect.flatMap(statement, decode), storeFailure(db.path))
}

/** The first row of a query, decoded; undefined when there is none. */
export const firstRow = <A, I>(db: Database, row: Schema.Codec<A, I>, statement: Statement) =>
  Effect.map(allRows(db, row, statement), (rows) => rows[0])

/** Keeps the failure of a caller apart from a failure of the transaction around it. */
class OfCaller<E> {
  readonly error: E
  constructor(error: E) {
    this.error = error
  }
}

const makeDatabase = (sql: SqlClient, path: string): Database => {
  const fail = storeFailure(path)
  return {
    sql,
    path,
    run: (statement) => Effect.asVoid(Effect.mapError(statement, fail)).pipe(passing()),
    transaction: (effect) =>
      sql.withTransaction(Effect.mapError(effect, (error) => new OfCaller(error))).pipe(
        Effect.mapError((error) => error instanceof OfCaller ? error.error : fail(error)),
        passing()
      )
  }
}

/** Loaded late: an unpatched driver fails while it is imported, and that must become a message and not a stack trace. */
const loadDriver = () => import("@effect/sql-sqlite-node/SqliteClient")

/** Opening fails as a defect in this driver. */
const defectsFailWith = <E2>(fail: (cause: unknown) => E2) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.catchCauseIf(effect, Cause.hasDies, (cause) => Effect.fail(fail(Cause.squash(cause))))

/** Files up to this many bytes are checked page by page when they are opened; of larger ones the schema is read. */
const checkedSize = 16 * 1024 * 1024

/** One page of the smallest size (sqlite.org/fileformat.html, 1.2). */
const smallestDatabase = 512

const Check = Schema.Struct({ quick_check: Schema.String })

/**
 * Opens the database `filename` (`:memory:` for none on disk) for as long as the scope lives. One connection: a
 * statement waits for an open transaction.
 */
export const openDatabase = Effect.fn("Store.open")(function*(
  filename: string,
  load: typeof loadDriver = loadDriver
): Effect.fn.Return<Database, StoreUnavailable, Scope.Scope> {
  const fail = storeFailure(filename)
  const unpatched = (cause: unknown) =>
    unavailable(filename, "unpatched_driver", `Its driver is not the one that Homing was tested with (${cause})`)
  const driver = yield* Effect.tryPromise({ try: load, catch: unpatched })
  const size = filename === ":memory:" ? 0 : yield* Effect.try({ try: () => ownFile(filename), catch: fail })
  // SQLite takes a file that is too short to be a database for an empty one, and would write over it.
  if (size > 0 && size < smallestDatabase) {
    return yield* unavailable(filename, "corrupt", `It is damaged: ${size} bytes are no database`)
  }
  const sql = yield* driver.make({ filename }).pipe(
    Effect.provideServiceEffect(Reactivity.Reactivity, Reactivity.make),
    defectsFailWith(fail)
  )
  if (sql.driver !== "sqlite-node") return yield* unpatched(`driver ${sql.driver}`)
  const db = makeDatabase(sql, filename)
  // In WAL mode NORMAL survives kill -9: what was committed is with the operating system. A power loss may roll the last
  // commits back, but never tears the file, and it repeats no message: replies are made again from the same events, and
  // their transaction ids are derived from event ids, so the homeserver drops what it has already.
  yield* db.run(sql`PRAGMA synchronous = NORMAL`)
  yield* db.run(sql`PRAGMA foreign_keys = ON`)
  // Event ids are random, so every insert touches another page of their index: with the log written back every 16 MB
  // instead of every 4, and as much cache, a page is written once for many rows.
  yield* db.run(sql`PRAGMA wal_autocheckpoint = 4000`)
  yield* db.run(sql`PRAGMA cache_size = -16000`)
  if (size <= checkedSize) {
    const found = (yield* firstRow(db, Check, sql`PRAGMA quick_check(1)`))?.quick_check
    if (found !== "ok") return yield* unavailable(filename, "corrupt", `It is damaged: ${found}`)
  } else {
    yield* db.run(sql`SELECT count(*) AS tables FROM sqlite_master`)
  }
  return db
})

/**
 * Makes sure that the file exists and is for its owner only, and tells its size in bytes. SQLite gives `-wal` and `-shm` the
 * mode of the database, so they follow.
 */
export const ownFile = (path: string): number => {
  try {
    Fs.closeSync(Fs.openSync(path, "wx", 0o600))
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause
  }
  const stat = Fs.statSync(path)
  if ((stat.mode & 0o077) !== 0) Fs.chmodSync(path, 0o600)
  return stat.size
}
