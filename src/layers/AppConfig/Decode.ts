import * as Duration from "effect/Duration"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as NodePath from "node:path"
import type { Backlog } from "../../domain/Arrival.ts"
import { RoomId, ServerName, UserId } from "../../domain/Ids.ts"
import type { Settings } from "../AppConfig.ts"
import type { Surroundings } from "./SettingsTable.ts"

type Decoded<A> = Result.Result<A, string>

/** Values are echoed, shortened and on one line, so that a typo is seen. Never used for secrets and URLs. */
const quote = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)

/** Nothing written means undefined. */
const optional = <A>(decode: (text: string) => Decoded<A>) => (text: string): Decoded<A | undefined> =>
  text === "" ? Result.succeed(undefined) : decode(text)

const list = <A>(decode: (text: string) => Decoded<A>) => (text: string): Decoded<ReadonlyArray<A>> =>
  Result.all(text.split(/[\s,]+/).filter((item) => item !== "").map(decode))

const schema = <A>(schema: Schema.Codec<A, string>, expected: string) => {
  const decode = Schema.decodeUnknownResult(schema)
  return (text: string): Decoded<A> => Result.mapError(decode(text), () => `${quote(text)} is not ${expected}`)
}

export const aUserId = schema(UserId, "a user id such as @bot:example.org")
const aServerName = schema(ServerName, "a server name such as example.org")

export const userId = optional(aUserId)
export const roomId = optional(schema(RoomId, "a room id such as !abc:example.org (not an alias)"))
export const serverName = optional(aServerName)
export const userIds = list(aUserId)
export const serverNames = list((text): Decoded<ServerName | "*"> =>
  text === "*" ? Result.succeed("*") : aServerName(text)
)

/** A URL is not echoed: a password may stand in it. */
export const homeserverUrl = optional((text): Decoded<URL> => {
  if (!URL.canParse(text)) return Result.fail("this is not a URL; write it like https://matrix.example.org")
  const url = new URL(text)
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    return Result.fail("the URL must begin with https:// (or http://)")
  }
  if (url.username !== "" || url.password !== "") {
    return Result.fail("the URL must not hold a user name or password; use user_id and password for them")
  }
  if (url.search !== "" || url.hash !== "") {
    return Result.fail("the URL must end before its first ? or #")
  }
  return Result.succeed(url)
})

export const secret = optional((text): Decoded<Redacted.Redacted> =>
  /[\r\n\0]/.test(text) ? Result.fail("the value must be one line") : Result.succeed(Redacted.make(text))
)

/** 32 bytes, as `openssl rand -base64 32` prints them. */
export const cryptoKey = optional((text): Decoded<Redacted.Redacted> =>
  Buffer.from(text, "base64").length === 32
    ? Result.succeed(Redacted.make(text))
    : Result.fail("the value must be 32 bytes in base64, such as `openssl rand -base64 32` prints")
)

/** 35 bytes in base 58 (Appendices, "Cryptographic key representation"), in groups or without. Checked to the last bit when it is used. */
export const recoveryKey = optional((text): Decoded<Redacted.Redacted> =>
  /^[1-9A-HJ-NP-Za-km-z ]{40,80}$/.test(text)
    ? Result.succeed(Redacted.make(text))
    : Result.fail("the value must be a recovery key: 12 groups of 4 letters and digits, beginning with Es")
)

export const line = (text: string): Decoded<string> =>
  /\p{Cc}/u.test(text)
    ? Result.fail(`${quote(text)} must be one line without control characters`)
    : Result.succeed(text)

export const path = (text: string, surroundings: Surroundings): Decoded<string> =>
  Result.succeed(NodePath.resolve(surroundings.workingDirectory, text))

export const commandPrefix = (text: string): Decoded<string> =>
  /^[^\s\p{Cc}]{1,20}$/u.test(text)
    ? Result.succeed(text)
    : Result.fail(`${quote(text)} must be 1 to 20 characters without spaces`)

export const logFormat = (text: string, surroundings: Surroundings): Decoded<Settings["logFormat"]> => {
  switch (text) {
    case "auto":
      return Result.succeed(surroundings.isTerminal ? "pretty" : "json")
    case "pretty":
    case "json":
    case "logfmt":
      return Result.succeed(text)
    default:
      return Result.fail(`${quote(text)} is none of auto, pretty, json and logfmt`)
  }
}

export const logLevel = (text: string): Decoded<LogLevel.LogLevel> => {
  const wanted = text.toLowerCase() === "warning" ? "warn" : text.toLowerCase()
  const level = LogLevel.values.find((level) => level.toLowerCase() === wanted)
  return Result.fromNullishOr(
    level,
    () => `${quote(text)} is none of trace, debug, info, warn, error, fatal and none`
  )
}

export const duration = (
  bounds: { readonly minimum: Duration.Input; readonly maximum: Duration.Input }
) =>
(text: string): Decoded<Duration.Duration> => {
  const [minimum, maximum] = [Duration.fromInputUnsafe(bounds.minimum), Duration.fromInputUnsafe(bounds.maximum)]
  return Option.match(parseDuration(text), {
    onNone: () => Result.fail(`${quote(text)} is not a duration such as "30 seconds" or "2 minutes"`),
    onSome: (value) =>
      Duration.isLessThan(value, minimum) || Duration.isGreaterThan(value, maximum)
        ? Result.fail(`${quote(text)} is not between ${Duration.format(minimum)} and ${Duration.format(maximum)}`)
        : Result.succeed(value)
  })
}

/** Effect reads `30 seconds`; people also write `30s`. A bare number is refused: its unit would be a guess. */
const parseDuration = (text: string): Option.Option<Duration.Duration> => {
  const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,6})?)\s*([a-z]+)$/.exec(text) ?? []
  if (amount === undefined || unit === undefined) return Option.none()
  const value = Number(amount)
  switch (unit) {
    case "ms":
    case "milli":
    case "millis":
      return Option.some(Duration.millis(value))
    case "s":
    case "sec":
    case "second":
    case "seconds":
      return Option.some(Duration.seconds(value))
    case "m":
    case "min":
    case "minute":
    case "minutes":
      return Option.some(Duration.minutes(value))
    case "h":
    case "hour":
    case "hours":
      return Option.some(Duration.hours(value))
    case "day":
    case "days":
      return Option.some(Duration.days(value))
    default:
      return Option.none()
  }
}

export const backlog = (text: string): Decoded<Backlog> =>
  text === "answer" || text === "newest" || text === "skip"
    ? Result.succeed(text)
    : Result.fail(`${quote(text)} is none of answer, newest and skip`)

export const shareKeys = (text: string): Decoded<Settings["shareKeys"]> =>
  text === "all" || text === "verified"
    ? Result.succeed(text)
    : Result.fail(`${quote(text)} is neither all nor verified`)

export const flag = (text: string): Decoded<boolean> =>
  text === "true" || text === "false"
    ? Result.succeed(text === "true")
    : Result.fail(`${quote(text)} is neither true nor false`)

export const autoVerify = (text: string): Decoded<Settings["autoVerify"]> =>
  text === "people"
    ? Result.succeed(text)
    : Result.mapError(flag(text), () => `${quote(text)} is neither people nor true nor false`)

export const count =
  (bounds: { readonly minimum: number; readonly maximum: number }) => (text: string): Decoded<number> => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN
    return value >= bounds.minimum && value <= bounds.maximum
      ? Result.succeed(value)
      : Result.fail(`${quote(text)} is not a whole number from ${bounds.minimum} to ${bounds.maximum}`)
  }

export const port = optional((text): Decoded<number> => {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0
  return value >= 1 && value <= 65535
    ? Result.succeed(value)
    : Result.fail(`${quote(text)} is not a port from 1 to 65535`)
})
