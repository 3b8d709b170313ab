import { Deferred, Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { type Account, synapse } from "./Homeserver.ts"

/** One line of the JSON log. */
export interface LogLine {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly level: string
  readonly message: string
  readonly annotations: Readonly<Record<string, unknown>>
}

export interface Exit {
  /** `null` when a signal ended it. */
  readonly code: number | null
  readonly signal: string | null
  /** All that it wrote to standard error. */
  readonly stderr: string
  /** Milliseconds from its start to its end. */
  readonly lasted: number
}

/** A running bot: a process like any other, known by its logs, its exit and what it says in rooms. */
export interface Bot {
  readonly pid: number
  readonly log: ReadonlyArray<LogLine>
  /** The first line with this message, of those written and those to come. */
  readonly logs: (message: string, isIt?: (line: LogLine) => boolean) => Effect.Effect<LogLine>
  /** Its end, however it comes. */
  readonly exit: Effect.Effect<Exit>
  /** Asks it to stop, as systemd and Docker do, and waits for its end. */
  readonly stop: Effect.Effect<Exit>
  /** Ends it on the spot, as a power cut does. */
  readonly kill: Effect.Effect<Exit>
}

const inClone = (path: string) => join(import.meta.dirname, "../..", path)

/** A program and its arguments. */
export type Command = readonly [program: string, ...args: ReadonlyArray<string>]

const homingWith = (...args: ReadonlyArray<string>): Command => [process.execPath, inClone("bin/homing.mjs"), ...args]

const homingRun = homingWith("run")

/** A bot of one's own, by the path of its file: on the Node that comes with Homing, which runs TypeScript. */
export const botOf = (path: string): Command => [inClone("node_modules/.bin/node"), inClone(path)]

/** A directory that is gone after the test. */
export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "homing-acceptance-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Only what a process needs to run, so that no setting of the machine reaches the bot. */
const bareEnvironment = (): Record<string, string> => {
  const { HOME, PATH, TMPDIR } = process.env
  return { PATH: PATH ?? "", HOME: HOME ?? "", ...(TMPDIR === undefined ? {} : { TMPDIR }) }
}

/** The settings of a bot on this account; anything may be overridden or, with `undefined`, taken away. */
export const settings = (options: {
  readonly account: Account
  readonly dataDir: string
  readonly url?: string
  readonly more?: Readonly<Record<string, string | undefined>>
}): Record<string, string> => {
  const all: Record<string, string | undefined> = {
    HOMING_HOMESERVER_URL: options.url ?? synapse.url,
    HOMING_USER_ID: options.account.userId,
    HOMING_PASSWORD: options.account.password,
    HOMING_DATA_DIR: options.dataDir,
    HOMING_LOG_FORMAT: "json",
    ...options.more
  }
  return Object.fromEntries(Object.entries(all).flatMap(([name, value]) => value === undefined ? [] : [[name, value]]))
}

const decodeLine = (text: string): LogLine => {
  try {
    const line: unknown = JSON.parse(text)
    if (typeof line === "object" && line !== null && "message" in line) {
      const { annotations, level, message, timestamp }: Record<string, unknown> = { ...line }
      return {
        at: Date.parse(String(timestamp)),
        level: String(level),
        message: String(message),
        annotations: typeof annotations === "object" && annotations !== null ? { ...annotations } : {}
      }
    }
  } catch {
    // fall through: a line that is no JSON is shown as it is
  }
  return { at: Date.now(), level: "none", message: text, annotations: {} }
}

/** Starts the bot with these settings. It is killed when the test ends, if it still runs then. */
export const startBot = Effect.fn("startBot")(function*(
  environment: Readonly<Record<string, string>>,
  [program, ...args]: Command = homingRun
) {
  // Its own working directory: a .env or homing.toml of the developer must not reach it.
  const cwd = yield* temporaryDirectory
  const log: Array<LogLine> = []
  const waiting = new Set<(line: LogLine) => void>()
  const ended = yield* Deferred.make<Exit>()
  const started = performance.now()
  let stderr = ""

  const child = yield* Effect.acquireRelease(
    Effect.sync((): ChildProcess => {
      const child = spawn(program, args, {
        cwd,
        env: { ...bareEnvironment(), ...environment },
        stdio: ["ignore", "pipe", "pipe"]
      })
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        stderr += text
      })
      createInterface({ input: child.stdout }).on("line", (text) => {
        const line = decodeLine(text)
        log.push(line)
        for (const tell of waiting) tell(line)
      })
      // "close" comes after "exit", when all of its output has been read
      child.on("close", (code, signal) => {
        Deferred.doneUnsafe(ended, Effect.succeed({ code, signal, stderr, lasted: performance.now() - started }))
      })
      return child
    }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

  const end = (signal: NodeJS.Signals) => Effect.andThen(Effect.sync(() => child.kill(signal)), Deferred.await(ended))

  const appears = (message: string, isIt: (line: LogLine) => boolean) =>
    Effect.callback<LogLine>((resume) => {
      const matches = (line: LogLine) => line.message === message && isIt(line)
      const found = log.find(matches)
      if (found !== undefined) return resume(Effect.succeed(found))
      const tell = (line: LogLine) => {
        if (matches(line)) resume(Effect.succeed(line))
      }
      waiting.add(tell)
      return Effect.sync(() => waiting.delete(tell))
    })

  const bot: Bot = {
    pid: child.pid ?? 0,
    log,
    logs: (message, isIt = () => true) =>
      appears(message, isIt).pipe(
        Effect.raceFirst(Effect.flatMap(Deferred.await(ended), (exit) =>
          Effect.die(
            new Error(`The bot ended (${exit.code ?? exit.signal}) before it logged ${message}: ${exit.stderr}`)
          ))),
        Effect.timeoutOrElse({
          duration: 30_000,
          orElse: () =>
            Effect.die(
              new Error(`The bot did not log ${message} within 30 s; last: ${JSON.stringify(log.slice(-5))} ${stderr}`)
            )
        })
      ),
    exit: Deferred.await(ended),
    stop: end("SIGTERM"),
    kill: end("SIGKILL")
  }
  return bot
})

/** Starts the bot and waits until it has found its way back. */
export const startReadyBot = Effect.fn("startReadyBot")(function*(
  environment: Readonly<Record<string, string>>,
  command: Command = homingRun
) {
  const bot = yield* startBot(environment, command)
  const { annotations } = yield* bot.logs("matrix_reconcile_complete")
  return { ...bot, report: annotations }
})

/** Runs `homing` with these arguments to its end, as an operator does: how it ended, and what it printed. */
export const homing = Effect.fn("homing")(function*(
  environment: Readonly<Record<string, string>>,
  ...args: ReadonlyArray<string>
) {
  const { exit, log } = yield* startBot(environment, homingWith(...args))
  const ended = yield* exit
  return { ...ended, printed: log.map(({ message }) => message).join("\n") }
})
