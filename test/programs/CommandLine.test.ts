import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { flagName, settingKeys, settingsTable } from "../../src/layers/AppConfig/SettingsTable.ts"
import { namesHomeserver, version } from "../../src/programs/CommandLine.ts"
import { configIn, scratchDirectory } from "../layers/AppConfig/Scratch.ts"
import { homing, spawnScript } from "../Spawn.ts"

/** Processes are slow to start on a machine that is busy with other tests. */
const slow = 60_000

const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

layer(NodeServices.layer)("the command line", (it) => {
  it.effect("prints help without a command, and exits 0", () =>
    Effect.gen(function*() {
      const cwd = yield* scratchDirectory()
      const [bare, asked] = yield* Effect.all([homing([], { cwd }), homing(["--help"], { cwd })])
      assert.deepInclude(bare, { code: 0, stderr: "" })
      assert.strictEqual(bare.stdout, asked.stdout)
      for (const command of ["run", "start", "sandbox", "config", "doctor", "sign-out"]) {
        assert.match(asked.stdout, new RegExp(`^  ${command} +\\w`, "m"))
      }
    }), slow)

  it.effect(
    "explains every setting with its flag and default, and offers none for a secret itself",
    () =>
      Effect.gen(function*() {
        const { code, stdout } = yield* homing(["run", "--help"], { cwd: yield* scratchDirectory() })
        assert.strictEqual(code, 0)
        for (const key of settingKeys) {
          const line = stdout.split("\n").find((line) => line.includes(`--${flagName(key)} `)) ?? ""
          assert.include(line, settingsTable[key].description)
          assert.include(line, settingsTable[key].default)
        }
        assert.notMatch(stdout, /--(access-token|password) /)
      }),
    slow
  )

  it.effect("tells the version of package.json", () =>
    Effect.gen(function*() {
      const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"))
      assert.strictEqual(version, manifest.version)
      const { code, stdout } = yield* homing(["--version"], { cwd: yield* scratchDirectory() })
      assert.strictEqual(code, 0)
      assert.include(stdout, version)
    }), slow)

  it.effect("answers a mistake with one paragraph, what was meant, and exit code 64", () =>
    Effect.gen(function*() {
      const cwd = yield* scratchDirectory()
      const command = yield* homing(["rnu"], { cwd })
      assert.deepInclude(command, { code: 64, stdout: "" })
      assert.match(command.stderr, /^homing: there is no command "rnu". Did you mean run\?\nRun "homing --help".*\n$/)
      const flag = yield* homing(["run", "--homesever-url=https://a.example"], { cwd })
      assert.deepInclude(flag, { code: 64, stdout: "" })
      assert.match(flag.stderr, /has no flag --homesever-url. Did you mean --homeserver-url\?/)
    }), slow)

  it.effect("sends a secret on the command line elsewhere without repeating it", () =>
    Effect.gen(function*() {
      const cwd = yield* scratchDirectory()
      for (const args of [["--access-token=syt_x"], ["--access-token", "syt_x"]]) {
        const { code, stderr, stdout } = yield* homing(["run", ...args], { cwd })
        assert.strictEqual(code, 64)
        assert.match(stderr, /Use --access-token-file or HOMING_ACCESS_TOKEN\./)
        assert.notInclude(stderr + stdout, "syt_x")
      }
    }), slow)

  it.effect("shows where each setting comes from", () =>
    Effect.gen(function*() {
      const cwd = yield* scratchDirectory({
        "homing.toml": `homeserver_url = "https://matrix.example.org"\nuser_id = "@bot:example.org"\n`,
        ".env": "HOMING_PASSWORD=hunter2\n"
      })
      const { code, stderr, stdout } = yield* homing(["config", "--device-name", "Robo"], { cwd })
      assert.deepInclude({ code, stderr }, { code: 0, stderr: "" })
      const rows = stdout.split("\n").map((line) => line.split(/ {2,}/))
      const find = (setting: string) => rows.find((row) => row[0] === setting)?.slice(1)
      assert.deepStrictEqual(find("homeserver_url"), ["https://matrix.example.org/", join(cwd, "homing.toml")])
      assert.deepStrictEqual(find("password"), ["<redacted>", "HOMING_PASSWORD in .env"])
      assert.deepStrictEqual(find("device_name"), ["Robo", "--device-name"])
      assert.deepStrictEqual(find("command_prefix"), ["!", "default"])
      assert.deepStrictEqual(find("status_port"), ["-", "default"])
      assert.deepStrictEqual(find("log_level"), ["info", "default"])
      assert.notInclude(stdout, "hunter2")

      const json = JSON.parse((yield* homing(["config", "--json"], { cwd })).stdout)
      assert.strictEqual(json.settings.length, settingKeys.length)
    }), slow)

  it.effect("prints the table even when there are problems, and exits 78", () =>
    Effect.gen(function*() {
      const cwd = yield* scratchDirectory()
      const env = { HOMING_LOG_LEVEL: "loud", HOMING_USR_ID: "@bot:example.org" }
      const { code, stderr, stdout } = yield* homing(["config"], { cwd, env })
      assert.strictEqual(code, 78)
      assert.match(stdout, /^log_level +<unusable> +HOMING_LOG_LEVEL$/m)
      assert.match(stderr, /warning: HOMING_USR_ID .* Did you mean HOMING_USER_ID\?/)
      assert.match(stderr, /The configuration has 2 problems:/)
      assert.notInclude(stderr, "homing config")
      assert.notMatch(stderr, /\n\s+at /)
    }), slow)

  it.effect("does not start a bot whose configuration has problems", () =>
    Effect.gen(function*() {
      const cwd = yield* scratchDirectory()
      for (const args of [["run"], ["start", "--homeserver-url", "nope"]]) {
        const { code, stderr } = yield* homing(args, { cwd })
        assert.strictEqual(code, 78)
        assert.match(stderr, /^homing: The configuration has a problem:\n {2}homeserver_url: [^]*Run "homing config"/)
      }
    }), slow)

  it.effect(
    "gives the sandbox the port that start was given, and refuses it where there is no sandbox",
    () =>
      Effect.gen(function*() {
        const cwd = yield* scratchDirectory()
        const wrong = yield* homing(["start", "--port", "70000"], { cwd })
        assert.strictEqual(wrong.code, 64)
        assert.include(wrong.stderr, "a port from 1 to 65535")
        const configured = yield* homing(["start", "--port", "18999"], {
          cwd,
          env: { HOMING_HOMESERVER_URL: "https://example.org" }
        })
        assert.deepInclude(configured, { code: 64, stdout: "" })
        assert.match(configured.stderr, /^homing: --port is the sandbox's, and a homeserver is configured/)
        const port = yield* freePort
        const { ended, printed, process: sandbox } = yield* spawnScript("bin/homing.mjs", [
          "start",
          "--port",
          `${port}`
        ], {
          cwd,
          env: { TMPDIR: cwd, HOMING_PASSWORD: "a", HOMING_HOMESERVR_URL: "https://example.org" }
        })
        yield* printed(`http://127.0.0.1:${port}\n`)
        sandbox.kill("SIGTERM")
        const { stderr } = yield* ended
        assert.include(stderr, "Did you mean HOMING_HOMESERVER_URL?")
        assert.include(stderr, "this is the sandbox, which does not use HOMING_PASSWORD.")
      }),
    slow
  )

  it.effect(
    "starts the bot when any source names a homeserver, and the sandbox otherwise",
    () =>
      Effect.gen(function*() {
        assert.isFalse(namesHomeserver(yield* configIn({ environment: { HOMING_PASSWORD: "a" } })))
        assert.isTrue(namesHomeserver(yield* configIn({ flags: { "homeserver-url": "https://a.example" } })))
        assert.isTrue(namesHomeserver(yield* configIn({ files: { ".env": "HOMING_USER_ID=@a:b.example" } })))
        assert.isTrue(namesHomeserver(yield* configIn({ files: { "homing.toml": `server_name = "not one!"` } })))
        const broken = yield* configIn({ files: { "homing.toml": `homeserver_url = https://a.example` } })
        assert.isTrue(namesHomeserver(broken), "a file that cannot be read must be told, not passed over")
      }),
    slow
  )
})
