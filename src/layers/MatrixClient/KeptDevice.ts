import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { CryptoUnusable, type StoreUnavailable } from "../../domain/Errors.ts"
import { DeviceId } from "../../domain/Ids.ts"
import { IDBDatabase } from "./IndexedDb/Database.ts"
import type { IDBFactory } from "./IndexedDb/Factory.ts"
import { peek } from "./IndexedDb/Peek.ts"
import { beginAnew, cryptoFailure } from "./IndexedDb/Problem.ts"
import type { IDBRequest } from "./IndexedDb/Request.ts"

/** The device whose keys are kept; undefined when there are none. A client without keys keeps none. */
export const KeptDevice = Context.Reference<Effect.Effect<DeviceId | undefined>>("homing/MatrixClient/KeptDevice", {
  defaultValue: () => Effect.succeed(undefined)
})

const name = "homing"
const store = "device"
const place = "id"
const marksPlace = "marks"

/** What tells these keys from others, and holds none. */
const Marks = Schema.Struct({
  /** The device's ed25519 key, which others see. */
  fingerprint: Schema.String,
  /** Of the key of `crypto.db` (`markOf`). */
  key: Schema.String
})
type Marks = typeof Marks.Type

const readDevice = Schema.decodeUnknownOption(DeviceId)
const readMarks = Schema.decodeUnknownOption(Marks)

/**
 * Remembers beside the keys whose they are: when only the database of the chats is lost, the bot signs in as the same device again, and
 * the keys are still good.
 */
export const makeKeptDevice = Effect.fnUntraced(function*(factory: IDBFactory) {
  const database = yield* Effect.promise(() => open(factory))
  const get = (place: string) =>
    Effect.promise(() => answerOf(database.transaction(store).objectStore(store).get(place)))
  const put = (place: string, value: unknown) =>
    Effect.promise(() => answerOf(database.transaction(store, "readwrite").objectStore(store).put(value, place)))
  const read = Effect.map(get(place), (answer) => Option.getOrUndefined(readDevice(answer)))
  return {
    read,
    keep: Effect.fnUntraced(function*(device: string | null, marks: Marks | undefined) {
      if (device !== null && (yield* read) !== device) yield* put(place, device)
      const known = Option.getOrUndefined(readMarks(yield* get(marksPlace)))
      if (marks !== undefined && (known?.key !== marks.key || known.fingerprint !== marks.fingerprint)) {
        yield* put(marksPlace, marks)
      }
    })
  }
})

/** Whose keys a data directory has. */
export interface KeptKeys {
  /** Undefined before the first sign-in. */
  readonly device: DeviceId | undefined
  /** Undefined for keys of an older version. */
  readonly marks: Marks | undefined
}

/** Looks, beside a bot that runs and without the key of `crypto.db`. Undefined where there is no such file. */
export const keysIn = Effect.fn("KeptDevice.keysIn")(function*(
  dataDir: string
): Effect.fn.Return<KeptKeys | undefined, StoreUnavailable> {
  const path = Path.join(dataDir, "crypto.db")
  return yield* Effect.try({
    try: (): KeptKeys | undefined => {
      if (!Fs.existsSync(path)) return undefined
      const [device, marks] = peek(path, { database: name, store, keys: [place, marksPlace] })
      return { device: Option.getOrUndefined(readDevice(device)), marks: Option.getOrUndefined(readMarks(marks)) }
    },
    catch: cryptoFailure(path)
  })
})

/** What a start finds out by asking the server is plain where the file itself is not there. */
export const keysAreGone = (dataDir: string, device: DeviceId): CryptoUnusable =>
  new CryptoUnusable({
    detail: `${Path.join(dataDir, "crypto.db")} is gone, and with it the keys of device ${device}.`,
    remedy: `Put back the crypto.db and crypto.key of this device, or ${beginAnew}`
  })

const open = (factory: IDBFactory): Promise<IDBDatabase> => {
  const request = factory.open(name, 1)
  request.onupgradeneeded = () => void databaseOf(request.result).createObjectStore(store)
  return answerOf(request).then(databaseOf)
}

const answerOf = (request: IDBRequest): Promise<unknown> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error("The request failed without an error."))
  })

const databaseOf = (result: unknown): IDBDatabase => {
  if (result instanceof IDBDatabase) return result
  throw new Error("What was opened is no database.")
}
