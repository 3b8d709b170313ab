import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Fs from "node:fs"
import { join } from "node:path"
import { DeviceId } from "../../src/domain/Ids.ts"
import { AppConfig } from "../../src/layers/AppConfig.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Store } from "../../src/layers/Store.ts"
import { homing } from "../Spawn.ts"
import { botDirectory, commanded, startRealBot, stopRealBot, worldOverHttp } from "./RealBot.ts"

/** A directory whose bot has run, is verified and was stopped. */
const stoppedBot = Effect.gen(function*() {
  const cwd = yield* botDirectory
  const bot = yield* startRealBot(cwd)
  yield* bot.printed("device_verified")
  const log = yield* stopRealBot(bot)
  const device = String(log.find(({ message }) => message === "matrix_authenticated")?.annotations.device)
  return { cwd, device, inData: (name: string) => join(cwd, ".homing", name) }
})

/** The next bot of the directory, and its device. */
const startAnew = Effect.fnUntraced(function*(cwd: string) {
  const bot = yield* startRealBot(cwd)
  yield* bot.printed("device_verified")
  const log = yield* stopRealBot(bot)
  return String(log.find(({ message }) => message === "device_verified")?.annotations.device)
})

const storeOf = (cwd: string) => Store.layer.pipe(Layer.provide(AppConfig.layerTest({ dataDir: join(cwd, ".homing") })))

const uploads = Effect.flatMap(
  Homeserver,
  ({ requests }) =>
    Effect.map(requests, (all) => all.filter(({ path }) => path.includes("/keys/") && !path.endsWith("/query")).length)
)

/** A homeserver of its own for each test: the account's identity stays with whoever made it. */
const apart = Effect.provide(worldOverHttp, { local: true })

describe("homing sign-out", () => {
  it.live(
    "mends a crypto.db that is damaged and a key that is empty, as the start advises",
    () =>
      Effect.gen(function*() {
        const { cwd, device, inData } = yield* stoppedBot
        Fs.writeFileSync(inData("crypto.db"), "no database ".repeat(100))
        const damaged = yield* homing(["run"], { cwd })
        assert.strictEqual(damaged.code, 74)
        assert.include(damaged.stderr, `run "homing sign-out" and start again`)
        Fs.writeFileSync(inData("crypto.key"), "")

        const out = yield* homing(["sign-out"], { cwd })
        assert.strictEqual(out.code, 0, out.stderr)
        assert.include(out.stdout, inData(`crypto.db.${device}`))
        assert.include(out.stdout, inData(`crypto.key.${device}`))
        assert.notStrictEqual(yield* startAnew(cwd), device)
      }).pipe(Effect.scoped, apart),
    60_000
  )

  it.live(
    "mends a key that a crash left empty, and names it",
    () =>
      Effect.gen(function*() {
        const { cwd, device, inData } = yield* stoppedBot
        Fs.writeFileSync(inData("crypto.key"), "")
        const refused = yield* homing(["run"], { cwd })
        assert.strictEqual(refused.code, 74)
        assert.match(refused.stderr, /crypto\.key is empty\. .*homing sign-out/)
        assert.strictEqual((yield* homing(["sign-out"], { cwd })).code, 0)
        assert.notStrictEqual(yield* startAnew(cwd), device)
      }).pipe(Effect.scoped, apart),
    60_000
  )

  it.live(
    "puts the keys of another device aside under its name, and keeps the session that they are not of",
    () =>
      Effect.gen(function*() {
        const { cwd, device, inData } = yield* stoppedBot
        yield* Effect.gen(function*() {
          const { session } = yield* Store
          const stored = yield* session.load
          if (stored !== undefined) yield* session.save({ ...stored, deviceId: DeviceId.make("OTHER") })
        }).pipe(Effect.provide(storeOf(cwd)))
        const out = yield* commanded(["sign-out"], cwd)
        assert.strictEqual(out.code, 0, out.stderr)
        assert.deepStrictEqual(out.asked, [])
        assert.include(out.stdout, `They belong to device ${device}, and the session to OTHER`)
        assert.isTrue(Fs.existsSync(inData(`crypto.db.${device}`)))
        const kept = yield* Effect.flatMap(Store, ({ session }) => session.load).pipe(Effect.provide(storeOf(cwd)))
        assert.strictEqual(kept?.deviceId, "OTHER")
      }).pipe(Effect.scoped, apart),
    60_000
  )

  it.live(
    "is what a look at lost keys advises, which makes none",
    () =>
      Effect.gen(function*() {
        const { cwd, device, inData } = yield* stoppedBot
        for (const suffix of ["", "-wal", "-shm"]) Fs.rmSync(inData(`crypto.db${suffix}`), { force: true })
        const before = yield* uploads
        const looked = yield* homing(["verify"], { cwd })
        assert.strictEqual(looked.code, 74)
        assert.match(looked.stderr, /keys of device .*homing sign-out/s)
        assert.isFalse(Fs.existsSync(inData("crypto.db")))
        // A start makes a file, and finds that it is not the one; to look at that is no better.
        assert.strictEqual((yield* homing(["run"], { cwd })).code, 74)
        const again = yield* homing(["verify", "--new-recovery-key"], { cwd })
        assert.strictEqual(again.code, 74)
        assert.include(again.stderr, `device ${device} had other keys before`)
        assert.strictEqual(yield* uploads, before)
        assert.strictEqual((yield* homing(["sign-out"], { cwd })).code, 0)
        assert.notStrictEqual(yield* startAnew(cwd), device)
      }).pipe(Effect.scoped, apart),
    60_000
  )
})
