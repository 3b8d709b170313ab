import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import type { Backlog } from "../domain/Arrival.ts"
import type { AutoVerify } from "../domain/Encryption.ts"
import { ConfigInvalid } from "../domain/Errors.ts"
import { type RoomId, type ServerName, UserId } from "../domain/Ids.ts"
import { type ConfigReport, hidesDirectory, resolve } from "./AppConfig/Resolution.ts"
import type { Surroundings } from "./AppConfig/SettingsTable.ts"
import { type Flags, readSources } from "./AppConfig/Sources.ts"

/** Every setting, decoded. What was not set holds its default. */
export interface Settings {
  /** Base URL of the client-server API; undefined when it is to be discovered from `serverName` or the user id. */
  readonly homeserverUrl: URL | undefined
  readonly serverName: ServerName | undefined
  /** Needed with a password; with a token the server tells it. */
  readonly userId: UserId | undefined
  readonly accessToken: Redacted.Redacted | undefined
  readonly password: Redacted.Redacted | undefined
  /** `initial_device_display_name`. */
  readonly deviceName: string
  /** Absolute path of the directory that holds the databases. */
  readonly dataDir: string
  /** Key of `crypto.db`, 32 bytes in base64; undefined for the one in `crypto.key` beside it. */
  readonly cryptoKey: Redacted.Redacted | undefined
  /** Opens the account's secret storage: cross-signing and the key backup. Undefined for the one in `recovery.key`, if there is one. */
  readonly recoveryKey: Redacted.Redacted | undefined
  /** Who gets the keys of what the bot says in encrypted rooms: every device of a member, or only those of people it has verified. */
  readonly shareKeys: "all" | "verified"
  /** Whether the bot takes part in interactive verification, and says that the emoji match: see `answerVerification`. */
  readonly autoVerify: AutoVerify
  readonly allowedUsers: ReadonlyArray<UserId>
  /** Server names; `*` allows every server. When neither users nor servers are given: the bot's own server. */
  readonly allowedServers: ReadonlyArray<ServerName | "*">
  /** Who may use `!admin`, and always talk to the bot. */
  readonly admins: ReadonlyArray<UserId>
  readonly commandPrefix: string
  readonly logFormat: "pretty" | "json" | "logfmt"
  readonly logLevel: LogLevel.LogLevel
  /** `timeout` of the long poll. */
  readonly syncTimeout: Duration.Duration
  /** How long a start waits for a homeserver that does not answer. */
  readonly startPatience: Duration.Duration
  /** What is answered of the messages that came while the bot was away: all, the newest of a room, or none. */
  readonly backlog: Backlog
  /** How many events of one room are fetched to fill a gap; older ones are left out, and that is noted. */
  readonly catchUpLimit: number
  /** How long answering one message may take. */
  readonly handlerTimeout: Duration.Duration
  /** Whether the rooms that the bot makes for new chats are encrypted. */
  readonly encryptNewRooms: boolean
  /** The room of the operators, which is told the news of a start; undefined tells nobody. */
  readonly adminRoom: RoomId | undefined
  /** Port of `/healthz` and `/readyz` on loopback; undefined serves none. */
  readonly statusPort: number | undefined
}

/** The layered configuration: flags > environment > `.env` > `homing.toml` > defaults. */
export class AppConfig extends Context.Service<AppConfig, Settings>()("homing/AppConfig") {
  /** The settings of this process. Fails with every problem at once. */
  static readonly layer = (flags: Flags): Layer.Layer<AppConfig, ConfigInvalid, FileSystem.FileSystem> =>
    Layer.effect(AppConfig, Effect.flatMap(readConfig(flags), settingsOf))

  /** Settings for a test: nothing is read, and nothing listens at the homeserver's address. */
  static readonly layerTest = (settings: Partial<Settings> = {}): Layer.Layer<AppConfig> =>
    Layer.succeed(AppConfig, { ...testSettings, ...settings })
}

/** Reads the configuration and where each setting came from, whether or not it can be used. */
export const readConfig = Effect.fn("AppConfig.readConfig")(function*(flags: Flags, where?: Surroundings) {
  const surroundings = where ?? (yield* ownSurroundings)
  return resolve(yield* readSources(flags, surroundings), surroundings)
})

export const settingsOf = (report: ConfigReport): Effect.Effect<Settings, ConfigInvalid> =>
  report.settings === undefined ? new ConfigInvalid({ problems: report.problems }) : Effect.succeed(report.settings)

/** The same for a command that needs nothing but the data directory: it works without a homeserver. */
export const localSettingsOf = (report: ConfigReport): Effect.Effect<Settings, ConfigInvalid> =>
  report.local === undefined
    ? new ConfigInvalid({ problems: report.problems.filter(hidesDirectory) })
    : Effect.succeed(report.local)

const ownSurroundings = Effect.sync((): Surroundings => ({
  workingDirectory: process.cwd(),
  isTerminal: process.stdout.isTTY === true,
  environment: process.env
}))

const testSettings: Settings = {
  homeserverUrl: new URL("http://127.0.0.1:1"),
  serverName: undefined,
  userId: UserId.make("@bot:homing.test"),
  accessToken: undefined,
  password: Redacted.make("password"),
  deviceName: "Homing",
  dataDir: ":memory:",
  cryptoKey: undefined,
  recoveryKey: undefined,
  shareKeys: "all",
  autoVerify: "people",
  allowedUsers: [],
  allowedServers: [],
  admins: [],
  commandPrefix: "!",
  logFormat: "pretty",
  logLevel: "Info",
  syncTimeout: Duration.seconds(30),
  startPatience: Duration.minutes(2),
  backlog: "answer",
  catchUpLimit: 2_000,
  handlerTimeout: Duration.minutes(5),
  encryptNewRooms: false,
  adminRoom: undefined,
  statusPort: undefined
}
