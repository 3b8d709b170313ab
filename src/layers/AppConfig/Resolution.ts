import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { ConfigProblem } from "../../domain/Errors.ts"
import { serverOf } from "../../domain/Ids.ts"
import type { Settings } from "../AppConfig.ts"
import { namesOf, type SettingKey, settingKeys, settingsTable, type Surroundings, tomlKey } from "./SettingsTable.ts"
import type { Given, Source, Sources } from "./Sources.ts"

/** One line of `homing config`. */
export interface EffectiveSetting {
  readonly setting: string
  /** As a person would write it: `<redacted>` for a secret, `<unusable>` with a problem, undefined when not set. */
  readonly value: string | undefined
  /** What it comes to when it is not set, where that follows from other settings. */
  readonly meaning: string | undefined
  readonly source: Source["kind"] | "default"
  /** The flag, the variable or the path of the file; empty for a default. */
  readonly name: string
}

/** What the configuration comes to. */
export interface ConfigReport {
  /** Undefined when there are problems. */
  readonly settings: Settings | undefined
  /**
   * What there is to know for looking into the data directory, which needs no homeserver: what cannot be used holds its default.
   * Undefined when it cannot be told which directory that is.
   */
  readonly local: Settings | undefined
  readonly table: ReadonlyArray<EffectiveSetting>
  readonly problems: ReadonlyArray<ConfigProblem>
  readonly warnings: ReadonlyArray<string>
}

type Unfinished = { -readonly [K in SettingKey]?: Settings[K] }

/** The strongest source of each setting wins; every problem is found, not only the first. Pure. */
export const resolve = (read: Sources, surroundings: Surroundings): ConfigReport => {
  const settings: Unfinished = {}
  const defaults: Unfinished = {}
  const rows: Array<Omit<EffectiveSetting, "meaning">> = []
  const problems: Array<ConfigProblem> = [...read.problems]

  const decide = <K extends SettingKey>(key: K) => {
    const { given, source } = strongest(key, read.sources)
    const text = given?.text ?? Result.succeed(settingsTable[key].default)
    const decoded = Result.flatMap(text, (text) => settingsTable[key].decode(text, surroundings))
    const row = { setting: tomlKey(key), source, name: given?.name ?? "" }
    const fallback = settingsTable[key].decode(settingsTable[key].default, surroundings)
    if (Result.isSuccess(fallback)) defaults[key] = fallback.success
    if (Result.isFailure(decoded)) {
      problems.push(problemOf(key, given === undefined ? decoded.failure : `${decoded.failure} (from ${given.name})`))
      rows.push({ ...row, value: "<unusable>" })
    } else {
      settings[key] = decoded.success
      rows.push({ ...row, value: settingsTable[key].shown?.(decoded.success) ?? display(decoded.success) })
    }
  }
  settingKeys.forEach((key) => decide(key))
  // with an unreadable file one cannot say what is missing
  if (read.problems.length === 0) problems.push(...crossChecks(settings))

  const local = { ...defaults, ...settings }
  return {
    settings: problems.length === 0 && isComplete(settings) ? settings : undefined,
    local: !problems.some(hidesDirectory) && isComplete(local) ? local : undefined,
    table: rows.map((row) => ({ ...row, meaning: meaningOf(row.setting, settings) })),
    problems,
    warnings: [...read.warnings, ...doubts(settings)]
  }
}

/** A file that cannot be read may name the data directory. */
export const hidesDirectory = ({ setting }: ConfigProblem): boolean =>
  [tomlKey("dataDir"), "config", ".env"].includes(setting)

/** Who may talk to the bot when nobody was named: its own server (`isAllowed` of the policy). */
const meaningOf = (setting: string, { allowedServers, allowedUsers, serverName, userId }: Unfinished) => {
  if (allowedServers?.length !== 0 || allowedUsers?.length !== 0) return undefined
  const own = userId === undefined ? serverName : serverOf(userId)
  if (setting === tomlKey("allowedUsers")) return `everybody of ${own ?? "the bot's own server"}`
  return setting === tomlKey("allowedServers") ? own ?? "the bot's own server" : undefined
}

const strongest = (key: SettingKey, sources: ReadonlyArray<Source>): {
  readonly given: Given | undefined
  readonly source: EffectiveSetting["source"]
} => {
  const source = sources.find((source) => source.given.has(key))
  return { given: source?.given.get(key), source: source?.kind ?? "default" }
}

const isComplete = (settings: Unfinished): settings is Settings => settingKeys.every((key) => key in settings)

const problemOf = (key: SettingKey, problem: string): ConfigProblem => ({
  setting: tomlKey(key),
  names: namesOf(key),
  problem
})

/** What no setting shows alone. A key that is absent has a problem of its own already. */
const crossChecks = (settings: Unfinished): ReadonlyArray<ConfigProblem> => {
  const problems: Array<ConfigProblem> = []
  const isUnset = (key: SettingKey) => key in settings && settings[key] === undefined
  if (isUnset("homeserverUrl") && isUnset("serverName") && isUnset("userId")) {
    problems.push(
      problemOf("homeserverUrl", "which homeserver? Give its URL (or server_name, or user_id, to find it by)")
    )
  } else if (settings.password !== undefined && isUnset("userId")) {
    problems.push(problemOf("userId", "a password needs the user id that it belongs to"))
  }
  const { serverName, userId } = settings
  if (serverName !== undefined && userId !== undefined && serverOf(userId) !== serverName) {
    problems.push(problemOf("serverName", `${serverName} is not the server of ${userId}; leave server_name out`))
  }
  return problems
}

const doubts = ({ homeserverUrl: url }: Unfinished): ReadonlyArray<string> =>
  url?.protocol === "http:" && !isLoopback(url.hostname)
    ? [`homeserver_url is ${url.origin}: without https, everyone between here and there can read the bot's token.`]
    : []

/** RFC 6761 "localhost" and its subdomains, 127.0.0.0/8, ::1. URL has made IPv4 and IPv6 addresses canonical. */
const isLoopback = (hostname: string): boolean =>
  /^(?:.+\.)?localhost\.?$/.test(hostname) || /^127(?:\.\d{1,3}){3}$/.test(hostname) || hostname === "[::1]"

const display = (value: Settings[SettingKey]): string | undefined => {
  if (value === undefined) return undefined
  if (Redacted.isRedacted(value)) return "<redacted>"
  if (Duration.isDuration(value)) return Duration.format(value)
  if (value instanceof URL) return value.href
  if (typeof value !== "object") return String(value)
  return value.length === 0 ? undefined : value.join(" ")
}
