import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as LogLevel from "effect/LogLevel"
import type * as Redacted from "effect/Redacted"
import type { ServerName, UserId } from "../domain/Ids.ts"

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
  readonly allowedUsers: ReadonlyArray<UserId>
  /** Server names; `*` allows every server. When neither users nor servers are given: the bot's own server. */
  readonly allowedServers: ReadonlyArray<ServerName | "*">
  readonly commandPrefix: string
  readonly logFormat: "pretty" | "json" | "logfmt"
  readonly logLevel: LogLevel.LogLevel
  /** `timeout` of the long poll. */
  readonly syncTimeout: Duration.Duration
  /** How long a start waits for a homeserver that does not answer. */
  readonly startPatience: Duration.Duration
  /** Port of `/healthz` and `/readyz` on loopback; undefined serves none. */
  readonly statusPort: number | undefined
}

/** The layered configuration: flags > environment > `.env` > `homing.toml` > defaults. */
export class AppConfig extends Context.Service<AppConfig, Settings>()("homing/AppConfig") {}
