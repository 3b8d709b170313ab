import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Fs from "node:fs"
import type { StoreUnavailable } from "../../domain/Errors.ts"
import { Checkpoint, passing } from "../Checkpoint.ts"
import { storeFailure, unavailable } from "./Failures.ts"
import { openSqlite, type Sqlite, type Statements } from "./Sqlite.ts"

type Statement = Effect.Effect<ReadonlyArray<object>, SqlError>

/** One open database. Every failure of it is a `StoreUnavailable` that names the file. */
export interface Database {
  readonly sql: SqlClient
  readonly path: string
  run(statement: Statement): Effect.Effect<void, StoreUnavailable>
  /** Joins a transaction that is open already: the inner one alone can be undone. */
  transaction<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | StoreUnavailable, R>
  /** Runs one statement, or only reads: `body` begins and ends without a pause. */
  once<A>(name: string, body: (statements: Statements) => A): Effect.Effect<A, StoreUnavailable>
  /**
   * Runs `body` without a pause and keeps all of it or nothing, also when it is part of a `transaction`. When this returns, it is
   * committed.
   */
  atomic<A>(name: string, body: (statements: Statements) => A): Effect.Effect<A, StoreUnavailable>
}

/** Decodes a row, or throws what `storeFailure` calls `corrupt`. Made once for each kind of row, since making it is what costs. */
export const decoderOf = <A, I>(row: Schema.Codec<A, I>) => Schema.decodeUnknownSync(row)

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

/** A part of the next transaction, and what became of it. */
interface Part<A> {
  outcome: Exit.Exit<A, unknown> | undefined
  readonly run: () => void
  readonly fail: (cause: unknown) => void
}

const makePart = <A>(work: () => A): Part<A> => {
  const part: Part<A> = {
    outcome: undefined,
    run: () => {
      part.outcome = Exit.succeed(work())
    },
    fail: (cause) => {
      part.outcome = Exit.fail(cause)
    }
  }
  return part
}

const makeDatabase = ({ handle, sql, statements, turn }: Sqlite, path: string): Database => {
  const fail = storeFailure(path)

  const inTransaction = <A>(body: () => A): A => {
    // Left by a commit that failed, and a rollback that failed after it: nobody else can have one open now.
    if (handle.isTransaction) handle.exec("ROLLBACK")
    return between("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK", body)
  }
  const inSavepoint = <A>(body: () => A): A =>
    between("SAVEPOINT atomic", "RELEASE atomic", "ROLLBACK TO atomic; RELEASE atomic", body)

  const between = <A>(begin: string, keep: string, undo: string, body: () => A): A => {
    statements.run(begin)
    try {
      const result = body()
      statements.run(keep)
      return result
    } catch (cause) {
      // SQLite has undone it by itself when the disk was full.
      if (handle.isTransaction) handle.exec(undo)
      throw cause
    }
  }

  const isOpen = (fiber: Fiber.Fiber<unknown, unknown>): boolean =>
    Context.getOrUndefined(fiber.context, sql.transactionService) !== undefined

  /** Runs `work` when no other fiber has a transaction open, or at once in the fiber that has. */
  const now = <A>(work: () => A) =>
    Effect.withFiber<A, StoreUnavailable>((fiber) => {
      const attempt = Effect.try({ try: work, catch: fail })
      return isOpen(fiber) ? attempt : turn.withPermit(attempt)
    })

  /** What the next transaction is made of. */
  const waiting = new Set<Part<unknown>>()

  const commitWaiting = () => {
    const parts = [...waiting]
    waiting.clear()
    try {
      inTransaction(() => {
        for (const part of parts) {
          try {
            inSavepoint(part.run)
          } catch (cause) {
            // With the transaction gone, as on a full disk, nothing of the others is left either.
            if (!handle.isTransaction) throw cause
            part.fail(cause)
          }
        }
      })
    } catch (cause) {
      for (const part of parts) part.fail(cause)
    }
  }

  /**
   * Runs `work` in a transaction together with all that is asked for in the same turn of the scheduler: under load a commit costs
   * more than what is written, and so it is paid once for many. What fails is undone alone.
   */
  const together = <A>(work: () => A) =>
    Effect.suspend(() => {
      const part = makePart(work)
      waiting.add(part)
      const outcome = Effect.suspend(() => {
        if (part.outcome === undefined) commitWaiting()
        return part.outcome ?? Effect.die("A part of a transaction was passed over")
      })
      return Effect.yieldNow.pipe(
        Effect.andThen(Effect.suspend(() => part.outcome ?? turn.withPermit(outcome))),
        Effect.mapError(fail),
        // Interrupted before it was begun: then nothing is.
        Effect.ensuring(Effect.sync(() => waiting.delete(part)))
      )
    })

  return {
    sql,
    path,
    run: (statement) => Effect.asVoid(Effect.mapError(statement, fail)).pipe(passing()),
    transaction: (effect) =>
      sql.withTransaction(Effect.mapError(effect, (error) => new OfCaller(error))).pipe(
        Effect.mapError((error) => error instanceof OfCaller ? error.error : fail(error)),
        passing()
      ),
    once: (name, body) => passing(name)(now(() => body(statements))),
    atomic: (name, body) =>
      passing(name)(
        Effect.flatMap(Checkpoint, (pass) => {
          const passed = pass === undefined ? statements : passingBetween(statements, () => pass(name))
          return Effect.withFiber((fiber) =>
            isOpen(fiber) ? now(() => inSavepoint(() => body(passed))) : together(() => body(passed))
          )
        })
      )
  }
}

const passingBetween = (statements: Statements, pass: () => void): Statements => {
  const passed = <A>(result: A): A => {
    pass()
    return result
  }
  return {
    all: (text, ...values) => passed(statements.all(text, ...values)),
    get: (text, ...values) => passed(statements.get(text, ...values)),
    run: (text, ...values) => passed(statements.run(text, ...values))
  }
}

/** Files up to this many bytes are checked page by page when they are opened; of larger ones the schema is read. */
const checkedSize = 16 * 1024 * 1024

/** One page of the smallest size (sqlite.org/fileformat.html, 1.2). */
export const smallestDatabase = 512

const Check = Schema.Struct({ quick_check: Schema.String })

/**
 * Opens the database `filename` (`:memory:` for none on disk) for as long as the scope lives. One connection: a
 * statement waits for an open transaction.
 */
export const openDatabase = Effect.fn("Store.open")(function*(
  filename: string,
  load?: Parameters<typeof openSqlite>[1]
): Effect.fn.Return<Database, StoreUnavailable, Scope.Scope> {
  const fail = storeFailure(filename)
  const size = filename === ":memory:" ? 0 : yield* Effect.try({ try: () => ownFile(filename), catch: fail })
  // SQLite takes a file that is too short to be a database for an empty one, and would write over it.
  if (size > 0 && size < smallestDatabase) {
    return yield* unavailable(filename, "corrupt", `It is damaged: ${size} bytes are no database`)
  }
  const db = makeDatabase(yield* openSqlite(filename, load), filename)
  // In WAL mode NORMAL survives kill -9: what was committed is with the operating system. A power loss may roll the last
  // commits back, but never tears the file, and it repeats no message: replies are made again from the same events, and
  // their transaction ids are derived from event ids, so the homeserver drops what it has already.
  yield* db.run(db.sql`PRAGMA synchronous = NORMAL`)
  yield* db.run(db.sql`PRAGMA foreign_keys = ON`)
  // Event ids are random, so every insert touches another page of their index: with the log written back every 16 MB
  // instead of every 4, and as much cache, a page is written once for many rows.
  yield* db.run(db.sql`PRAGMA wal_autocheckpoint = 4000`)
  yield* db.run(db.sql`PRAGMA cache_size = -16000`)
  if (size <= checkedSize) {
    const found = (yield* firstRow(db, Check, db.sql`PRAGMA quick_check(1)`))?.quick_check
    if (found !== "ok") return yield* unavailable(filename, "corrupt", `It is damaged: ${found?.replace(/\s+/g, " ")}`)
  } else {
    yield* db.run(db.sql`SELECT count(*) AS tables FROM sqlite_master`)
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
