import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { exitCode, type StoreUnavailable } from "../../domain/Errors.ts"
import { unavailable } from "../Store/Failures.ts"
import { Catalog } from "./IndexedDb/Catalog.ts"
import type { Engine } from "./IndexedDb/Engine.ts"
import { IDBFactory } from "./IndexedDb/Factory.ts"
import * as Globals from "./IndexedDb/Globals.ts"
import { cryptoFailure } from "./IndexedDb/Problem.ts"
import { refuseTheRest } from "./IndexedDb/Refused.ts"
import { NewerSchema, SqliteFile } from "./IndexedDb/SqliteFile.ts"
import { Turns } from "./IndexedDb/Turns.ts"

/**
 * An IndexedDB (w3.org/TR/IndexedDB) in one SQLite file, as far as the Rust crypto of matrix-js-sdk uses it. Its stores have
 * keys that are given with each value; its cursors go forward; transactions run one at a time. Everything else throws
 * `NotSupportedError`.
 *
 * A transaction is on the disk before `complete` is told, and the SDK waits for that before it sends what it encrypted. When
 * the file fails, the state in memory is ahead of the one that is kept, and nothing may be sent any more: `onFailure`.
 */
export interface Options {
  /** Ends the process. By default it prints the message and exits with code 74. Nothing is done or told after it. */
  readonly onFailure?: (error: StoreUnavailable) => void
}

/**
 * Opens the file, or makes it, with mode 0600. No record is read. When the scope ends, transactions that have been asked for
 * end first. One process at a time: the lease of the data directory sees to that.
 */
export const open = Effect.fn("IndexedDb.open")(function*(
  path: string,
  options: Options = {}
): Effect.fn.Return<IDBFactory, StoreUnavailable, Scope.Scope> {
  refuseTheRest()
  const { engine } = yield* Effect.acquireRelease(
    Effect.try({
      try: () => {
        const file = new SqliteFile(path)
        return { file, engine: engineOn(file, path, options.onFailure ?? endProcess) }
      },
      catch: (cause) => cause instanceof NewerSchema ? newerSchema(path) : cryptoFailure(path)(cause)
    }),
    ({ engine, file }) =>
      Effect.promise(() => engine.turns.close()).pipe(
        Effect.andThen(Effect.sync(() => file.close()))
      )
  )
  return new IDBFactory(engine)
})

/**
 * Makes the databases the `indexedDB` of this process for as long as the scope lives. The SDK looks there and nowhere else,
 * and for the classes of IndexedDB at every use: the scope is to outlive the client.
 */
export const install = (factory: IDBFactory): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => Globals.install(globalThis, factory)),
      (uninstall) => Effect.sync(uninstall)
    )
  )

const engineOn = (file: SqliteFile, path: string, onFailure: (error: StoreUnavailable) => void): Engine => {
  const turns = new Turns()
  return {
    file,
    turns,
    catalog: new Catalog(file),
    lost: (cause) => {
      turns.halt()
      onFailure(cryptoFailure(path)(cause))
    }
  }
}

const endProcess = (error: StoreUnavailable): void => {
  process.stderr.write(`homing: ${error.message}\n`)
  process.exit(exitCode.storeUnusable)
}

const newerSchema = (path: string): StoreUnavailable =>
  unavailable(path, "newer_schema", "It was written by a newer version of Homing.")
