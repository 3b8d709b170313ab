import * as Effect from "effect/Effect"
import * as Formatter from "effect/Formatter"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { AppConfig, type Settings } from "./AppConfig.ts"

/**
 * One line an event, with keys that stay: `timestamp` (ISO 8601), `level` (lower case), `message`, `annotations`, and
 * `cause` when there is one. Redacted values have become `<redacted>` by then.
 */
const jsonLine = Logger.map(
  Logger.formatStructured,
  ({ annotations, cause, level, message, timestamp }) =>
    Formatter.formatJson({ timestamp, level: level.toLowerCase(), message, annotations, cause })
)

const loggers: { readonly [Format in Settings["logFormat"]]: () => Logger.Logger<unknown, void> } = {
  pretty: () => Logger.consolePretty(),
  json: () => Logger.withConsoleLog(jsonLine),
  logfmt: () => Logger.consoleLogFmt
}

/** Logs go to standard output; standard error is for the one paragraph that says why the process ended. */
export const layer: Layer.Layer<never, never, AppConfig> = Layer.unwrap(
  Effect.map(AppConfig, ({ logFormat, logLevel }) =>
    Layer.mergeAll(
      Logger.layer([loggers[logFormat]()]),
      Layer.succeed(References.MinimumLogLevel, logLevel)
    ))
)
