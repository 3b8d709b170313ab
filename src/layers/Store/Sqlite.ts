import type * as SqliteDriver from "@effect/sql-sqlite-node/SqliteClient"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import type * as Semaphore from "effect/Semaphore"
import type { SqlClient } from "effect/sql/SqlClient"
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite"
import { StoreUnavailable } from "../../domain/Errors.ts"
import { storeFailure, unavailable } from "./Failures.ts"

/** Statements that run now, on the one connection. Each text is prepared once. */
export interface Statements {
  /** The first row, if any. */
  get(text: string, ...values: ReadonlyArray<SQLInputValue>): unknown
  all(text: string, ...values: ReadonlyArray<SQLInputValue>): ReadonlyArray<unknown>
  /** How many rows it changed. */
  run(text: string, ...values: ReadonlyArray<SQLInputValue>): number
}

/** One open SQLite file. Who uses `statements` or `handle` holds the permit of `turn`, as every statement of `sql` does. */
export interface Sqlite {
  readonly sql: SqlClient
  readonly statements: Statements
  readonly turn: Semaphore.Semaphore
  readonly handle: DatabaseSync
}

/** Loaded late: an unpatched driver fails while it is imported, and that must become a message and not a stack trace. */
const loadDriver = (): Promise<{ readonly make: typeof SqliteDriver.make }> =>
  import("@effect/sql-sqlite-node/SqliteClient")

/**
 * Opens a file with Effect's driver. The patch of the driver (`patches/`) puts its connection in reach, because the hot path runs
 * on prepared statements: an Effect, a span and a compilation for each of them cost five times what SQLite does.
 */
export const openSqlite = Effect.fnUntraced(function*(
  filename: string,
  load: typeof loadDriver = loadDriver
): Effect.fn.Return<Sqlite, StoreUnavailable, Scope.Scope> {
  const unpatched = (cause: unknown) =>
    unavailable(filename, "unpatched_driver", `Its driver is not the one that Homing was tested with (${cause})`)
  const driver = yield* Effect.tryPromise({
    try: load,
    catch: (cause) => isOldNode(cause) ? oldNode(filename) : unpatched(cause)
  })
  const client = yield* driver.make({ filename }).pipe(
    Effect.provideServiceEffect(Reactivity.Reactivity, Reactivity.make),
    // Opening fails as a defect in this driver.
    Effect.catchCauseIf(Cause.hasDies, (cause) => Effect.fail(storeFailure(filename)(Cause.squash(cause))))
  )
  if (!isPatched(client)) return yield* unpatched(`driver ${client.driver}`)
  return { sql: client, statements: statementsOn(client.database), turn: client.semaphore, handle: client.database }
})

const isOldNode = (cause: unknown): boolean =>
  typeof cause === "object" && cause !== null && "code" in cause && cause.code === "ERR_UNKNOWN_BUILTIN_MODULE"

const oldNode = (path: string): StoreUnavailable =>
  new StoreUnavailable({
    path,
    problem: "failed",
    detail:
      `This is Node ${process.versions.node}, which has no SQLite. Run it with Node 22.18 or newer; node_modules/node/bin of Homing has one.`
  })

/** What the type promises holds only with the patch. */
const isPatched = (client: Partial<SqliteDriver.SqliteClient>): boolean =>
  client.driver === "sqlite-node" && client.database !== undefined && client.semaphore !== undefined

const statementsOn = (handle: DatabaseSync): Statements => {
  const prepared = new Map<string, StatementSync>()
  const statement = (text: string): StatementSync => {
    const known = prepared.get(text)
    if (known !== undefined) return known
    const made = handle.prepare(text)
    // Lists make texts of any length: those that came first, the hot path's, are kept.
    if (prepared.size < 200) prepared.set(text, made)
    return made
  }
  return {
    get: (text, ...values) => statement(text).get(...values),
    all: (text, ...values) => statement(text).all(...values),
    run: (text, ...values) => Number(statement(text).run(...values).changes)
  }
}
