import * as Effect from "effect/Effect"
import * as Toml from "effect/encoding/Toml"
import * as FileSystem from "effect/FileSystem"
import type * as PlatformError from "effect/PlatformError"
import * as Result from "effect/Result"
import * as NodePath from "node:path"
import { parseEnv } from "node:util"
import type { ConfigProblem } from "../../domain/Errors.ts"
import {
  fileVariableName,
  flagName,
  type SettingKey,
  settingKeys,
  settingsTable,
  type Surroundings,
  tomlKey,
  variableName
} from "./SettingsTable.ts"
import { suggest } from "./Suggestion.ts"

/** Flags by name without dashes, as in `{ "homeserver-url": "https://…" }`; `config` names the file. */
export type Flags = Readonly<Record<string, string>>

/** One setting as one source gives it. */
export interface Given {
  /** The name that it was set by. */
  readonly name: string
  /** What was written; a failure says in a sentence why it cannot be read. */
  readonly text: Result.Result<string, string>
}

export interface Source {
  readonly kind: "flag" | "environment" | ".env" | "homing.toml"
  readonly given: ReadonlyMap<SettingKey, Given>
}

/** Everything that was written anywhere, before any of it is judged. */
export interface Sources {
  /** Strongest first. */
  readonly sources: ReadonlyArray<Source>
  /** What could not be read at all: a missing file, a syntax error. */
  readonly problems: ReadonlyArray<ConfigProblem>
  /** Names that Homing does not know. */
  readonly warnings: ReadonlyArray<string>
}

const configNames = ["--config", "HOMING_CONFIG"]

/** Reads flags, environment, `.env` and `homing.toml`. Never fails: what is wrong is told together with the rest. */
export const readSources = Effect.fn("AppConfig.readSources")(function*(flags: Flags, surroundings: Surroundings) {
  const resolve = (path: string) => NodePath.resolve(surroundings.workingDirectory, path)

  const dotEnv = yield* readDotEnv(resolve(".env"))
  const named = written(flags["config"]) ?? written(surroundings.environment["HOMING_CONFIG"]) ??
    written(dotEnv.variables["HOMING_CONFIG"])
  const file = yield* readToml(resolve(named ?? "homing.toml"), named !== undefined)

  const sources: ReadonlyArray<Source> = [
    { kind: "flag", given: yield* fromFlags(flags, resolve) },
    { kind: "environment", given: yield* fromVariables(surroundings.environment, "the environment", resolve) },
    { kind: ".env", given: yield* fromVariables(dotEnv.variables, ".env", resolve) },
    { kind: "homing.toml", given: fromToml(file.table, file.path) }
  ]
  const answer: Sources = {
    sources,
    problems: [...dotEnv.problems, ...file.problems],
    warnings: [
      ...unknownVariables(surroundings.environment, "in the environment"),
      ...unknownVariables(dotEnv.variables, "in .env"),
      ...unknownKeys(file.table, file.path)
    ]
  }
  return answer
})

/** An empty string counts as not set. */
const written = (value: string | undefined): string | undefined => value === "" ? undefined : value

// --- flags and variables

const fromFlags = Effect.fnUntraced(function*(flags: Flags, resolve: (path: string) => string) {
  const given = new Map<SettingKey, Given>()
  for (const key of settingKeys) {
    const value = flags[flagName(key)]
    if (value === undefined) continue
    const name = `--${flagName(key)}`
    given.set(key, {
      name,
      text: settingsTable[key].secret ? yield* readValue(key, name, resolve(value)) : text(key, value)
    })
  }
  return given
})

const fromVariables = Effect.fnUntraced(function*(
  variables: Readonly<Record<string, string | undefined>>,
  place: string,
  resolve: (path: string) => string
) {
  const given = new Map<SettingKey, Given>()
  for (const key of settingKeys) {
    const [name, fileName] = [variableName(key), fileVariableName(key)]
    const [value, path] = [written(variables[name]), written(variables[fileName])]
    if (value !== undefined && path !== undefined) {
      given.set(key, { name, text: Result.fail(`both ${name} and ${fileName} are set in ${place}; keep one of them`) })
    } else if (path !== undefined) {
      given.set(key, { name: fileName, text: yield* readValue(key, fileName, resolve(path)) })
    } else if (value !== undefined) {
      given.set(key, { name, text: text(key, value) })
    }
  }
  return given
})

/** The value in a file, without one newline at its end: editors and `kubectl` add one, a password may end in two. */
const readValue = Effect.fnUntraced(function*(key: SettingKey, name: string, path: string) {
  // a secret set where its file should be named must not show either
  const file = settingsTable[key].secret ? `the file that ${name} names` : path
  const content = yield* Effect.result(readFile(path))
  return Result.match(content, {
    onFailure: (error): Result.Result<string, string> => Result.fail(`${file} ${whyUnreadable(error)}`),
    onSuccess: (content) => {
      const value = content.replace(/\r?\n$/, "")
      return value === "" ? Result.fail(`${file} is empty`) : text(key, value)
    }
  })
})

/** Only a secret keeps the white space around it. */
const text = (key: SettingKey, value: string): Result.Result<string, string> => {
  const kept = settingsTable[key].secret ? value : value.trim()
  return kept === "" && !settingsTable[key].list ? Result.fail("must not be empty") : Result.succeed(kept)
}

const unknownVariables = (variables: Readonly<Record<string, string | undefined>>, place: string) => {
  const known = [
    "HOMING_CONFIG",
    "HOMING_CHAOS_KILL_AT",
    ...settingKeys.flatMap((key) => [variableName(key), fileVariableName(key)])
  ]
  return Object.keys(variables).filter((name) => name.startsWith("HOMING_") && !known.includes(name))
    .map((name) => unknown(`${name} ${place}`, suggest(name, known)))
}

const unknown = (what: string, meant: string | undefined): string =>
  `${what} is not a setting and has no effect.${meant === undefined ? "" : ` Did you mean ${meant}?`}`

// --- files

const readFile = (path: string) => FileSystem.FileSystem.use((files) => files.readFileString(path))

const whyUnreadable = (error: PlatformError.PlatformError): string => {
  switch (error.reason._tag) {
    case "NotFound":
      return "does not exist"
    case "PermissionDenied":
      return "may not be read by this user"
    default:
      return "cannot be read"
  }
}

const readDotEnv = Effect.fnUntraced(function*(path: string) {
  const content = yield* Effect.result(readFile(path))
  const none: Readonly<Record<string, string | undefined>> = {}
  if (Result.isSuccess(content)) return { variables: { ...none, ...parseEnv(content.success) }, problems: [] }
  if (content.failure.reason._tag === "NotFound") return { variables: none, problems: [] }
  const problem: ConfigProblem = {
    setting: ".env",
    names: [path],
    problem: `the file ${whyUnreadable(content.failure)}`
  }
  return { variables: none, problems: [problem] }
})

const readToml = Effect.fnUntraced(function*(path: string, named: boolean) {
  const fail = (problem: string) => {
    const problems: ReadonlyArray<ConfigProblem> = [{ setting: "config", names: configNames, problem }]
    return { path, table: {}, problems }
  }
  const content = yield* Effect.result(readFile(path))
  if (Result.isFailure(content)) {
    return !named && content.failure.reason._tag === "NotFound"
      ? { path, table: {}, problems: [] }
      : fail(`${path} ${whyUnreadable(content.failure)}`)
  }
  return Result.match(Toml.parse(content.success), {
    onFailure: (error) => fail(`${path} is not valid TOML: ${withoutValues(error.message)}`),
    onSuccess: (
      table
    ): { path: string; table: Readonly<Record<string, unknown>>; problems: ReadonlyArray<ConfigProblem> } => ({
      path,
      table,
      problems: []
    })
  })
})

/** The parser quotes what it could not read, and a token without its quotation marks is just that. */
const withoutValues = (message: string): string =>
  message.replace(/^(Invalid \w+|Integer out of range) '.*' at/s, "$1 at")

const fromToml = (table: Readonly<Record<string, unknown>>, path: string): ReadonlyMap<SettingKey, Given> => {
  const given = new Map<SettingKey, Given>()
  for (const key of settingKeys) {
    const value = table[tomlKey(key)]
    if (value !== undefined) given.set(key, { name: path, text: tomlText(key, value) })
  }
  return given
}

const tomlText = (key: SettingKey, value: unknown): Result.Result<string, string> => {
  if (typeof value === "string") return text(key, value)
  if (
    (typeof value === "number" || typeof value === "boolean") && !settingsTable[key].secret && !settingsTable[key].list
  ) {
    return text(key, String(value))
  }
  if (settingsTable[key].list) {
    return Array.isArray(value) && value.every((item) => typeof item === "string" && !/[\s,]/.test(item))
      ? Result.succeed(value.join(" "))
      : Result.fail(`must be an array of texts, such as ${tomlKey(key)} = ["…"]`)
  }
  return Result.fail(`must be a text in quotation marks, such as ${tomlKey(key)} = "…"`)
}

const unknownKeys = (table: Readonly<Record<string, unknown>>, path: string) => {
  const known = settingKeys.map(tomlKey)
  return Object.keys(table).filter((key) => !known.includes(key))
    .map((key) => unknown(`${key} in ${path}`, suggest(key, known)))
}
