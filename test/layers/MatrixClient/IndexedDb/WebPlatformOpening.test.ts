import { assert, describe, it } from "@effect/vitest"
import { answerOf, endOf, opened, thrownBy } from "./Databases.ts"
import { errorOf, keysIn, onDatabases, onStore, storeIn } from "./WebPlatform.ts"

describe("web platform: opening", () => {
  it.effect("idbfactory_open, idbversionchangeevent: tells a new version of the old one and the new", () =>
    onDatabases(async (factory) => {
      const seen: Array<unknown> = []
      for (const version of [3, 7]) {
        const request = factory.open("db", version)
        request.onupgradeneeded = (event) => {
          seen.push(event.type, "oldVersion" in event && event.oldVersion, "newVersion" in event && event.newVersion)
          seen.push(request.transaction?.mode)
        }
        await answerOf(request)
        assert.isNull(request.transaction)
        const { result } = request
        if (typeof result === "object" && result !== null && "close" in result && typeof result.close === "function") {
          result.close()
        }
      }
      assert.deepStrictEqual(seen, ["upgradeneeded", 0, 3, "versionchange", "upgradeneeded", 3, 7, "versionchange"])
    }))

  it.effect("idbfactory_open9, idbfactory_open-error-properties: only a whole number above zero is a version", () =>
    onDatabases(async (factory) => {
      for (const version of [-1, 0, 0.5, 1.5, NaN, Infinity, 2 ** 60]) {
        assert.strictEqual(thrownBy(() => factory.open("db", version)), "TypeError", String(version))
      }
      assert.strictEqual(thrownBy(() => factory.open("db", Number.MAX_SAFE_INTEGER)), "nothing")
    }))

  it.effect("idbfactory_open12, VersionError: a version that is lower than the one there is fails", () =>
    onDatabases(async (factory) => {
      const database = await opened(factory, "db", 5)
      assert.strictEqual(await errorOf(opened(factory, "db", 4)), "VersionError")
      assert.strictEqual((await opened(factory, "db")).version, 5)
      assert.strictEqual(database.version, 5)
    }))

  it.effect("open-request-queue: those who open a database do so one after another", () =>
    onDatabases(async (factory) => {
      const log: Array<string> = []
      const open = async (version: number | undefined, name: string) => {
        const database = await opened(factory, "db", version, () => log.push(`upgrade ${name}`))
        log.push(`open ${name}`)
        database.close()
      }
      await Promise.all([open(1, "first"), open(2, "second"), open(undefined, "third")])
      assert.deepStrictEqual(log, ["upgrade first", "open first", "upgrade second", "open second", "open third"])
    }))

  it.effect("close-pending, idbdatabase_close: a connection that is closed lets its transactions end, and a version wait for them", () =>
    onStore(() => {}, async (database) => {
      const store = storeIn(database, "readwrite")
      const answer = answerOf(store.put("value", 1))
      database.close()
      assert.strictEqual(await answer, 1)
      assert.strictEqual(await endOf(store.transaction), "complete")
      assert.strictEqual(thrownBy(() => database.transaction("store")), "InvalidStateError")
      assert.strictEqual(thrownBy(() => database.close()), "nothing")
    }))

  it.effect("upgrade-transaction-lifecycle-committed, close-in-upgradeneeded: closed while its version is made, it does not open", () =>
    onDatabases(async (factory) => {
      const failed = opened(factory, "db", 2, (database) => {
        database.createObjectStore("store")
        database.close()
      })
      assert.strictEqual(await errorOf(failed), "AbortError")
      const again = await opened(factory, "db")
      assert.deepStrictEqual([again.version, ...again.objectStoreNames], [2, "store"])
    }))

  it.effect("database-names-by-origin, idbfactory_open5: databases are apart by their names, whatever these are", () =>
    onDatabases(async (factory) => {
      const names = ["", "a", "A", "\0", "ä", "../a", "'; DROP TABLE records; --"]
      for (const [at, name] of names.entries()) {
        const database = await opened(factory, name, 1, (database) => database.createObjectStore("store"))
        const store = storeIn(database, "readwrite")
        store.put(name, at)
        await endOf(store.transaction)
      }
      for (const [at, name] of names.entries()) {
        assert.deepStrictEqual(await keysIn(await opened(factory, name)), [at])
      }
    }))
})
