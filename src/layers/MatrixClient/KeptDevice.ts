import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { DeviceId } from "../../domain/Ids.ts"
import { IDBDatabase } from "./IndexedDb/Database.ts"
import type { IDBFactory } from "./IndexedDb/Factory.ts"
import type { IDBRequest } from "./IndexedDb/Request.ts"

/** The device whose keys are kept; undefined when there are none. A client without keys keeps none. */
export const KeptDevice = Context.Reference<Effect.Effect<DeviceId | undefined>>("homing/MatrixClient/KeptDevice", {
  defaultValue: () => Effect.succeed(undefined)
})

const store = "device"
const place = "id"

const readDevice = Schema.decodeUnknownOption(DeviceId)

/**
 * Remembers beside the keys whose they are: when only the database of the chats is lost, the bot signs in as the same device again, and
 * the keys are still good.
 */
export const makeKeptDevice = Effect.fnUntraced(function*(factory: IDBFactory) {
  const database = yield* Effect.promise(() => open(factory))
  const read = Effect.map(
    Effect.promise(() => answerOf(database.transaction(store).objectStore(store).get(place))),
    (answer) => Option.getOrUndefined(readDevice(answer))
  )
  return {
    read,
    keep: (device: string | null) =>
      Effect.flatMap(read, (known) =>
        known === device || device === null
          ? Effect.void
          : Effect.promise(() =>
            answerOf(database.transaction(store, "readwrite").objectStore(store).put(device, place))
          ))
  }
})

const open = (factory: IDBFactory): Promise<IDBDatabase> => {
  const request = factory.open("homing", 1)
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
