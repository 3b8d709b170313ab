import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Result from "effect/Result"
import { AppConfig } from "../../layers/AppConfig.ts"
import { keyFromSetting, keyIn, markOf } from "../../layers/MatrixClient/CryptoKey.ts"
import { type KeptKeys, keysAreGone, keysIn } from "../../layers/MatrixClient/KeptDevice.ts"
import type { StoredSession } from "../../layers/Store.ts"
import { type Check, fail, ok } from "./Check.ts"

/** Whether the keys of the device are there, are its own, and open with the key beside them. Opens none of them. */
export const checkKeys = Effect.fn("Doctor.checkKeys")(function*(session: StoredSession | undefined) {
  const { dataDir } = yield* AppConfig
  const found = yield* Effect.result(keysIn(dataDir))
  if (Result.isFailure(found)) return { kept: undefined, checks: [broken(found.failure.message)] }
  const kept = found.success
  const checks: ReadonlyArray<Check> = kept === undefined
    ? session === undefined ? [] : [broken(keysAreGone(dataDir, session.deviceId).message)]
    : [yield* checkKept(kept, session)]
  return { kept, checks }
})

const checkKept = Effect.fnUntraced(function*(kept: KeptKeys, session: StoredSession | undefined) {
  const key = yield* Effect.result(keyOfKeys)
  if (Result.isFailure(key)) return broken(key.failure.message)
  if (kept.device === undefined) return ok(name, "There are none yet; the first start makes them.")
  if (session !== undefined && kept.device !== session.deviceId) {
    return broken(
      `crypto.db holds the keys of device ${kept.device}, and the session is of ${session.deviceId}.`,
      `Put back the crypto.db that belongs to this session, or run "homing sign-out", which puts this one aside.`
    )
  }
  if (key.success === undefined) {
    return broken(
      "crypto.key is gone, and crypto.db opens with no other.",
      `Put it back, or run "homing sign-out" and start again.`
    )
  }
  return kept.marks !== undefined && kept.marks.key !== markOf(key.success)
    ? broken(
      "crypto.db was encrypted with another key than the one that is there.",
      `Put crypto.db and crypto.key back as they were together, or run "homing sign-out" and start again.`
    )
    : ok(name, `They are those of device ${kept.device}.`)
})

/** The key of `crypto.db`; undefined when there is none yet. */
const keyOfKeys = Effect.gen(function*() {
  const { cryptoKey, dataDir } = yield* AppConfig
  if (cryptoKey !== undefined) return yield* keyFromSetting(cryptoKey)
  const file = (yield* Path.Path).join(dataDir, "crypto.key")
  const there = yield* FileSystem.FileSystem.use((files) => Effect.isSuccess(files.stat(file)))
  return there ? yield* keyIn(file) : undefined
})

const broken = (finding: string, remedy?: string): Check => fail(name, finding, remedy, "storeUnusable")

const name = "keys"
