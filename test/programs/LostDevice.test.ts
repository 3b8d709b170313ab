import { assert, layer } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Redacted } from "effect"
import * as Fs from "node:fs"
import { join } from "node:path"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Door } from "../../src/layers/Homeserver/Door.ts"
import { FaultEffect } from "../../src/layers/Homeserver/Faults.ts"
import { Store } from "../../src/layers/Store.ts"
import { temporaryDirectory } from "../layers/Store/Samples.ts"
import { botAs, idOf, logged, until } from "./KeyedBot.ts"
import { sdkPerson } from "./SdkPerson.ts"
import { newIdentity, signedDevices } from "./SdkVerifying.ts"
import { aDatabase, type Bot } from "./World.ts"

/** An account of its own for each test: what is lost stays so. */
const bots = ["busy", "deleted", "token", "stale", "signed", "older", "one"]

const world = Door.layer().pipe(
  Layer.provideMerge(Homeserver.layer({
    users: [...bots, "alice"].map((name) => ({ name, password: "password" }))
  }))
)

const loseKeys = (dataDir: string) =>
  Effect.sync(() => {
    for (const suffix of ["", "-wal", "-shm"]) Fs.rmSync(join(dataDir, `crypto.db${suffix}`), { force: true })
  })

/** The words that a start ends with. */
const refusalOf = (bot: Bot) =>
  Effect.map(Fiber.await(bot.fiber), (exit) => Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "")

const uploadsOf = (user: string) =>
  Effect.flatMap(
    Homeserver,
    ({ requests }) =>
      Effect.map(requests, (all) => all.filter((_) => _.user === user && _.path.endsWith("/keys/upload")))
  )

layer(world, { excludeTestServices: true })("a device", (it) => {
  it.effect(
    "whose keys are lost gets no other ones while the homeserver does not tell which it had",
    () =>
      Effect.gen(function*() {
        const dataDir = yield* temporaryDirectory
        const bot = yield* botAs("busy", { dataDir })
        yield* logged(bot, "device_verified")
        yield* bot.stop
        yield* loseKeys(dataDir)
        const { inject } = yield* Homeserver
        const before = yield* uploadsOf(idOf("busy"))
        yield* inject({
          user: idOf("busy"),
          path: "/keys/query",
          effect: FaultEffect.Answer({ status: 502, body: {} })
        })
        const again = yield* botAs("busy", { dataDir, database: bot.database })
        assert.match(yield* refusalOf(again), /had other keys.*homing sign-out/s)
        assert.strictEqual((yield* uploadsOf(idOf("busy"))).length, before.length)
      }).pipe(Effect.scoped),
    30_000
  )

  it.effect(
    "that was signed out elsewhere does not come back under its name with keys that nobody is told of",
    () =>
      Effect.gen(function*() {
        const dataDir = yield* temporaryDirectory
        const bot = yield* botAs("deleted", { dataDir })
        yield* logged(bot, "device_verified")
        yield* bot.stop
        yield* (yield* Homeserver).signOut("deleted")
        const again = yield* botAs("deleted", { dataDir })
        assert.match(yield* refusalOf(again), /has deleted device.*homing sign-out/s)
      }).pipe(Effect.scoped),
    30_000
  )

  it.effect(
    "that has not told its keys yet when it is killed tells them at the next start",
    () =>
      Effect.gen(function*() {
        const dataDir = yield* temporaryDirectory
        const { clearFaults, inject } = yield* Homeserver
        yield* inject({
          user: idOf("stale"),
          path: "/keys/upload",
          count: 1000,
          effect: FaultEffect.Answer({ status: 502, body: {} })
        })
        const bot = yield* botAs("stale", { dataDir })
        yield* logged(bot, "matrix_reconcile_complete")
        yield* bot.stop
        yield* clearFaults
        const again = yield* botAs("stale", { dataDir, database: bot.database })
        yield* logged(again, "device_verified")
      }).pipe(Effect.scoped),
    30_000
  )

  it.effect(
    "is not exchanged for that of a token: its keys stay, and it is said what to do",
    () =>
      Effect.gen(function*() {
        const dataDir = yield* temporaryDirectory
        const bot = yield* botAs("token", { dataDir })
        const { device } = yield* logged(bot, "device_verified")
        yield* bot.stop
        const other = yield* sdkPerson("token", "password")
        const settings = { accessToken: Redacted.make(other.token) }
        for (const database of [bot.database, yield* aDatabase]) {
          const again = yield* botAs("token", { dataDir, database, settings })
          const said = yield* refusalOf(again)
          assert.include(said, `the access token belongs to device ${other.deviceId}`)
          assert.include(said, `the keys of device ${String(device)}`)
        }
        const session = yield* Effect.flatMap(Store, (_) => _.session.load).pipe(Effect.provide(bot.database))
        assert.strictEqual(session?.deviceId, String(device))
      }).pipe(Effect.scoped),
    30_000
  )

  it.effect(
    "is not what is told of when a token is another account's: that is",
    () =>
      Effect.gen(function*() {
        const dataDir = yield* temporaryDirectory
        const bot = yield* botAs("one", { dataDir })
        yield* logged(bot, "device_verified")
        yield* bot.stop
        const { token } = yield* sdkPerson("alice", "password")
        const settings = { userId: undefined, accessToken: Redacted.make(token) }
        const said = yield* refusalOf(yield* botAs("one", { dataDir, database: bot.database, settings }))
        assert.include(said, `It belongs to ${idOf("one")}, and Homing signed in as ${idOf("alice")}`)
        assert.notInclude(said, "homing sign-out")
      }).pipe(Effect.scoped),
    30_000
  )

  it.effect(
    "that another session has signed is verified, whatever that session keeps to itself",
    () =>
      Effect.gen(function*() {
        const person = yield* sdkPerson("signed", "password")
        yield* newIdentity(person.client, "signed", "password")
        const dataDir = yield* temporaryDirectory
        const bot = yield* botAs("signed", { dataDir })
        yield* logged(bot, "device_not_verified")
        const device = (yield* logged(bot, "matrix_authenticated"))["device"]
        yield* signedDevices(person.client, idOf("signed"))
        yield* Effect.promise(() => person.client.getCrypto()?.crossSignDevice(String(device)) ?? Promise.reject())
        yield* bot.stop

        const again = yield* botAs("signed", { dataDir, database: bot.database })
        assert.deepInclude(yield* logged(again, "device_verified"), { device, storage: "none" })
        assert.isFalse(Fs.existsSync(join(dataDir, "recovery.key")), "secret storage is for whoever has the secrets")
        const alice = yield* sdkPerson("alice", "password")
        yield* alice.greetingIn(yield* alice.createRoom("Tea", idOf("signed")))
        assert.isTrue((yield* signedDevices(alice.client, idOf("signed")))[String(device)])
      }).pipe(Effect.scoped),
    40_000
  )

  it.effect(
    "whose keys are older than what the homeserver knows of it stops, and says what to do",
    () =>
      Effect.gen(function*() {
        const dataDir = yield* temporaryDirectory
        const alice = yield* sdkPerson("alice", "password")
        const bot = yield* botAs("older", { dataDir })
        yield* logged(bot, "device_verified")
        yield* bot.stop
        const backup = yield* temporaryDirectory
        Fs.copyFileSync(join(dataDir, "crypto.db"), join(backup, "crypto.db"))

        // Whoever encrypts for the device first uses a one-time key up, and the bot makes another.
        const claim = Effect.fnUntraced(function*(again: Bot) {
          const { device } = yield* logged(again, "device_verified")
          yield* Effect.promise(() => alice.client.claimOneTimeKeys([[idOf("older"), String(device)]]))
          // Of which the next answer to a sync tells.
          yield* alice.createRoom("Tea", idOf("older"))
        })
        const second = yield* botAs("older", { dataDir, database: bot.database })
        const before = (yield* uploadsOf(idOf("older"))).length
        yield* claim(second)
        yield* until(Effect.map(uploadsOf(idOf("older")), (all) => all.length > before))
        yield* second.stop

        Fs.copyFileSync(join(backup, "crypto.db"), join(dataDir, "crypto.db"))
        const third = yield* botAs("older", { dataDir, database: bot.database })
        yield* claim(third)
        assert.match(yield* refusalOf(third), /is older than.*homing sign-out.*Chats are kept/s)
      }).pipe(Effect.scoped),
    60_000
  )
})
