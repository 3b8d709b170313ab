import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { isSqlError } from "effect/sql/SqlError"
import { StoreUnavailable } from "../../domain/Errors.ts"
import type { DirectoryUnusable } from "../MakeDirectory.ts"

type Problem = StoreUnavailable["problem"]

/** Primary result codes of SQLite (sqlite.org/rescode.html). Anything else is `failed`. */
const byResultCode: Readonly<Record<number, Problem>> = {
  3: "not_writable", // SQLITE_PERM
  8: "not_writable", // SQLITE_READONLY
  11: "corrupt", // SQLITE_CORRUPT
  13: "disk_full", // SQLITE_FULL
  14: "not_writable", // SQLITE_CANTOPEN
  23: "not_writable", // SQLITE_AUTH
  26: "corrupt" // SQLITE_NOTADB
}

/** Extended codes that say more than their primary code, SQLITE_IOERR, does. */
const byExtendedCode: Readonly<Record<number, Problem>> = {
  4874: "disk_full", // SQLITE_IOERR_SHMSIZE: no room for the index of the write-ahead log
  8458: "corrupt" // SQLITE_IOERR_CORRUPTFS
}

/** Codes of Node's file system calls. */
const bySystemCode: Readonly<Record<string, Problem>> = {
  EACCES: "not_writable",
  EPERM: "not_writable",
  EROFS: "not_writable",
  ENOTDIR: "not_writable",
  EEXIST: "not_writable",
  EISDIR: "not_writable",
  ENOENT: "not_writable",
  ENOSPC: "disk_full",
  EDQUOT: "disk_full"
}

const remedy: Readonly<Record<Problem, string>> = {
  not_writable: "Make the directory and the files in it writable for the user that runs Homing, " +
    "or set HOMING_DATA_DIR to a directory that is.",
  disk_full: "Free some disk space, or set HOMING_DATA_DIR to a directory on a larger disk, and start again.",
  corrupt: "Restore the file from a backup, or move it away (Homing never deletes it) and start again: " +
    "the chats come back from their markers on the homeserver.",
  newer_schema: "Install that newer Homing, or restore the backup that was made before it was installed. " +
    "The file was not touched.",
  other_account:
    "One data directory belongs to one account: set HOMING_DATA_DIR to another directory, or sign in as before.",
  unpatched_driver: "Run \"npm ci\" in the directory of Homing, without --ignore-scripts.",
  failed: "Start again; if it happens again, run \"homing doctor\" and report what it says."
}

/** One place for the words: what was found, then what to do. */
export const unavailable = (path: string, problem: Problem, found: string): StoreUnavailable =>
  new StoreUnavailable({ path, problem, detail: `${found}${/[.!?]$/.test(found) ? "" : "."} ${remedy[problem]}` })

const messageOf = (cause: unknown): string =>
  Predicate.hasProperty(cause, "message") && typeof cause.message === "string" ? cause.message : String(cause)

/** What a failed statement, a failed open or a failed file system call means to the person who runs Homing. */
export const problemOf = (cause: unknown): Problem => {
  if (isSqlError(cause)) return problemOf(cause.reason.cause)
  if (Schema.isSchemaError(cause)) return "corrupt"
  if (Predicate.hasProperty(cause, "errcode") && typeof cause.errcode === "number") {
    return byExtendedCode[cause.errcode] ?? byResultCode[cause.errcode & 0xff] ?? "failed"
  }
  if (Predicate.hasProperty(cause, "code") && typeof cause.code === "string") {
    return bySystemCode[cause.code] ?? "failed"
  }
  return "failed"
}

const describe = (cause: unknown): string => {
  if (isSqlError(cause)) return describe(cause.reason.cause)
  if (Schema.isSchemaError(cause)) return `It holds a row that Homing cannot read: ${messageOf(cause)}`
  const message = messageOf(cause)
  if (/^no such (table|column)/.test(message)) {
    return `It was written by an older Homing; a start of the bot brings it up to date (${message})`
  }
  return message.charAt(0).toUpperCase() + message.slice(1)
}

/** Every failure of the store passes here: it keeps a `StoreUnavailable` as it is and gives all others their name. */
export const storeFailure = (path: string) => (cause: unknown): StoreUnavailable =>
  cause instanceof StoreUnavailable ? cause : unavailable(path, problemOf(cause), describe(cause))

/** The data directory cannot be made. Another one helps, or room for it; other permissions do not. */
export const noDataDir = (dataDir: string) => ({ detail, full }: DirectoryUnusable): StoreUnavailable => {
  const found = detail.charAt(0).toUpperCase() + detail.slice(1)
  return full ? unavailable(dataDir, "disk_full", found) : new StoreUnavailable({
    path: dataDir,
    problem: "not_writable",
    detail: `${found}. Set HOMING_DATA_DIR to a directory that the user who runs Homing may write.`
  })
}
