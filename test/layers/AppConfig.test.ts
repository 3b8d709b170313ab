import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Layer, Redacted, Schema } from "effect"
import { ConfigInvalid } from "../../src/domain/Errors.ts"
import { AppConfig, localSettingsOf, settingsOf } from "../../src/layers/AppConfig.ts"
import type { ConfigReport } from "../../src/layers/AppConfig/Resolution.ts"
import { settingKeys, settingsTable, tomlKey, variableName } from "../../src/layers/AppConfig/SettingsTable.ts"
import { asTable } from "../../src/programs/ShowConfig.ts"
import { configIn } from "./AppConfig/Scratch.ts"

const url = { HOMING_HOMESERVER_URL: "https://matrix.example.org" }
const problemsOf = (report: ConfigReport) => report.problems.map((_) => `${_.setting}: ${_.problem}`)
const row = (report: ConfigReport, setting: string) => report.table.find((row) => row.setting === setting)

const warningsOf = (url: string) =>
  Effect.map(configIn({ environment: { HOMING_HOMESERVER_URL: url } }), (report) => report.warnings)

describe("AppConfig", () => {
  it.effect("takes a setting from its strongest source, and says which that is", () =>
    Effect.gen(function*() {
      const flag = { flags: { "device-name": "flag" } }
      const environment = { environment: { ...url, HOMING_DEVICE_NAME: "environment" } }
      const dotEnv = { ".env": "HOMING_DEVICE_NAME=dotenv\n" }
      const toml = { "homing.toml": `device_name = "toml"\n` }
      const both = { ...dotEnv, ...toml }

      const all = yield* configIn({ ...flag, ...environment, files: both })
      assert.deepInclude(row(all, "device_name"), { value: "flag", source: "flag", name: "--device-name" })
      const second = yield* configIn({ ...environment, files: both })
      assert.deepInclude(row(second, "device_name"), { value: "environment", name: "HOMING_DEVICE_NAME" })
      const third = yield* configIn({ environment: url, files: both })
      assert.deepInclude(row(third, "device_name"), { value: "dotenv", source: ".env" })
      const fourth = yield* configIn({ environment: url, files: toml })
      assert.deepInclude(row(fourth, "device_name"), { value: "toml", source: "homing.toml" })
      assert.match(row(fourth, "device_name")?.name ?? "", /\/homing\.toml$/)
      const none = yield* configIn({ environment: url })
      assert.deepInclude(row(none, "device_name"), { value: "Homing", source: "default" })
      assert.deepStrictEqual(
        [all, second, third, fourth, none].map((report) => report.settings?.deviceName),
        ["flag", "environment", "dotenv", "toml", "Homing"]
      )
    }))

  it.effect("has working defaults with nothing but a homeserver", () =>
    Effect.gen(function*() {
      const { settings } = yield* configIn({ environment: url })
      assert.strictEqual(settings?.homeserverUrl?.href, "https://matrix.example.org/")
      assert.strictEqual(settings?.commandPrefix, "!")
      assert.strictEqual(settings?.logLevel, "Info")
      assert.match(settings?.dataDir ?? "", /^\/.*\/\.homing$/)
      assert.strictEqual(Duration.toSeconds(settings?.syncTimeout ?? 0), 30)
      assert.strictEqual(Duration.toSeconds(settings?.startPatience ?? 0), 120)
      assert.isUndefined(settings?.statusPort)
    }))

  it.effect("logs prettily on a terminal and as JSON elsewhere, unless told otherwise", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* configIn({ environment: url, isTerminal: true })).settings?.logFormat, "pretty")
      assert.strictEqual((yield* configIn({ environment: url, isTerminal: false })).settings?.logFormat, "json")
      const told = yield* configIn({ environment: { ...url, HOMING_LOG_FORMAT: "logfmt" }, isTerminal: true })
      assert.strictEqual(told.settings?.logFormat, "logfmt")
    }))

  it.effect("reads numbers and truth values of TOML as they are", () =>
    Effect.gen(function*() {
      const report = yield* configIn({
        environment: { HOMING_HOMESERVER_URL: "https://matrix.example.org", HOMING_ACCESS_TOKEN: "token" },
        files: { "homing.toml": "status_port = 8080\nauto_verify = true" }
      })
      assert.deepStrictEqual(report.problems, [])
      assert.include(report.settings, { statusPort: 8080, autoVerify: true })
    }))

  it.effect("reads lists from words and from TOML arrays", () =>
    Effect.gen(function*() {
      const users = ["@ada:example.org", "@bob:example.org"]
      const words = yield* configIn({ environment: { ...url, HOMING_ALLOWED_USERS: ` ${users.join(", ")} ` } })
      assert.deepStrictEqual(words.settings?.allowedUsers.map(String), users)
      const array = yield* configIn({
        environment: url,
        files: { "homing.toml": `allowed_users = ${JSON.stringify(users)}\nallowed_servers = ["*", "example.org"]` }
      })
      assert.deepStrictEqual(array.settings?.allowedUsers.map(String), users)
      assert.deepStrictEqual(array.settings?.allowedServers.map(String), ["*", "example.org"])
    }))

  it.effect("takes an empty variable for one that is not set", () =>
    Effect.gen(function*() {
      const report = yield* configIn({
        environment: { ...url, HOMING_DEVICE_NAME: "", HOMING_PASSWORD: "", HOMING_PASSWORD_FILE: "" },
        files: { ".env": "HOMING_DEVICE_NAME=dotenv" }
      })
      assert.deepStrictEqual(report.problems, [])
      assert.strictEqual(report.settings?.deviceName, "dotenv")
      assert.isUndefined(report.settings?.password)
    }))

  it.effect("tells every problem at once, each with all names that it can be set by", () =>
    Effect.gen(function*() {
      const report = yield* configIn({
        flags: { "sync-timeout": "10 minutes" },
        environment: { HOMING_HOMESERVER_URL: "matrix.example.org", HOMING_STATUS_PORT: "99999" },
        files: { ".env": "HOMING_LOG_LEVEL=loud", "homing.toml": `allowed_users = ["ada"]\ndevice_name = 7` }
      })
      assert.deepStrictEqual(report.problems.map((_) => _.setting), [
        "homeserver_url",
        "allowed_users",
        "log_level",
        "sync_timeout",
        "status_port"
      ])
      assert.deepStrictEqual(report.problems[0]?.names, [
        "--homeserver-url",
        "HOMING_HOMESERVER_URL",
        "HOMING_HOMESERVER_URL_FILE",
        "homeserver_url in homing.toml"
      ])
      const exit = yield* Effect.exit(settingsOf(report))
      assert.deepStrictEqual(exit, Exit.fail(new ConfigInvalid({ problems: report.problems })))
    }))

  it.effect("tells the bot's own server for the people and servers that nobody named", () =>
    Effect.gen(function*() {
      const meanings = (environment: Record<string, string>) =>
        Effect.map(configIn({ environment }), (report) =>
          ["allowed_users", "allowed_servers"].map((setting) => row(report, setting)?.meaning))
      const user = { HOMING_USER_ID: "@bot:example.org" }
      assert.deepStrictEqual(yield* meanings(user), ["everybody of example.org", "example.org"])
      assert.deepStrictEqual(yield* meanings({ HOMING_SERVER_NAME: "example.org" }), [
        "everybody of example.org",
        "example.org"
      ])
      assert.deepStrictEqual(yield* meanings(url), ["everybody of the bot's own server", "the bot's own server"])
      for (const named of [{ HOMING_ALLOWED_USERS: "@a:example.com" }, { HOMING_ALLOWED_SERVERS: "*" }]) {
        assert.deepStrictEqual(yield* meanings({ ...user, ...named }), [undefined, undefined])
      }
      assert.match(
        asTable((yield* configIn({ environment: user })).table),
        /^allowed_users +everybody of example\.org +default$/m
      )
    }))

  it.effect("knows enough to look into the data directory whatever else is wrong", () =>
    Effect.gen(function*() {
      const { local } = yield* configIn({
        environment: { HOMING_LOG_LEVEL: "loud" },
        flags: { "data-dir": "/srv/bot" }
      })
      assert.deepInclude(local, { dataDir: "/srv/bot", logLevel: "Info", homeserverUrl: undefined })
      const hidden = yield* configIn({ files: { "homing.toml": "data_dir = nonsense" } })
      const error = yield* Effect.flip(localSettingsOf(hidden))
      assert.deepStrictEqual(error.problems.map(({ setting }) => setting), ["config"])
    }))

  it.effect("asks which homeserver when nothing says so, and for the user of a password", () =>
    Effect.gen(function*() {
      assert.match(problemsOf(yield* configIn({})).join("\n"), /^homeserver_url: which homeserver\?.*$/)
      const password = yield* configIn({ environment: { ...url, HOMING_PASSWORD: "hunter2" } })
      assert.match(problemsOf(password).join("\n"), /^user_id: a password needs the user id.*$/)
      const found = yield* configIn({ environment: { HOMING_USER_ID: "@bot:example.org" } })
      assert.deepStrictEqual(found.problems, [])
      const stored = yield* configIn({ environment: url })
      assert.deepStrictEqual(stored.problems, [], "a stored session may sign in")
      const other = yield* configIn({
        environment: { HOMING_USER_ID: "@bot:example.org", HOMING_SERVER_NAME: "example.com" }
      })
      assert.match(problemsOf(other).join("\n"), /^server_name: example.com is not the server of @bot:example.org/)
    }))

  it.effect("accepts only the URL of a homeserver, and doubts one without https", () =>
    Effect.gen(function*() {
      for (const wrong of ["nope", "ftp://a.example", "https://a.example/?x=1", "https://bob:pw@a.example"]) {
        const report = yield* configIn({ environment: { HOMING_HOMESERVER_URL: wrong } })
        assert.deepStrictEqual(report.problems.map((_) => _.setting), ["homeserver_url"], wrong)
      }
      for (const fine of ["https://a.example", "http://127.0.0.1:8008", "http://localhost", "http://[::1]:80"]) {
        assert.deepStrictEqual(yield* warningsOf(fine), [], fine)
      }
      assert.match((yield* warningsOf("http://127.example.org")).join(), /without https/)
    }))

  describe("files that hold a value", () => {
    it.effect("give it without one newline at the end", () =>
      Effect.gen(function*() {
        const report = yield* configIn({
          files: { secret: "  two words \n\n", name: "Bot\r\n" },
          environment: { HOMING_USER_ID: "@bot:example.org", HOMING_DEVICE_NAME_FILE: "name" },
          flags: { "access-token-file": "token" }
        })
        assert.match(problemsOf(report).join(), /access_token: the file that --access-token-file names does not exist/)
        const good = yield* configIn({
          files: { secret: "  two words \n", name: "Bot\r\n", ".env": "HOMING_PASSWORD_FILE=secret" },
          environment: { HOMING_USER_ID: "@bot:example.org", HOMING_DEVICE_NAME_FILE: "name" }
        })
        assert.strictEqual(good.settings?.deviceName, "Bot")
        assert.strictEqual(Redacted.value(good.settings?.password ?? Redacted.make("")), "  two words ")
        assert.deepInclude(row(good, "password"), { value: "<redacted>", name: "HOMING_PASSWORD_FILE", source: ".env" })
      }))

    it.effect("are a problem next to the value itself, but a stronger source outweighs them", () =>
      Effect.gen(function*() {
        const environment = { HOMING_USER_ID: "@bot:example.org", HOMING_PASSWORD: "a", HOMING_PASSWORD_FILE: "b" }
        const both = yield* configIn({ environment })
        assert.match(problemsOf(both).join("\n"), /^password: both HOMING_PASSWORD and HOMING_PASSWORD_FILE are set/)
        const stronger = yield* configIn({ environment, flags: { "password-file": "p" }, files: { p: "from a flag" } })
        assert.deepStrictEqual(stronger.problems, [])
      }))

    it.effect("are a problem when empty", () =>
      Effect.gen(function*() {
        const report = yield* configIn({
          files: { empty: "\n" },
          environment: { ...url, HOMING_ACCESS_TOKEN_FILE: "empty" }
        })
        assert.match(problemsOf(report).join("\n"), /^access_token: .* is empty/)
      }))
  })

  describe("homing.toml", () => {
    it.effect("is a problem when it was named and is not there", () =>
      Effect.gen(function*() {
        const named = [
          { flags: { config: "other.toml" }, environment: url },
          { environment: { ...url, HOMING_CONFIG: "other.toml" } },
          { environment: url, files: { ".env": "HOMING_CONFIG=other.toml" } }
        ]
        for (const scratch of named) {
          const report = yield* configIn(scratch)
          assert.match(problemsOf(report).join("\n"), /^config: \/.*\/other\.toml does not exist$/)
          assert.isUndefined(report.settings)
        }
      }))

    it.effect("is a problem with its line when it is no TOML, and hides what stands there", () =>
      Effect.gen(function*() {
        const report = yield* configIn({ files: { "homing.toml": `device_name = "a"\naccess_token = syt_secret\n` } })
        assert.match(
          problemsOf(report).join("\n"),
          /^config: .*homing\.toml is not valid TOML: .* at line 2, column \d+$/
        )
        assert.notInclude(problemsOf(report).join(), "syt_secret")
      }))

    it.effect("hides a secret that is no text", () =>
      Effect.gen(function*() {
        const report = yield* configIn({ environment: url, files: { "homing.toml": `access_token = 20250423` } })
        assert.match(problemsOf(report).join("\n"), /^access_token: must be a text in quotation marks/)
        assert.notInclude(problemsOf(report).join(), "20250423")
      }))
  })

  it.effect("warns of names that it does not know, with what they were meant to be", () =>
    Effect.gen(function*() {
      const report = yield* configIn({
        environment: { ...url, HOMING_HOMESERVER: "x", HOMING_FLUX_CAPACITOR: "1", HOME: "/" },
        files: { ".env": "HOMING_USR_ID=@a:b", "homing.toml": `devicename = "x"\n[homeserver]\nurl = "y"` }
      })
      assert.deepStrictEqual(report.problems, [])
      const [first, second, third, fourth, fifth, ...more] = report.warnings
      assert.match(first ?? "", /^HOMING_HOMESERVER in the environment .* Did you mean HOMING_HOMESERVER_URL/)
      assert.match(second ?? "", /^HOMING_FLUX_CAPACITOR in the environment is not a setting and has no effect\.$/)
      assert.match(third ?? "", /^HOMING_USR_ID in \.env .* Did you mean HOMING_USER_ID\?$/)
      assert.match(fourth ?? "", /^devicename in .*homing\.toml .* Did you mean device_name\?$/)
      assert.match(fifth ?? "", /^homeserver in .*homing\.toml .* Did you mean homeserver_url\?$/)
      assert.deepStrictEqual(more, [])
    }))

  const secrets = settingKeys.filter((key) => settingsTable[key].secret)

  it.effect.prop(
    "never shows a secret, wherever it was set and whatever else is wrong",
    { number: Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 36 ** 7, maximum: 36 ** 8 }))) },
    ({ number }) =>
      Effect.gen(function*() {
        const core = `${number.toString(36)}_x`
        const secret = `syt'"\\=# ${core}`
        const variables = Object.fromEntries(secrets.map((key) => [variableName(key), secret]))
        const files = Object.fromEntries(secrets.map((key) => [`${variableName(key)}_FILE`, secret]))
        const toml = secrets.map((key) => `${tomlKey(key)} = ${JSON.stringify(secret)}`).join("\n")
        const reports = yield* Effect.all([
          configIn({ environment: variables }),
          configIn({ environment: { ...variables, ...files } }),
          configIn({ environment: files }),
          configIn({ environment: { ...url, HOMING_USER_ID: "bot" }, files: { "homing.toml": toml } }),
          configIn({ files: { "homing.toml": `${toml}\nx = ${secret}` } }),
          configIn({ files: { "homing.toml": secrets.map((key) => `${tomlKey(key)} = ${secret}`).join("\n") } }),
          configIn({ files: { "homing.toml": secrets.map((key) => `${tomlKey(key)} = ["${secret}"]`).join("\n") } }),
          configIn({ environment: { HOMING_HOMESERVER_URL: `https://bot:${encodeURIComponent(secret)}@a.example` } }),
          configIn({ environment: { HOMING_HOMESERVER_URL: `//bot:${secret}@a.example` } })
        ])
        for (const report of reports) {
          const shown = [
            JSON.stringify(report),
            asTable(report.table),
            new ConfigInvalid({ problems: report.problems }).message,
            String(report.settings?.password)
          ].join("\n")
          assert.notInclude(shown, core)
        }
      }),
    { arbitrary: { runs: 20 } }
  )

  it.effect("gives settings as a layer, or all problems", () =>
    Effect.gen(function*() {
      const settings = yield* AppConfig.pipe(Effect.provide(AppConfig.layerTest({ commandPrefix: "?" })))
      assert.strictEqual(settings.commandPrefix, "?")
      const failure = yield* AppConfig.pipe(
        Effect.provide(
          AppConfig.layer({ "homeserver-url": "nope", "log-level": "loud" }).pipe(Layer.provide(NodeServices.layer))
        ),
        Effect.flip
      )
      assert.deepStrictEqual(failure.problems.map((_) => _.setting), ["homeserver_url", "log_level"])
    }))
})
