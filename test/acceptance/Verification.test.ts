import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, Schema } from "effect"
import { readFileSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { sdkPersonAt } from "../programs/SdkPerson.ts"
import { compareEmoji, cryptoOf, newIdentity, signedDevices } from "../programs/SdkVerifying.ts"
import { homing } from "../Spawn.ts"
import { settings, startReadyBot, temporaryDirectory } from "./Bot.ts"
import { type Account, makeAccount, request, synapse } from "./Homeserver.ts"
import { personOf } from "./Person.ts"
import { scenario } from "./Scenario.ts"

const clientOf = ({ localpart, password }: Account) => sdkPersonAt({ url: synapse.url, user: localpart, password })

const BackupVersion = Schema.Struct({ count: Schema.Int })

/** The backup holds two keys: of what the bot says in a room, and of what the person does. Which comes first, nobody knows. */
const bothKeysBackedUp = Effect.fnUntraced(function*(account: Account) {
  const { token } = yield* personOf(account)
  yield* request(BackupVersion, "GET", "/_matrix/client/v3/room_keys/version", { token }).pipe(
    Effect.repeat({ until: ({ count }) => count >= 2, schedule: Schedule.spaced("100 millis") })
  )
})

describe("the bot's device", () => {
  it.live("is verified from the first start on, and the second one sets up nothing anew", () =>
    Effect.gen(function*() {
      const { account, dataDir, environment, proxy, start } = yield* scenario()
      const bot = yield* start
      const { annotations } = yield* bot.logs("device_verified")
      assert.deepInclude(annotations, { storage: "open", backup: "1" })
      const alice = yield* clientOf(yield* makeAccount("alice"))
      const room = yield* alice.createRoom("Between us", account.userId)
      yield* alice.greetingIn(room)
      assert.deepStrictEqual(yield* signedDevices(alice.client, account.userId), {
        [String(annotations["device"])]: true
      })
      assert.strictEqual(statSync(join(dataDir, "recovery.key")).mode & 0o777, 0o600)
      yield* bot.stop
      yield* proxy.forget

      const again = yield* start
      yield* again.logs("device_verified")
      yield* again.stop
      const uploads = proxy.requests.filter(({ path }) => /device_signing|signatures\/upload|secret_storage/.test(path))
      assert.deepStrictEqual(uploads.filter(({ method }) => method !== "GET"), [])

      const shown = yield* homing(["verify"], { cwd: dataDir, env: environment })
      assert.strictEqual(shown.code, 0, shown.stderr)
      assert.include(shown.stdout, "verified: signed by the account's identity")
    }))

  it.live("that is lost with its directory is followed by one that reads what was said meanwhile, with the recovery key", () =>
    Effect.gen(function*() {
      const { account, dataDir, proxy, start } = yield* scenario()
      const bot = yield* start
      const { annotations } = yield* bot.logs("device_verified")
      const alice = yield* clientOf(yield* makeAccount("alice"))
      const room = yield* alice.createRoom("Between us", account.userId)
      yield* alice.greetingIn(room)
      yield* alice.answerTo(room, yield* alice.say(room, "before"))
      yield* bothKeysBackedUp(account)
      yield* bot.stop
      const missed = yield* alice.say(room, "meanwhile")

      const recoveryKey = readFileSync(join(dataDir, "recovery.key"), "utf8").trim()
      const elsewhere = yield* temporaryDirectory
      const more = { HOMING_RECOVERY_KEY: recoveryKey }
      const anew = yield* startReadyBot(settings({ account, dataDir: elsewhere, url: proxy.url, more }))
      assert.strictEqual((yield* alice.answerTo(room, missed)).getContent()["body"], "meanwhile")
      const second = (yield* anew.logs("device_verified")).annotations["device"]
      assert.notStrictEqual(second, annotations["device"])
      const devices = yield* signedDevices(alice.client, account.userId)
      assert.isTrue(devices[String(second)])
    }))

  it.live("is not given other keys when its own are lost: the start says what to do", () =>
    Effect.gen(function*() {
      const { dataDir, environment, start } = yield* scenario()
      const bot = yield* start
      yield* bot.logs("device_verified")
      yield* bot.stop
      for (const suffix of ["", "-wal", "-shm"]) rmSync(join(dataDir, `crypto.db${suffix}`), { force: true })
      const refused = yield* homing(["run"], { cwd: dataDir, env: environment })
      assert.strictEqual(refused.code, 74)
      assert.match(refused.stderr, /had other keys.*homing sign-out/s)

      const out = yield* homing(["sign-out"], { cwd: dataDir, env: environment })
      assert.strictEqual(out.code, 0, out.stderr)
      const anew = yield* start
      yield* anew.logs("device_verified")
    }))

  it.live("is verified when another session signs it, which keeps the account's identity to itself", () =>
    Effect.gen(function*() {
      const { account, dataDir, environment, start } = yield* scenario()
      const owner = yield* clientOf(account)
      yield* newIdentity(owner.client, account.localpart, account.password)
      const bot = yield* start
      yield* bot.logs("device_not_verified")
      const device = String((yield* bot.logs("matrix_authenticated")).annotations["device"])
      // Looks at the device first: only what it knows can be signed.
      yield* signedDevices(owner.client, account.userId).pipe(
        Effect.repeat({ until: (seen) => device in seen, schedule: Schedule.spaced("100 millis") })
      )
      yield* Effect.promise(() => cryptoOf(owner.client).crossSignDevice(device))
      yield* bot.stop

      const again = yield* start
      assert.deepInclude((yield* again.logs("device_verified")).annotations, { device })
      const alice = yield* clientOf(yield* makeAccount("alice"))
      yield* alice.greetingIn(yield* alice.createRoom("Between us", account.userId))
      assert.isTrue((yield* signedDevices(alice.client, account.userId))[device])
      yield* again.stop
      const shown = yield* homing(["verify"], { cwd: dataDir, env: environment })
      assert.include(shown.stdout, "verified, by another session")
    }))

  it.live("whose keys are lost is followed by one that reads what was said before, with keys that only the backup has", () =>
    Effect.gen(function*() {
      const { account, dataDir, environment, proxy, start } = yield* scenario()
      const bot = yield* start
      const lost = (yield* bot.logs("device_verified")).annotations["device"]
      const alice = yield* clientOf(yield* makeAccount("alice"))
      const room = yield* alice.createRoom("Between us", account.userId)
      yield* alice.greetingIn(room)
      const before = yield* alice.say(room, "before")
      yield* alice.answerTo(room, before)
      yield* bothKeysBackedUp(account)
      yield* bot.stop
      const old = yield* alice.say(room, "old")
      const [first, second] = [yield* alice.reads(room, before), yield* alice.reads(room, old)]
      assert.strictEqual(second.getWireContent()["session_id"], first.getWireContent()["session_id"])

      for (const suffix of ["", "-wal", "-shm"]) rmSync(join(dataDir, `crypto.db${suffix}`), { force: true })
      assert.strictEqual((yield* homing(["run"], { cwd: dataDir, env: environment })).code, 74)
      const out = yield* homing(["sign-out"], { cwd: dataDir, env: environment })
      assert.strictEqual(out.code, 0, out.stderr)
      yield* proxy.forget
      const anew = yield* start
      assert.notStrictEqual((yield* anew.logs("device_verified")).annotations["device"], lost)
      const answered = yield* anew.logs("message_answered", ({ annotations }) => annotations["event"] === old)
      assert.strictEqual(answered.annotations["provenance"], "missed")
      assert.isTrue(proxy.requests.some(({ method, path }) => method === "GET" && path.includes("/room_keys/keys")))
      // She has said nothing since, so that she gave the new device no key.
      assert.strictEqual((yield* alice.answerTo(room, old)).getContent()["body"], "old")
    }))

  it.live("is verified by comparing emoji with its log, where the operator lets it", () =>
    Effect.gen(function*() {
      const { account, start } = yield* scenario({ HOMING_AUTO_VERIFY: "true" })
      const bot = yield* start
      const { annotations } = yield* bot.logs("device_verified")
      const alice = yield* clientOf(yield* makeAccount("alice"))
      const room = yield* alice.createRoom("Between us", account.userId)
      yield* alice.greetingIn(room)
      const crypto = cryptoOf(alice.client)
      const device = String(annotations["device"])
      const request = yield* Effect.promise(() => crypto.requestDeviceVerification(account.userId, device))
      const seen = yield* compareEmoji(request)
      const shown = yield* bot.logs("verification_emoji")
      assert.strictEqual(shown.annotations["emoji"], seen)
      yield* bot.logs("verification_done")
      yield* Effect.promise(() => crypto.getDeviceVerificationStatus(account.userId, device)).pipe(
        Effect.repeat({ until: (status) => status?.isVerified() === true, schedule: Schedule.spaced("100 millis") })
      )
    }))
})
