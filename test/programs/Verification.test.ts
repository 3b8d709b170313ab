import { assert, layer } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Redacted } from "effect"
import * as Fs from "node:fs"
import { join } from "node:path"
import { UserId } from "../../src/domain/Ids.ts"
import { AppConfig } from "../../src/layers/AppConfig.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Door } from "../../src/layers/Homeserver/Door.ts"
import { FaultEffect } from "../../src/layers/Homeserver/Faults.ts"
import * as MatrixClient from "../../src/layers/MatrixClient.ts"
import { temporaryDirectory } from "../layers/Store/Samples.ts"
import { botAs, idOf, logged, until } from "./KeyedBot.ts"
import { sdkPerson } from "./SdkPerson.ts"
import { compareEmoji, cryptoOf, newIdentity, signedDevices } from "./SdkVerifying.ts"
import { aDatabase } from "./World.ts"

/** An account of its own for each test: what is verified stays so. */
const bots = ["first", "again", "asked", "lost", "locked", "strict", "wary", "other", "stranger"]

const world = Door.layer().pipe(
  Layer.provideMerge(Homeserver.layer({
    users: [...bots, "alice", "carol"].map((name) => ({ name, password: "password" }))
  }))
)

const countOf = (user: string, what: string) =>
  Effect.flatMap(
    Homeserver,
    ({ requests }) => Effect.map(requests, (all) => all.filter((_) => _.user === user && _.path.endsWith(what)).length)
  )

const uploadsOf = (user: string) => countOf(user, "/keys/device_signing/upload")

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
        assert.deepStrictEqual(yield* signedDevices(alice.client, idOf("first")), { [String(device)]: true })
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

  it.effect(
    "writes nothing and asks for no secret while the gate is held, however early it is told to begin",
    () =>
      Effect.gen(function*() {
        const { url } = yield* Door
        const client = yield* Layer.build(MatrixClient.layer.pipe(
          Layer.provideMerge(AppConfig.layerTest({
            dataDir: yield* temporaryDirectory,
            homeserverUrl: new URL(url),
            userId: UserId.make(idOf("again"))
          })),
          Layer.provideMerge(Layer.succeedContext(yield* aDatabase))
        ))
        yield* Effect.gen(function*() {
          yield* (yield* MatrixClient.MatrixSession).authenticate
          const sync = yield* MatrixClient.MatrixSync
          yield* sync.initialSync(undefined)
          const establishing = yield* Effect.forkChild((yield* MatrixClient.MatrixCrypto).establish)
          // Each request gives it as much time as it would need for one.
          yield* Effect.repeat((yield* MatrixClient.MatrixRooms).joined, { times: 5 })
          const asked = (yield* (yield* Homeserver).requests).filter(({ user }) => user === idOf("again"))
          const early = asked.map(({ method, path }) => `${method} ${path.replace(/^.*\/v3/, "")}`)
          assert.include(early, "GET /sync")
          assert.deepStrictEqual(early.filter((request) => /keys\/|signatures|account_data/.test(request)), [
            // The SDK looks for a backup when its keys are opened; that changes nothing.
            "GET /room_keys/version"
          ])
          yield* Effect.forkChild(sync.loop(() => Effect.void))
          assert.deepInclude(yield* Fiber.join(establishing), { identity: "here", signed: true })
        }).pipe(Effect.provide(client))
      }).pipe(Effect.scoped),
    20_000
  )

  it.effect(
    "shows its password to a server that asks for the owner, and says what to do where that is not enough",
    () =>
      Effect.gen(function*() {
        const { inject } = yield* Homeserver
        const asking = (stage: string) =>
          inject({
            user: idOf("asked"),
            path: "/keys/device_signing/upload",
            effect: FaultEffect.Answer({
              status: 401,
              body: { session: "s", flows: [{ stages: [stage] }], params: {} }
            })
          })
        const dataDir = yield* temporaryDirectory
        yield* asking("org.matrix.cross_signing_reset")
        const bot = yield* botAs("asked", { dataDir })
        assert.match(String((yield* logged(bot, "device_not_verified"))["remedy"]), /account's page/)
        yield* bot.stop
        yield* asking("m.login.password")
        const again = yield* botAs("asked", { dataDir, database: bot.database })
        yield* logged(again, "device_verified")
      }).pipe(Effect.scoped),
    20_000
  )

  it.effect(
    "reads old messages as a new device with the recovery key, and is verified, when its directory was lost",
    () =>
      Effect.gen(function*() {
        const [before, after] = [yield* temporaryDirectory, yield* temporaryDirectory]
        const bot = yield* botAs("lost", { dataDir: before })
        const { device } = yield* logged(bot, "device_verified")
        const alice = yield* sdkPerson("alice", "password")
        const room = yield* alice.createRoom("Tea", idOf("lost"))
        yield* alice.greetingIn(room)
        yield* alice.answerTo(room, yield* alice.say(room, "before"))
        yield* until(Effect.map(countOf(idOf("lost"), "/room_keys/keys"), (count) => count > 0))
        yield* bot.stop
        const missed = yield* alice.say(room, "meanwhile")
        const recoveryKey = Redacted.make(Fs.readFileSync(join(before, "recovery.key"), "utf8").trim())

        const anew = yield* botAs("lost", { dataDir: after, settings: { recoveryKey } })
        assert.strictEqual((yield* alice.answerTo(room, missed)).getContent()["body"], "meanwhile")
        const { device: second } = yield* logged(anew, "device_verified")
        assert.notStrictEqual(second, device)
        assert.deepStrictEqual(yield* signedDevices(alice.client, idOf("lost")), {
          [String(device)]: true,
          [String(second)]: true
        })
        assert.strictEqual(yield* uploadsOf(idOf("lost")), 1)
        assert.isFalse(Fs.existsSync(join(after, "recovery.key")))
      }).pipe(Effect.scoped),
    60_000
  )

  it.effect(
    "refuses to start with new keys for a device that had others, and leaves those on the server",
    () =>
      Effect.gen(function*() {
        const dataDir = yield* temporaryDirectory
        const bot = yield* botAs("other", { dataDir })
        yield* logged(bot, "device_verified")
        yield* bot.stop
        const alice = yield* sdkPerson("alice", "password")
        const keys = yield* alice.deviceOf(idOf("other"))
        for (const suffix of ["", "-wal", "-shm"]) Fs.rmSync(join(dataDir, `crypto.db${suffix}`), { force: true })
        const again = yield* botAs("other", { dataDir, database: bot.database })
        const exit = yield* Fiber.await(again.fiber)
        assert.isTrue(Exit.isFailure(exit))
        if (Exit.isFailure(exit)) assert.match(Cause.pretty(exit.cause), /had other keys.*homing sign-out/s)
        assert.deepStrictEqual(yield* alice.deviceOf(idOf("other")), keys)
      }).pipe(Effect.scoped),
    30_000
  )

  it.effect(
    "replaces no identity that another session made, says what to do, and answers all the same",
    () =>
      Effect.gen(function*() {
        const person = yield* sdkPerson("locked", "password")
        yield* newIdentity(person.client, "locked", "password")
        const bot = yield* botAs("locked", { dataDir: yield* temporaryDirectory })
        assert.match(String((yield* logged(bot, "device_not_verified"))["remedy"]), /homing verify --recovery-key/)
        assert.strictEqual(yield* uploadsOf(idOf("locked")), 1)
        const alice = yield* sdkPerson("alice", "password")
        const room = yield* alice.createRoom("Tea", idOf("locked"))
        yield* alice.greetingIn(room)
        yield* alice.answerTo(room, yield* alice.say(room, "hello"))
      }).pipe(Effect.scoped),
    30_000
  )

  it.effect(
    "gives its keys to verified people only when told so, and is verified by comparing emoji with its log",
    () =>
      Effect.gen(function*() {
        const bot = yield* botAs("strict", {
          dataDir: yield* temporaryDirectory,
          settings: { shareKeys: "verified", autoVerify: true }
        })
        const { device } = yield* logged(bot, "device_verified")
        const alice = yield* sdkPerson("alice", "password")
        const room = yield* alice.createRoom("Tea", idOf("strict"))
        yield* until(Effect.sync(() => alice.unreadable(room).length > 0))
        const request = yield* Effect.promise(() =>
          cryptoOf(alice.client).requestDeviceVerification(idOf("strict"), String(device))
        )
        const seen = yield* compareEmoji(request)
        assert.strictEqual((yield* logged(bot, "verification_emoji"))["emoji"], seen)
        yield* logged(bot, "verification_done")
        const answer = yield* alice.answerTo(room, yield* alice.say(room, "now?"))
        assert.strictEqual(answer.getContent()["body"], "now?")
      }).pipe(Effect.scoped),
    40_000
  )

  it.effect("compares emoji in a room, too", () =>
    Effect.gen(function*() {
      const bot = yield* botAs("stranger", {
        dataDir: yield* temporaryDirectory
      })
      yield* logged(bot, "device_verified")
      const alice = yield* sdkPerson("alice", "password")
      yield* newIdentity(alice.client, "alice", "password")
      const room = yield* alice.createRoom("Tea", idOf("stranger"))
      yield* alice.greetingIn(room)
      const request = yield* Effect.promise(() => cryptoOf(alice.client).requestVerificationDM(idOf("stranger"), room))
      const seen = yield* compareEmoji(request)
      assert.deepInclude(yield* logged(bot, "verification_emoji"), { emoji: seen, room })
      yield* logged(bot, "verification_done")
      yield* until(
        Effect.promise(() => cryptoOf(alice.client).getUserVerificationStatus(idOf("stranger"))).pipe(
          Effect.map((status) => status.isCrossSigningVerified())
        )
      )
    }).pipe(Effect.scoped), 40_000)

  it.effect("declines to compare emoji where its operator does not want it", () =>
    Effect.gen(function*() {
      const bot = yield* botAs("wary", { dataDir: yield* temporaryDirectory, settings: { autoVerify: false } })
      const { device } = yield* logged(bot, "device_verified")
      const alice = yield* sdkPerson("alice", "password")
      const room = yield* alice.createRoom("Tea", idOf("wary"))
      yield* alice.greetingIn(room)
      const request = yield* Effect.promise(() =>
        cryptoOf(alice.client).requestDeviceVerification(idOf("wary"), String(device))
      )
      assert.isUndefined(yield* compareEmoji(request))
      assert.match(String((yield* logged(bot, "verification_declined"))["reason"]), /auto_verify/)
    }).pipe(Effect.scoped), 30_000)
})
