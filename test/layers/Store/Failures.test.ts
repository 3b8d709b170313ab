import { assert, describe, it } from "@effect/vitest"
import { SqlError, UnknownError } from "effect/sql/SqlError"
import { StoreUnavailable } from "../../../src/domain/Errors.ts"
import { storeFailure, unavailable } from "../../../src/layers/Store/Failures.ts"

const sqlite = (errcode: number) => Object.assign(new Error("from SQLite"), { code: "ERR_SQLITE_ERROR", errcode })
const system = (code: string) => Object.assign(new Error(`${code}: from the system`), { code })
const fail = storeFailure("data/homing.db")

describe("a failure of the store", () => {
  it.each(
    [
      ["SQLITE_FULL", sqlite(13), "disk_full"],
      ["SQLITE_IOERR_SHMSIZE", sqlite(4874), "disk_full"],
      ["ENOSPC", system("ENOSPC"), "disk_full"],
      ["SQLITE_READONLY", sqlite(8), "not_writable"],
      ["SQLITE_READONLY_DIRECTORY", sqlite(1544), "not_writable"],
      ["SQLITE_CANTOPEN", sqlite(14), "not_writable"],
      ["EACCES", system("EACCES"), "not_writable"],
      ["EROFS", system("EROFS"), "not_writable"],
      ["ENOTDIR", system("ENOTDIR"), "not_writable"],
      ["SQLITE_CORRUPT", sqlite(11), "corrupt"],
      ["SQLITE_CORRUPT_INDEX", sqlite(779), "corrupt"],
      ["SQLITE_NOTADB", sqlite(26), "corrupt"],
      ["SQLITE_IOERR", sqlite(10), "failed"],
      ["SQLITE_BUSY", sqlite(5), "failed"],
      ["anything else", "a string", "failed"]
    ] as const
  )("takes %s for what it is", (_, cause, problem) => {
    assert.strictEqual(fail(cause).problem, problem)
    assert.strictEqual(fail(new SqlError({ reason: new UnknownError({ cause }) })).problem, problem)
  })

  it("names the file, what was found and what to do, each as a sentence", () => {
    assert.strictEqual(
      fail(sqlite(13)).message,
      "The database data/homing.db cannot be used: From SQLite. Free some disk space, " +
        "or set HOMING_DATA_DIR to a directory on a larger disk, and start again."
    )
  })

  it("stays as it is when it has its name already", () => {
    const error = unavailable("data/homing.db", "newer_schema", "It is newer")
    assert.strictEqual(fail(error), error)
    assert.instanceOf(error, StoreUnavailable)
  })
})
