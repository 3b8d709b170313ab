import { Deferred, Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { createWriteStream } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { pathToFileURL } from "node:url"

const killAtCommit = pathToFileURL(join(import.meta.dirname, "KillAtCommit.mjs")).href

/** How a process is told where to die: at a place that it names itself, or at a commit to the file of its keys. */
const orders = (place: string | undefined): Readonly<Record<string, string>> => {
  if (place === undefined) return {}
  const [, commit] = /^crypto commit:(.+)$/.exec(place) ?? []
  return commit === undefined
    ? { HOMING_CHAOS_KILL_AT: place }
    : { HOMING_CHAOS_KILL_AT_COMMIT: commit, NODE_OPTIONS: `--import=${killAtCommit}` }
}

/** What runs: Homing as it is, unless a test takes something out of it. */
const homing = join(import.meta.dirname, "../bin/homing.mjs")

export interface BotOptions {
  readonly url: string
  readonly userId: string
  readonly password: string
  /** Its working directory, data directory and log are in here; the same for all of its lives. */
  readonly directory: string
  /** Settings beside these, by the names of their variables. */
  readonly settings: Readonly<Record<string, string>>
  readonly program?: string
}

/** How a life of the bot ended; `code` is null when a signal ended it. */
export interface End {
  readonly code: number | null
}

/** One life of the bot: a process like any other. It is killed when the scope closes. */
export const startBot = Effect.fn("startBot")(function*(options: BotOptions, killAt?: string) {
  const ended = yield* Deferred.make<End>()
  const ready = yield* Deferred.make<void>()
  const child = yield* Effect.acquireRelease(
    Effect.sync((): ChildProcess => {
      const log = createWriteStream(join(options.directory, "bot.log"), { flags: "a" })
      const child = spawn(process.execPath, [options.program ?? homing, "run"], {
        cwd: options.directory,
        env: {
          PATH: process.env["PATH"] ?? "",
          HOME: process.env["HOME"] ?? "",
          HOMING_HOMESERVER_URL: options.url,
          HOMING_USER_ID: options.userId,
          HOMING_PASSWORD: options.password,
          HOMING_DATA_DIR: join(options.directory, "data"),
          HOMING_LOG_FORMAT: "json",
          ...options.settings,
          ...orders(killAt)
        },
        stdio: ["ignore", "pipe", "pipe"]
      })
      createInterface({ input: child.stdout }).on("line", (line) => {
        log.write(`${line}\n`)
        if (line.includes("matrix_reconcile_complete")) Deferred.doneUnsafe(ready, Effect.void)
      })
      child.stderr.on("data", (text) => log.write(text))
      child.on("exit", (code) => Deferred.doneUnsafe(ended, Effect.succeed({ code })))
      child.on("close", () => log.end())
      return child
    }),
    (child) => Effect.andThen(Effect.sync(() => child.kill("SIGKILL")), Deferred.await(ended))
  )
  /** Sends a signal, and waits for the end. */
  const signal = (name: NodeJS.Signals) => Effect.andThen(Effect.sync(() => child.kill(name)), Deferred.await(ended))
  return {
    ready: Deferred.await(ready),
    ended: Deferred.await(ended),
    kill: signal("SIGKILL"),
    stop: signal("SIGTERM")
  }
})
