import { assert, layer } from "@effect/vitest"
import { type Context, Effect, Layer, Schedule } from "effect"
import { CryptoEvent, VerificationRequestEvent, VerifierEvent } from "matrix-js-sdk/lib/crypto-api/index.js"
import * as Fs from "node:fs"
import { join } from "node:path"
import { UserId } from "../../src/domain/Ids.ts"
import type { Settings } from "../../src/layers/AppConfig.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Door } from "../../src/layers/Homeserver/Door.ts"
import * as MatrixClient from "../../src/layers/MatrixClient.ts"
import type { Store } from "../../src/layers/Store.ts"
import { temporaryDirectory } from "../layers/Store/Samples.ts"
import { sdkPerson } from "./SdkPerson.ts"
import { aDatabase, type Bot, startBot } from "./World.ts"

/** An account of its own for each test: what is verified stays so. */
const bots = ["first", "again", "lost", "locked", "strict", "wary", "other", "stranger"]

const world = Door.layer().pipe(
  Layer.provideMerge(Homeserver.layer({
    users: [...bots, "alice", "carol"].map((name) => ({ name, password: "password" }))
  }))
)

const idOf = (name: string) => `@${name}:homing.test`

interface Options {
  readonly dataDir: string
  readonly database?: Context.Context<Store>
  readonly settings?: Partial<Settings>
}

const botAs = Effect.fn("botAs")(function*(name: string, { dataDir, database, settings }: Options) {
  const { url } = yield* Door
  const known = database ?? (yield* aDatabase)
  const bot = yield* startBot({
    database: known,
    settings: { dataDir, homeserverUrl: new URL(url), userId: UserId.make(idOf(name)), ...settings },
    client: MatrixClient.layer
  })
  return { ...bot, database: known }
})

/** The line of the log, once it is there. */
const logged = (bot: Bot, event: string) =>
  Effect.sync(() => bot.log.find((line) => line.event === event)).pipe(
    Effect.repeat({ until: (line) => line !== undefined, schedule: Schedule.spaced("20 millis") }),
    Effect.map((line) => line?.data ?? {})
  )

/** What a person's client thinks of the devices of the bot: by device, whether the bot's own identity signed it. */
const seenBy = (person: { readonly client: import("matrix-js-sdk/lib/matrix.js").MatrixClient }, bot: string) =>
  Effect.promise(async () => {
    const crypto = person.client.getCrypto()
    const devices = (await crypto?.getUserDeviceInfo([bot], true))?.get(bot) ?? new Map()
    const seen: Record<string, boolean> = {}
    for (const device of devices.keys()) {
      seen[device] = (await crypto?.getDeviceVerificationStatus(bot, device))?.signedByOwner === true
    }
    return seen
  })

const uploadsOf = (bot: string) =>
  Effect.flatMap(
    Homeserver,
    ({ requests }) =>
      Effect.map(requests, (all) =>
        all.filter(({ path, user }) => user === bot && path.endsWith("/keys/device_signing/upload")).length)
  )

layer(world, { excludeTestServices: true })("a bot with keys", (it) => {
  it.effect(
    "is seen as verified after its first start, and the second start changes nothing",
    () =>
      Effect.gen(function*() {
        const dataDir = yield* temporaryDirectory
        const bot = yield* botAs("first", { dataDir })
        const { device } = yield* logged(bot, "device_verified")
        const alice = yield* sdkPerson("alice", "password")
        const room = yield* alice.createRoom("Tea", idOf("first"))
        yield* alice.greetingIn(room)
        assert.deepStrictEqual(yield* seenBy(alice, idOf("first")), { [String(device)]: true })
        assert.strictEqual(Fs.statSync(join(dataDir, "recovery.key")).mode & 0o777, 0o600)
        const key = Fs.readFileSync(join(dataDir, "recovery.key"), "utf8")
        assert.notInclude(JSON.stringify(bot.log), key.trim())
        assert.strictEqual(yield* uploadsOf(idOf("first")), 1)

        yield* bot.stop
        const again = yield* botAs("first", { dataDir, database: bot.database })
        assert.deepInclude(yield* logged(again, "device_verified"), { device, storage: "open", backup: "1" })
        assert.strictEqual(yield* uploadsOf(idOf("first")), 1)
        assert.strictEqual(Fs.readFileSync(join(dataDir, "recovery.key"), "utf8"), key)
      }).pipe(Effect.scoped),
    30_000
  )

  it.effect("asks for nothing but the sync before the gate is released", () =>
    Effect.gen(function*() {
      const bot = yield* botAs("again", { dataDir: yield* temporaryDirectory })
      yield* logged(bot, "device_verified")
      const asked = (yield* (yield* Homeserver).requests).filter(({ user }) => user === idOf("again"))
      const gate = asked.findIndex(({ path }) => path.endsWith("/sync"))
      const early = asked.slice(0, gate + 1).map(({ method, path }) => `${method} ${path.replace(/^.*\/v3/, "")}`)
      assert.deepStrictEqual(early.filter((request) => /keys\/|account_data/.test(request)), [
        "GET /room_keys/version"
      ])
    }).pipe(Effect.scoped), 20_000)
})
