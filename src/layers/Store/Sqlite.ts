import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { classifySqliteError, SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite"

/** Statements that run now, on the one connection. Each text is prepared once. */
export interface Statements {
  /** The first row, if any. */
  get(text: string, ...values: ReadonlyArray<SQLInputValue>): unknown
  all(text: string, ...values: ReadonlyArray<SQLInputValue>): ReadonlyArray<unknown>
  /** How many rows it changed. */
  run(text: string, ...values: ReadonlyArray<SQLInputValue>): number
}

/** One open SQLite file. Who uses `statements` holds the permit of `turn`, as every statement of `sql` does. */
export interface Sqlite {
  readonly sql: SqlClient.SqlClient
  readonly statements: Statements
  readonly turn: Semaphore.Semaphore
  readonly handle: DatabaseSync
}

/**
 * Effect's `SqlClient` on `node:sqlite`: the driver of the package `@effect/sql-sqlite-node`, as small as this store needs it, with the
 * connection in reach. The hot path runs on `statements`, because an Effect, a span and a compilation for each statement cost five
 * times what SQLite does.
 */
export const makeSqlite = Effect.fnUntraced(function*(handle: DatabaseSync) {
  const prepared = new Map<string, StatementSync>()
  const statement = (text: string): StatementSync => {
    const known = prepared.get(text)
    if (known !== undefined) return known
    const made = handle.prepare(text)
    // Lists make texts of any length: those that came first, the hot path's, are kept.
    if (prepared.size < 200) prepared.set(text, made)
    return made
  }
  const statements: Statements = {
    get: (text, ...values) => statement(text).get(...values),
    all: (text, ...values) => statement(text).all(...values),
    run: (text, ...values) => Number(statement(text).run(...values).changes)
  }

  const execute = (text: string, values: ReadonlyArray<unknown>) =>
    Effect.try({
      try: () => statements.all(text, ...values.map(asInput)),
      catch: (cause) => new SqlError({ reason: classifySqliteError(cause, { operation: "execute" }) })
    })
  const connection: Connection = {
    execute,
    executeRaw: execute,
    executeUnprepared: execute,
    executeValues: () => Effect.die("rows are read by column"),
    executeValuesUnprepared: () => Effect.die("rows are read by column"),
    executeStream: () => Stream.die("rows are read at once")
  }

  const turn = Semaphore.makeUnsafe(1)
  const sql = yield* SqlClient.make({
    ...SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(connection),
      semaphore: turn,
      isTransaction: () => handle.isTransaction
    }),
    driver: "node:sqlite",
    compiler: Statement.makeCompilerSqlite(),
    // Waits for another process here, and not in the middle, where waiting is of no use (sqlite.org/lang_transaction.html, 2.2).
    beginTransaction: "BEGIN IMMEDIATE",
    releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
    prepareTransactionControls: true,
    spanAttributes: [["db.system.name", "sqlite"]]
  }).pipe(Effect.provideServiceEffect(Reactivity.Reactivity, Reactivity.make))
  const sqlite: Sqlite = { sql, statements, turn, handle }
  return sqlite
})

/** Whatever else a statement is given is a mistake in this folder. */
const asInput = (value: unknown): SQLInputValue => {
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "bigint") {
    return value
  }
  if (value instanceof Uint8Array) return value
  throw new TypeError(`SQLite takes no ${typeof value}`)
}
