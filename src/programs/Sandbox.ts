import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import { randomUUID } from "node:crypto"
import { existsSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { setFlagsFromString } from "node:v8"
import { Homeserver } from "../layers/Homeserver.ts"
import { Door } from "../layers/Homeserver/Door.ts"
import { makeDirectory } from "../layers/MakeDirectory.ts"
import { takeLease } from "../layers/Store/Lease.ts"
import { BotProcess, logFile } from "./Sandbox/BotProcess.ts"
import { complete, handleLine } from "./Sandbox/Commands.ts"
import { NoAnswer, NoBot, NoDoor, NoPlace, NoWorld } from "./Sandbox/Errors.ts"
import { Talk } from "./Sandbox/Talk.ts"
import { Terminal } from "./Sandbox/Terminal.ts"
import { introduction, warningText, welcome } from "./Sandbox/Words.ts"

const serverName = "sandbox.local"
const botId = `@homing:${serverName}`

export interface SandboxOptions {
  /** Of the homeserver, on loopback. Any free one by default. */
  readonly port?: number | undefined
  /** Where everything is kept from one run to the next; nowhere by default. */
  readonly dataDir?: string | undefined
  /** The file of a bot of one's own; the one that echoes by default. */
  readonly bot?: string | undefined
  /** How long a line waits for its answer; 10 seconds by default. */
  readonly patience?: Duration.Input
}

/** By the name of the account. */
interface Passwords {
  readonly homing: string
  readonly you: string
}

/**
 * Everything on this machine: a small homeserver in this process, you, and the bot in a process of its own, which can be
 * killed. Nothing is configured, and nothing is kept unless there is a directory to keep it in.
 */
export const sandbox = (options: SandboxOptions) =>
  Effect.andThen(smallNursery, sandboxAt(options)).pipe(Effect.provide(Terminal.layer(complete)))

/**
 * The homeserver keeps its world in this process: young objects get no more room than they begin with. Measured with 1,000 rooms and 20,000
 * events: 161 to 167 MB in place of 199 to 223, for more work of the garbage collector that only a flood shows.
 */
const smallNursery = Effect.sync(() => setFlagsFromString("--semi-space-growth-factor=1"))

/** The same at a given terminal. */
export const sandboxAt = Effect.fn("sandbox")(function*(options: SandboxOptions) {
  // First, so that something is seen at once.
  yield* (yield* Terminal).print(welcome(options.dataDir))
  const bot = options.bot === undefined ? undefined : yield* botFile(options.bot)
  const directory = yield* options.dataDir === undefined ? passingDirectory : keptDirectory(options.dataDir)
  // New ones every time: nothing but this process needs them.
  const passwords = { homing: randomUUID(), you: randomUUID() }
  yield* conversation(directory, passwords).pipe(Effect.provide(world(directory, passwords, { ...options, bot })))
}, Effect.scoped)

const botFile = (path: string): Effect.Effect<string, NoBot> => {
  const file = resolve(path)
  return existsSync(file) ? Effect.succeed(file) : Effect.fail(new NoBot({ file }))
}

const passingDirectory = Effect.gen(function*() {
  const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "homing-sandbox-" })
  // A crash of this process, and an end by force, leave no time for the scope.
  const remove = () => rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 })
  yield* Effect.acquireRelease(
    Effect.sync(() => process.on("exit", remove)),
    () => Effect.sync(() => process.off("exit", remove))
  )
  return directory
}).pipe(
  Effect.mapError(({ reason }) =>
    new NoPlace({
      detail: `${tmpdir()}, the directory for temporary files, ${
        reason._tag === "NotFound"
          ? "is not there"
          : reason._tag === "PermissionDenied"
          ? "may not be written by this user"
          : "cannot be used"
      }`,
      advice: "Set TMPDIR to a directory that you may write to."
    })
  )
)

const keptDirectory = Effect.fnUntraced(function*(path: string) {
  const directory = resolve(path)
  const advice = "Give it a --data-dir that you may write to."
  yield* Effect.mapError(makeDirectory(directory), ({ detail }) => new NoPlace({ detail, advice }))
  yield* takeLease(directory).pipe(
    Effect.catchTags({
      LeaseHeld: ({ holder }) =>
        new NoPlace({
          detail: `another sandbox (${holder}) is running in ${directory}`,
          advice: "Stop that one, or give this one another --data-dir."
        }),
      StoreUnavailable: ({ detail, problem }) =>
        problem === "not_writable"
          ? new NoPlace({ detail: `this user may not write in ${directory}`, advice })
          : new NoPlace({ detail: detail.replace(/\.$/, ""), advice })
    })
  )
  return directory
})

/** From the first start of the bot to the end of the input. What a script wrote must all have been answered. */
const conversation = Effect.fnUntraced(function*(directory: string, passwords: Passwords) {
  const terminal = yield* Terminal
  const bot = yield* BotProcess
  const talk = yield* Talk
  const { url } = yield* Door
  yield* terminal.print(introduction(url, logFile(directory)))

  const talking = Effect.gen(function*() {
    // The line to write on is there before the bot is: what is written early waits.
    yield* terminal.prompt("Sandbox")
    yield* bot.start
    let unanswered = (yield* talk.begin) ? 0 : 1
    if (terminal.interactive) yield* Effect.forkScoped(browser(url, passwords.you))
    yield* terminal.lines.pipe(
      // A person may go on writing while the bot is away; a script gets one answer after the other.
      Stream.mapEffect(handleLine, { concurrency: terminal.interactive ? "unbounded" : 1, unordered: true }),
      Stream.takeUntil((outcome) => outcome === "quit"),
      Stream.runForEach((outcome) => Effect.sync(() => void (outcome === "unanswered" && unanswered++)))
    )
    if (unanswered > 0 && !terminal.interactive) return yield* new NoAnswer({ lines: unanswered })
  })
  yield* Effect.raceAllFirst([talking, bot.broken, talk.follow, terminal.left])
})

/** You in a browser, too. Its page is built the first time, while you write already; without it the terminal does. */
const browser = Effect.fnUntraced(function*(homeserverUrl: string, password: string) {
  const { note } = yield* Terminal
  const { WebClient } = yield* Effect.promise(() => import("../layers/WebClient.ts"))
  yield* Layer.build(WebClient.layer({ homeserverUrl, user: "you", password })).pipe(
    Effect.flatMap((context) => note(`in the browser, too: ${Context.get(context, WebClient).url}`)),
    Effect.catch(({ message }) => note(message))
  )
})

const world = (
  directory: string,
  passwords: Passwords,
  { bot: file, dataDir, patience = "10 seconds", port = 0 }: SandboxOptions
) => {
  const homeserver = Homeserver.layer({
    serverName,
    users: Object.entries(passwords).map(([name, password]) => ({ name, password })),
    file: dataDir === undefined ? undefined : join(directory, "homeserver.json")
  }).pipe(
    Layer.catchTag("WorldFileUnusable", ({ message }) => Layer.effect(Homeserver, new NoWorld({ detail: message })))
  )
  const door = Door.layer({ port }).pipe(
    Layer.catchTag("DoorShut", (shut) => Layer.effect(Door, new NoDoor({ port, detail: shut.detail })))
  )
  const bot = Layer.unwrap(
    Effect.map(
      Door,
      ({ url }) => BotProcess.layer({ homeserverUrl: url, userId: botId, password: passwords.homing, directory, file })
    )
  )
  return Layer.merge(bot, Talk.layer({ bot: botId, patience })).pipe(
    Layer.provideMerge(door),
    Layer.provideMerge(homeserver),
    Layer.provideMerge(warnings)
  )
}

/** What goes wrong in this process is told in the chat; the log of the bot is a file. */
const warnings = Layer.unwrap(Effect.map(Terminal, ({ note }) =>
  Layer.merge(
    Logger.layer([
      Logger.map(Logger.formatStructured, (entry) => Effect.runSync(note(warningText("the sandbox", entry))))
    ]),
    Layer.succeed(References.MinimumLogLevel, "Warn")
  )))
