/** The bot as a process of its own, which can be killed: `homing run`, told what to do by its environment alone. */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { spawn } from "node:child_process"
import { createWriteStream } from "node:fs"
import { constants } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { BotEnded, NoPlace } from "./Errors.ts"
import { Terminal } from "./Terminal.ts"
import { Found, LogLine, seconds, warningText, wayBack } from "./Words.ts"

export interface BotOptions {
  readonly homeserverUrl: string
  readonly userId: string
  readonly password: string
  /** Where it works and keeps what it knows. */
  readonly directory: string
  /** The file of a bot of one's own (`runBot`), in place of `homing run`. */
  readonly file?: string | undefined
}

export interface Restart {
  readonly signal: "SIGTERM" | "SIGKILL"
  /** Deletes its databases in between. */
  readonly loseDatabase?: boolean
}

export class BotProcess extends Context.Service<BotProcess, {
  /** Starts it, and waits until it has found its way back. Says so. */
  readonly start: Effect.Effect<void>
  /** Ends it, by asking or by force, and starts it again. One after another. */
  restart(how: Restart): Effect.Effect<void, NoPlace>
  /** Never ends, unless the bot does and nobody here had asked it to. */
  readonly broken: Effect.Effect<never, BotEnded>
}>()("homing/Sandbox/BotProcess") {
  static readonly layer = (options: BotOptions): Layer.Layer<BotProcess, never, FileSystem.FileSystem | Terminal> =>
    Layer.effect(BotProcess, make(options))
}

/** The log of all its runs. */
export const logFile = (directory: string): string => join(directory, "bot.log")
const dataDirectory = (directory: string): string => join(directory, "bot")

/**
 * What a lost disk would take. `recovery.key` stays, as it would with whoever wrote it down: without it no new device of the account could be
 * verified, and the sandbox has nobody who could help.
 */
const databaseFiles = ["homing.db", "crypto.db"].flatMap((name) => [name, `${name}-wal`, `${name}-shm`])

/** An end by asking may take this long, then it is made. Shorter than what this process itself is given. */
const patience = "4 seconds"

/** From its start to its end. */
interface Run {
  /** What reconciliation found. */
  readonly back: Deferred.Deferred<Found>
  readonly ended: Deferred.Deferred<void>
  readonly pid: number
  /** Asks for the end: it is no surprise then. */
  end(signal: NodeJS.Signals): void
}

const make = Effect.fnUntraced(function*(options: BotOptions) {
  const terminal = yield* Terminal
  const fs = yield* FileSystem.FileSystem
  const scope = yield* Effect.scope
  const oneByOne = yield* Semaphore.make(1)
  const broken = yield* Deferred.make<never, BotEnded>()
  let running: Run | undefined

  const launch = Effect.gen(function*() {
    const lines = yield* Queue.unbounded<string, Cause.Done>()
    const back = yield* Deferred.make<Found>()
    const ended = yield* Deferred.make<void>()
    yield* Stream.fromQueue(lines).pipe(
      Stream.runForEach((line) => read(line, back)),
      Effect.forkIn(scope)
    )
    return yield* Effect.sync(() => {
      let expected = false
      const { kill, pid } = spawnBot(options, {
        line: (line) => Queue.offerUnsafe(lines, line),
        end: (reason) => {
          Queue.endUnsafe(lines)
          Deferred.doneUnsafe(ended, Effect.void)
          if (!expected) Deferred.doneUnsafe(broken, Effect.fail(reason))
        }
      })
      const end = (signal: NodeJS.Signals) => {
        expected = true
        kill(signal)
      }
      return running = { back, ended, pid, end }
    })
  })

  const read = Effect.fnUntraced(function*(line: string, back: Deferred.Deferred<Found>) {
    const entry = decodeLine(line)
    if (Option.isNone(entry)) return
    if (entry.value.message === "matrix_reconcile_complete") {
      yield* Option.match(decodeFound(entry.value.annotations), {
        onNone: () => Effect.void,
        onSome: (found) => Deferred.succeed(back, found)
      })
    }
    if (loud.has(entry.value.level)) yield* terminal.note(warningText("the bot", entry.value))
  })

  const begin = Effect.gen(function*() {
    const { back, pid } = yield* launch
    const found = yield* Deferred.await(back).pipe(Effect.raceFirst(progress(terminal.note)))
    return { found, pid }
  })

  const end = Effect.fnUntraced(function*(signal: NodeJS.Signals) {
    const run = running
    if (run === undefined) return
    running = undefined
    run.end(signal)
    yield* Deferred.await(run.ended).pipe(
      Effect.timeoutOrElse({
        duration: patience,
        orElse: () => Effect.andThen(Effect.sync(() => run.end("SIGKILL")), Deferred.await(run.ended))
      })
    )
  })
  yield* Effect.addFinalizer(() => end("SIGTERM"))

  const forget = Effect.forEach(
    databaseFiles,
    (name) => fs.remove(join(dataDirectory(options.directory), name), { force: true })
  ).pipe(
    Effect.mapError((error) => new NoPlace({ detail: error.message, advice: "The bot's databases are still there." }))
  )

  const start = Effect.gen(function*() {
    const [taken, { found, pid }] = yield* timed(begin)
    const way = found.rooms === 0 ? "" : `: ${wayBack(found)}`
    yield* terminal.note(`the bot is there after ${seconds(taken)}, as process ${pid}${way}`)
  })

  const restart: BotProcess["Service"]["restart"] = Effect.fn("BotProcess.restart")(function*(how) {
    const [taken, { found, pid }] = yield* timed(Effect.gen(function*() {
      yield* end(how.signal)
      if (how.loseDatabase === true) yield* forget
      return yield* begin
    }))
    yield* terminal.note(`the bot is back after ${seconds(taken)}, as process ${pid}: ${wayBack(found)}`)
  })

  return BotProcess.of({
    start: oneByOne.withPermit(start),
    restart: (how) => oneByOne.withPermit(restart(how)),
    broken: Deferred.await(broken)
  })
})

const decodeLine = Schema.decodeUnknownOption(LogLine)
const decodeFound = Schema.decodeUnknownOption(Found)

/** What the chat shows of the log. */
const loud = new Set(["warn", "error", "fatal"])

/** How long it took, in milliseconds, and what came of it. */
const timed = Effect.fnUntraced(function*<A, E, R>(effect: Effect.Effect<A, E, R>) {
  const startedAt = yield* Clock.currentTimeMillis
  const value = yield* effect
  return [(yield* Clock.currentTimeMillis) - startedAt, value] as const
})

/** Says after a second, and then every few, that a start goes on. */
const progress = Effect.fnUntraced(function*(note: (text: string) => Effect.Effect<void>) {
  yield* Effect.sleep("1 second")
  yield* note("the bot is starting …")
  for (let waited = 6;; waited += 5) {
    yield* Effect.sleep("5 seconds")
    yield* note(`still starting, ${waited} s by now`)
  }
})

// --- the edge

const program = fileURLToPath(new URL("../../../bin/homing.mjs", import.meta.url))

const spawnBot = (options: BotOptions, on: {
  readonly line: (line: string) => void
  readonly end: (reason: BotEnded) => void
}): { readonly pid: number; readonly kill: (signal: NodeJS.Signals) => void } => {
  const child = spawn(process.execPath, options.file === undefined ? [program, "run"] : [options.file], {
    // No setting of this machine reaches it, neither by the environment nor by files in the working directory.
    cwd: options.directory,
    env: {
      HOMING_HOMESERVER_URL: options.homeserverUrl,
      HOMING_USER_ID: options.userId,
      HOMING_PASSWORD: options.password,
      HOMING_DATA_DIR: dataDirectory(options.directory),
      HOMING_LOG_FORMAT: "json"
    },
    // Ctrl-C in the terminal is for the sandbox alone. The channel tells the bot when the sandbox is gone.
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "ipc"]
  })
  // A crash of this process: before anything else that is done at its end, such as to remove what the bot works in.
  const kill = () => child.kill("SIGKILL")
  process.prependListener("exit", kill)
  let said = ""
  const log = createWriteStream(logFile(options.directory), { flags: "a", mode: 0o600 })
  // A log that cannot be written is no reason to end: a full disk ends the bot itself, and it says so.
  log.on("error", () => {})
  child.stdout?.pipe(log, { end: false })
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said = `${said}${text}`.slice(-10_000)
    log.write(text)
  })
  if (child.stdout !== null) createInterface({ input: child.stdout }).on("line", on.line)
  const end = (exitCode: number, signal: NodeJS.Signals | null) => {
    process.off("exit", kill)
    log.end()
    on.end(new BotEnded({ exitCode, signal, said: said.replace(/^homing: /, "") }))
  }
  child.on("error", (problem) => {
    said += problem.message
    if (child.pid === undefined) end(71, null)
  })
  // "close" comes after "exit", when all of its output has been read
  child.on("close", (code, signal) => end(code ?? 128 + (signal === null ? 0 : constants.signals[signal]), signal))
  return { pid: child.pid ?? 0, kill: (signal) => child.kill(signal) }
}
