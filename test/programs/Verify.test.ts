import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Fs from "node:fs"
import { join } from "node:path"
import { homing } from "../Spawn.ts"
import { botDirectory, startRealBot, stopRealBot, worldOverHttp } from "./RealBot.ts"

const lineOf = (stdout: string, name: string) =>
  stdout.split("\n").find((line) => line.startsWith(name))?.slice(16) ?? ""

const keysIn = (cwd: string) => Fs.readdirSync(join(cwd, ".homing")).filter((name) => name.startsWith("crypto.db"))

layer(worldOverHttp, { excludeTestServices: true })("homing verify", (it) => {
  it.effect(
    "tells how the device stands while no bot runs, makes a new recovery key, and takes one back from standard input",
    () =>
      Effect.gen(function*() {
        const cwd = yield* botDirectory
        const early = yield* homing(["verify"], { cwd })
        assert.strictEqual(early.code, 74)
        assert.include(early.stderr, "no bot has run there yet")

        const bot = yield* startRealBot(cwd)
        yield* bot.printed("device_verified")
        const refused = yield* homing(["verify"], { cwd })
        assert.strictEqual(refused.code, 75)
        assert.include(refused.stderr, "one process at a time")
        yield* stopRealBot(bot)

        const shown = yield* homing(["verify"], { cwd })
        assert.strictEqual(shown.code, 0, shown.stderr)
        assert.strictEqual(lineOf(shown.stdout, "verification"), "verified: signed by the account's identity")
        assert.strictEqual(lineOf(shown.stdout, "secret storage"), "opens with the recovery key that is known here")
        assert.strictEqual(lineOf(shown.stdout, "key backup"), "on, version 1")

        const renewed = yield* homing(["verify", "--new-recovery-key"], { cwd })
        const [key] = /Es[\w ]+/.exec(renewed.stdout) ?? []
        assert.isDefined(key)
        assert.isFalse(Fs.existsSync(join(cwd, ".homing", "recovery.key")))
        assert.strictEqual(lineOf(renewed.stdout, "secret storage"), "there; its recovery key is kept elsewhere")

        const out = yield* homing(["sign-out"], { cwd })
        assert.strictEqual(out.code, 0, out.stderr)
        assert.strictEqual(keysIn(cwd).filter((name) => name === "crypto.db").length, 0)
        assert.strictEqual(keysIn(cwd).filter((name) => name.startsWith("crypto.db.")).length, 1)

        const anew = yield* startRealBot(cwd)
        yield* anew.printed("device_not_verified")
        yield* stopRealBot(anew)
        Fs.writeFileSync(join(cwd, "key"), `${key}\n`)
        const given = yield* homing(["verify", "--recovery-key-file", join(cwd, "key")], { cwd })
        assert.strictEqual(given.code, 0, given.stderr)
        assert.strictEqual(lineOf(given.stdout, "verification"), "verified: signed by the account's identity")
        assert.strictEqual(lineOf(given.stdout, "key backup"), "on, version 1")
        assert.notStrictEqual(lineOf(given.stdout, "device"), lineOf(shown.stdout, "device"))
      }),
    60_000
  )
})
