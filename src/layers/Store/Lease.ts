import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { LeaseHeld, type StoreUnavailable } from "../../domain/Errors.ts"
import { ownFile } from "./Database.ts"
import { problemOf, storeFailure, unavailable } from "./Failures.ts"

const Holder = Schema.fromJsonString(Schema.Struct({ pid: Schema.Int, startedAt: Schema.Finite }))
const decodeHolder = Schema.decodeUnknownOption(Holder)

const SQLITE_BUSY = 5

/**
 * Takes the data directory for this process, for as long as the scope lives. Fails at once with `LeaseHeld` while another
 * process has it.
 *
 * The lease is an exclusive transaction on a file of its own, and so a lock of the operating system: it ends with its
 * process, however that ends, and no stale file is ever in the way. `lease.json` only says who holds it.
 *
 * `lease.db` must not be opened in any other way: POSIX drops a process's locks on a file when the process closes any
 * descriptor of it (sqlite.org/howtocorrupt.html, 2.2). That is why `ownFile` opens it only to create it.
 */
export const takeLease = Effect.fn("Store.takeLease")(function*(
  dataDir: string
): Effect.fn.Return<void, LeaseHeld | StoreUnavailable, Scope.Scope> {
  const path = Path.join(dataDir, "lease.db")
  const note = Path.join(dataDir, "lease.json")
  const { DatabaseSync } = yield* Effect.promise(() => import("node:sqlite"))
  const startedAt = yield* Clock.currentTimeMillis
  yield* Effect.acquireRelease(
    Effect.try({
      try: () => {
        ownFile(path)
        const lock = new DatabaseSync(path, { timeout: 0 })
        try {
          lock.exec("BEGIN EXCLUSIVE")
        } catch (cause) {
          lock.close()
          throw cause
        }
        return lock
      },
      catch: (cause) =>
        isBusy(cause) ? new LeaseHeld({ path: dataDir, holder: holderOf(note) }) : cannotLock(path, cause)
    }),
    (lock) =>
      Effect.sync(() => {
        // While the lock is still held: afterwards the note may be the next holder's.
        Fs.rmSync(note, { force: true })
        lock.close()
      })
  )
  yield* Effect.try({
    try: () => {
      ownFile(note)
      Fs.writeFileSync(note, `${JSON.stringify({ pid: process.pid, startedAt })}\n`)
    },
    catch: storeFailure(note)
  })
})

const isBusy = (cause: unknown): boolean =>
  typeof cause === "object" && cause !== null && "errcode" in cause && typeof cause.errcode === "number" &&
  (cause.errcode & 0xff) === SQLITE_BUSY

const cannotLock = (path: string, cause: unknown): StoreUnavailable => {
  switch (problemOf(cause)) {
    case "corrupt":
      return unavailable(path, "failed", "It is no lock file of Homing. It holds no data: delete it")
    // The first file that a start writes: what is wrong is the directory.
    case "not_writable": {
      const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined
      const why = code === "EROFS" ? "it is read-only" : "this user may not write in it"
      return unavailable(Path.dirname(path), "not_writable", `Nothing can be kept in this directory, since ${why}`)
    }
    default:
      return storeFailure(path)(cause)
  }
}

const holderOf = (note: string): string => {
  try {
    return Option.match(decodeHolder(Fs.readFileSync(note, "utf8")), {
      onNone: () => "another process",
      onSome: ({ pid, startedAt }) => `process ${pid}, started ${new Date(startedAt).toISOString()}`
    })
  } catch {
    return "another process"
  }
}
