import { StoreUnavailable } from "../../../domain/Errors.ts"
import { problemOf, storeFailure } from "../../Store/Failures.ts"

/** The names of exceptions that IndexedDB gives to mistakes of its user (webidl.spec.whatwg.org, 2.8.1). */
type ProblemName =
  | "AbortError"
  | "ConstraintError"
  | "DataCloneError"
  | "DataError"
  | "InvalidAccessError"
  | "InvalidStateError"
  | "NotFoundError"
  | "NotSupportedError"
  | "ReadOnlyError"
  | "SyntaxError"
  | "TransactionInactiveError"
  | "VersionError"

/** What the one who asked did wrong. Everything else that is thrown here is a failure of the store, and ends it. */
export const problem = (name: ProblemName, message: string, cause?: unknown): DOMException =>
  new DOMException(message, cause === undefined ? { name } : { name, cause })

/** The file holds what was never written; carries the code that SQLite has for this (SQLITE_CORRUPT). */
export const damaged = (found: string): Error => Object.assign(new Error(`It is damaged: ${found}`), { errcode: 11 })

/** A failure of the file in words of the person who runs Homing. A damaged crypto store is not the end of the chats. */
export const cryptoFailure = (path: string) => (cause: unknown): StoreUnavailable => {
  if (problemOf(cause) !== "corrupt") return storeFailure(path)(cause)
  const found = cause instanceof Error ? cause.message.replace(/\.?$/, ".") : "It is damaged."
  return new StoreUnavailable({
    path,
    problem: "corrupt",
    detail:
      `${found} It holds the keys of encrypted rooms. Put crypto.db and crypto.key back as they were together; a backup of ` +
      `the data directory has both. Or ${beginAnew}`
  })
}

/** The one command that helps when the keys of a device are lost: it moves `crypto.db` out of the way, too. */
export const beginAnew =
  `run "homing sign-out" and start again: a new device takes its place, and reads old messages with the recovery key.`
