import * as Record from "effect/Record"
import type * as Result from "effect/Result"
import type { Settings } from "../AppConfig.ts"
import * as Decode from "./Decode.ts"

/** What a decoder may know of the place that the process runs in. */
export interface Surroundings {
  /** Absolute; `.env`, `homing.toml` and relative paths are looked for here. */
  readonly workingDirectory: string
  /** Whether standard output is a terminal. */
  readonly isTerminal: boolean
  readonly environment: Readonly<globalThis.Record<string, string | undefined>>
}

export interface Setting<A> {
  readonly description: string
  /** What stands for the value in a help text. */
  readonly metavar: string
  /** Never shown, and without a flag of its own: arguments show in `ps`. */
  readonly secret: boolean
  /** Several values: an array in TOML, separated by commas or spaces elsewhere. */
  readonly list: boolean
  /** As one would write it; empty when there is none. */
  readonly default: string
  /** How a value is written, where that is not how it is named here. */
  readonly shown: ((value: A) => string) | undefined
  /** Decodes what was written, trimmed; the failure continues a sentence and shows no secret. */
  readonly decode: (text: string, surroundings: Surroundings) => Result.Result<A, string>
}

export type SettingKey = keyof Settings

const setting = <A>(
  description: string,
  metavar: string,
  decode: Setting<A>["decode"],
  options: {
    readonly default?: string
    readonly secret?: boolean
    readonly list?: boolean
    readonly shown?: (value: A) => string
  } = {}
): Setting<A> => ({
  description,
  metavar,
  decode,
  secret: options.secret ?? false,
  list: options.list ?? false,
  default: options.default ?? "",
  shown: options.shown
})

/** Every setting, in the order in which people read it. Names, flags, help and `homing config` follow from this table. */
export const settingsTable: { readonly [K in SettingKey]: Setting<Settings[K]> } = {
  homeserverUrl: setting("Base URL of the homeserver", "url", Decode.homeserverUrl),
  serverName: setting("Server name, to find the homeserver by", "name", Decode.serverName),
  userId: setting("The bot's own user id; needed with a password", "@bot:server", Decode.userId),
  accessToken: setting("Access token of the bot's account", "token", Decode.secret, { secret: true }),
  password: setting("Password of the bot's account", "password", Decode.secret, { secret: true }),
  deviceName: setting("Name of the device in the account's session list", "name", Decode.line, { default: "Homing" }),
  dataDir: setting("Directory that holds the databases", "path", Decode.path, { default: ".homing" }),
  cryptoKey: setting(
    "Key of crypto.db, 32 bytes in base64; without it, a key file beside it",
    "key",
    Decode.cryptoKey,
    { secret: true }
  ),
  recoveryKey: setting(
    "Recovery key of the bot's account; without it, the one in recovery.key",
    "key",
    Decode.recoveryKey,
    { secret: true }
  ),
  shareKeys: setting(
    "Who can read what the bot says in encrypted rooms: all members, or verified people only",
    "choice",
    Decode.shareKeys,
    { default: "all" }
  ),
  autoVerify: setting(
    "Whom the bot lets verify it by emoji, confirming unseen: people, true (its own sessions, too) or false",
    "choice",
    Decode.autoVerify,
    { default: "people" }
  ),
  allowedUsers: setting("User ids that may talk to the bot", "ids", Decode.userIds, { list: true }),
  allowedServers: setting(
    "Servers whose users may talk to the bot; * for all (the bot's own, when no users are given either)",
    "names",
    Decode.serverNames,
    { list: true }
  ),
  admins: setting("User ids of the operators: they may always talk to the bot, and use !admin", "ids", Decode.userIds, {
    list: true
  }),
  commandPrefix: setting("What a command begins with", "prefix", Decode.commandPrefix, { default: "!" }),
  logFormat: setting(
    "pretty, json or logfmt; auto is pretty on a terminal and json elsewhere",
    "format",
    Decode.logFormat,
    {
      default: "auto"
    }
  ),
  logLevel: setting("trace, debug, info, warn, error, fatal or none", "level", Decode.logLevel, {
    default: "info",
    shown: (level) => level.toLowerCase()
  }),
  syncTimeout: setting(
    "How long the homeserver may hold a sync request, 1 second to 5 minutes",
    "duration",
    Decode.duration({ minimum: "1 second", maximum: "5 minutes" }),
    { default: "30 seconds" }
  ),
  startPatience: setting(
    "How long a start waits for a homeserver that does not answer",
    "duration",
    Decode.duration({ minimum: "0 seconds", maximum: "1 day" }),
    { default: "2 minutes" }
  ),
  backlog: setting(
    "What is answered of the messages that came while the bot was away: answer (all), newest or skip",
    "choice",
    Decode.backlog,
    { default: "answer" }
  ),
  catchUpLimit: setting(
    "How many missed messages of one room are fetched at most, 0 to 100000",
    "number",
    Decode.count({ minimum: 0, maximum: 100_000 }),
    { default: "2000" }
  ),
  handlerTimeout: setting(
    "How long answering one message may take, 1 second to 1 day",
    "duration",
    Decode.duration({ minimum: "1 second", maximum: "1 day" }),
    { default: "5 minutes" }
  ),
  encryptNewRooms: setting("Whether the rooms made by !new are encrypted: true or false", "choice", Decode.flag, {
    default: "false"
  }),
  adminRoom: setting("Room that is told what a start found, when there is news", "!room:server", Decode.roomId),
  statusPort: setting("Port of /healthz and /readyz on loopback", "port", Decode.port)
}

export const settingKeys: ReadonlyArray<SettingKey> = Record.keys(settingsTable)

/** The key in `homing.toml`, which is the setting's name in every message too: `homeserver_url`. */
export const tomlKey = (key: SettingKey): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** The environment variable: `HOMING_HOMESERVER_URL`. */
export const variableName = (key: SettingKey): string => `HOMING_${tomlKey(key).toUpperCase()}`

/** The variable that names a file to read the value from, such as a mounted secret. */
export const fileVariableName = (key: SettingKey): string => `${variableName(key)}_FILE`

/** The flag without its dashes: `homeserver-url`; `access-token-file` for a secret. */
export const flagName = (key: SettingKey): string =>
  tomlKey(key).replaceAll("_", "-") + (settingsTable[key].secret ? "-file" : "")

/** Every name that a setting can be set by, strongest first. */
export const namesOf = (key: SettingKey): ReadonlyArray<string> => [
  `--${flagName(key)}`,
  variableName(key),
  fileVariableName(key),
  `${tomlKey(key)} in homing.toml`
]
