import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect, FileSystem, Layer, Schema } from "effect"
import { DeviceId, UserId } from "../../src/domain/Ids.ts"
import { readConfig } from "../../src/layers/AppConfig.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Door } from "../../src/layers/Homeserver/Door.ts"
import { examine } from "../../src/programs/Doctor.ts"
import type { Check } from "../../src/programs/Doctor/Check.ts"
import { scratchDirectory } from "../layers/AppConfig/Scratch.ts"
import { homing, type Spawned, spawnScript } from "../Spawn.ts"

const user = UserId.make("@bot:homing.test")
const world = Door.layer().pipe(
  Layer.provideMerge(Homeserver.layer({ serverName: "homing.test", users: [{ name: "bot", password: "hunter2" }] })),
  Layer.provideMerge(NodeServices.layer)
)

/** A working directory whose bot lives on the homeserver of this test. */
const setUp = Effect.gen(function*() {
  const { url } = yield* Door
  const cwd = yield* scratchDirectory({
    "homing.toml": `homeserver_url = "${url}"\nuser_id = "${user}"\npassword = "hunter2"\n`
  })
  const environment = {}
  const doctor = Effect.flatMap(readConfig({}, { workingDirectory: cwd, isTerminal: false, environment }), examine)
  return { cwd, doctor }
})

const startBot = (cwd: string) =>
  Effect.gen(function*() {
    const bot = yield* spawnScript("bin/homing.mjs", ["run"], { cwd })
    yield* bot.printed("matrix_reconcile_complete")
    return bot
  })

const stop = (bot: Spawned) =>
  Effect.gen(function*() {
    yield* Effect.sync(() => bot.process.kill("SIGTERM"))
    assert.deepInclude(yield* bot.ended, { code: 0, signal: null, stderr: "" })
  })

const verdicts = (checks: ReadonlyArray<Check>) => checks.map(({ name, verdict }) => `${verdict} ${name}`)
const find = (checks: ReadonlyArray<Check>, name: string) => checks.find((check) => check.name === name)

/** Processes are slow to start on a machine that is busy with other tests. */
const slow = 60_000

layer(world)("the doctor", (it) => {
  it.effect("finds nothing wrong before the first start, and leaves nothing behind", () =>
    Effect.gen(function*() {
      const { cwd, doctor } = yield* setUp
      const checks = yield* doctor
      assert.deepStrictEqual(verdicts(checks), [
        "ok configuration",
        "ok data directory",
        "ok database",
        "ok homeserver",
        "ok session"
      ])
      assert.deepStrictEqual(yield* (yield* FileSystem.FileSystem).readDirectory(cwd), ["homing.toml"])
      const requests = yield* (yield* Homeserver).requests
      assert.notInclude(requests.map(({ path }) => path), "/_matrix/client/v3/login", "a sign-in would make a device")
    }), slow)

  it.effect("sees a bot that runs, and does not disturb it", () =>
    Effect.gen(function*() {
      const { cwd, doctor } = yield* setUp
      const bot = yield* startBot(cwd)
      const running = yield* Effect.repeat(doctor, {
        until: (checks) => find(checks, "published keys")?.verdict === "ok"
      })
      assert.deepStrictEqual(running.filter(({ verdict }) => verdict !== "ok"), [])
      assert.include(find(running, "database")?.finding, `process ${bot.process.pid}`)
      assert.include(find(running, "session")?.finding, user)

      const signOut = yield* homing(["sign-out"], { cwd })
      assert.strictEqual(signOut.code, 75, "a bot keeps its session while it runs")
      yield* stop(bot)

      const stopped = yield* doctor
      assert.strictEqual(find(stopped, "keys")?.verdict, "ok")
      assert.include(find(stopped, "database")?.finding, "no bot is running")
      assert.include(find(stopped, "cursor")?.finding, "goes on from where")
    }), slow)

  it.effect("says what to do about a session that the homeserver has ended", () =>
    Effect.gen(function*() {
      const { cwd, doctor } = yield* setUp
      yield* stop(yield* startBot(cwd))
      yield* (yield* Homeserver).signOut("bot")
      const session = find(yield* doctor, "session")
      assert.deepInclude(session, { verdict: "fail", code: 77 })
      assert.include(session?.remedy, "homing sign-out")

      const signOut = yield* homing(["sign-out"], { cwd })
      assert.strictEqual(signOut.code, 0)
      assert.include(signOut.stdout, `Signed out ${user}`)
      assert.strictEqual(find(yield* doctor, "session")?.verdict, "ok")
    }), slow)

  it.effect("signs a bot out on the homeserver", () =>
    Effect.gen(function*() {
      const { cwd } = yield* setUp
      yield* stop(yield* startBot(cwd))
      assert.strictEqual((yield* homing(["sign-out"], { cwd })).code, 0)
      const requests = yield* (yield* Homeserver).requests
      assert.deepInclude(requests.at(-1), { path: "/_matrix/client/v3/logout", status: 200 })
      assert.include((yield* homing(["sign-out"], { cwd })).stdout, "no session")
    }), slow)

  it.effect("warns of data that others may read", () =>
    Effect.gen(function*() {
      const { cwd, doctor } = yield* setUp
      const files = yield* FileSystem.FileSystem
      yield* files.makeDirectory(`${cwd}/.homing`)
      yield* files.chmod(`${cwd}/.homing`, 0o755)
      const directory = find(yield* doctor, "data directory")
      assert.strictEqual(directory?.verdict, "warn")
      assert.include(directory?.remedy, `chmod go= ${cwd}/.homing`)
    }), slow)

  it.effect("exits as the start would, and prints what to do", () =>
    Effect.gen(function*() {
      const { cwd } = yield* setUp
      const files = yield* FileSystem.FileSystem
      yield* files.makeDirectory(`${cwd}/.homing`)
      yield* files.writeFileString(`${cwd}/.homing/homing.db`, "this is no database")
      const damaged = yield* homing(["doctor"], { cwd })
      assert.strictEqual(damaged.code, 74)
      assert.match(damaged.stdout, /^fail {2}database +.*homing\.db/m)
      assert.match(damaged.stderr, /^homing: 1 of \d checks failed\.\n$/)

      const away = yield* homing(["doctor", "--homeserver-url", "http://127.0.0.1:1", "--data-dir", "other"], { cwd })
      assert.strictEqual(away.code, 69)
      assert.match(away.stdout, /^fail {2}homeserver .*\n +-> Check HOMING_HOMESERVER_URL/m)
      assert.strictEqual((yield* homing(["doctor", "--log-level", "loud"], { cwd })).code, 78)
    }), slow)

  it.effect("tells a token of another device from its own", () =>
    Effect.gen(function*() {
      const { cwd } = yield* setUp
      const { url } = yield* Door
      yield* stop(yield* startBot(cwd))
      const login = yield* Effect.promise(() =>
        fetch(`${url}/_matrix/client/v3/login`, {
          method: "POST",
          body: JSON.stringify({
            type: "m.login.password",
            identifier: { type: "m.id.user", user },
            password: "hunter2",
            device_id: DeviceId.make("OTHER")
          })
        }).then((response) => response.json())
      )
      const { access_token } = yield* Schema.decodeUnknownEffect(Schema.Struct({ access_token: Schema.String }))(login)
      const env = { HOMING_ACCESS_TOKEN: access_token }
      const { code, stdout } = yield* homing(["doctor"], { cwd, env })
      assert.strictEqual(code, 77, "as the start would end")
      assert.match(stdout, /^fail {2}device +The token belongs to device OTHER/m)
    }), slow)

  it.effect("sees keys that are lost, damaged, locked away or not of this device", () =>
    Effect.gen(function*() {
      const { cwd, doctor } = yield* setUp
      const files = yield* FileSystem.FileSystem
      const inData = (name: string) => `${cwd}/.homing/${name}`
      const bot = yield* startBot(cwd)
      yield* Effect.repeat(doctor, { until: (checks) => find(checks, "published keys")?.verdict === "ok" })
      yield* stop(bot)
      const keys = Effect.map(doctor, (checks) => find(checks, "keys"))
      const [database, key] = [yield* files.readFile(inData("crypto.db")), yield* files.readFile(inData("crypto.key"))]

      yield* files.writeFileString(inData("crypto.key"), "")
      assert.deepInclude(yield* keys, { verdict: "fail", code: 74 })
      assert.match((yield* keys)?.finding ?? "", /is empty.*homing sign-out/)
      yield* files.writeFileString(inData("crypto.key"), `${"A".repeat(43)}=`)
      assert.include((yield* keys)?.finding, "another key")
      yield* files.remove(inData("crypto.key"))
      assert.include((yield* keys)?.finding, "crypto.key is gone")
      yield* files.writeFile(inData("crypto.key"), key)
      assert.deepInclude(yield* keys, { verdict: "ok" })

      for (const name of ["crypto.db-wal", "crypto.db-shm"]) yield* files.remove(inData(name), { force: true })
      yield* files.writeFileString(inData("crypto.db"), "no database ".repeat(100))
      assert.match((yield* keys)?.finding ?? "", /crypto\.db.*homing sign-out/)
      yield* files.remove(inData("crypto.db"))
      assert.match((yield* keys)?.finding ?? "", /crypto\.db is gone/)

      // A start makes new ones, and is refused.
      assert.strictEqual((yield* homing(["run"], { cwd })).code, 74)
      assert.deepInclude(find(yield* doctor, "published keys"), { verdict: "fail", code: 74 })
      for (const name of ["crypto.db-wal", "crypto.db-shm"]) yield* files.remove(inData(name), { force: true })
      yield* files.writeFile(inData("crypto.db"), database)
      assert.deepStrictEqual((yield* doctor).filter(({ verdict }) => verdict === "fail"), [])
    }), slow)
})
