import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { randomUUID } from "node:crypto"
import { Homeserver } from "../layers/Homeserver.ts"
import { Door } from "../layers/Homeserver/Door.ts"
import { BotProcess, logFile } from "./Sandbox/BotProcess.ts"
import { complete, handleLine } from "./Sandbox/Commands.ts"
import { NoAnswer, NoDoor, NoPlace } from "./Sandbox/Errors.ts"
import { Talk } from "./Sandbox/Talk.ts"
import { Terminal } from "./Sandbox/Terminal.ts"
import { introduction, welcome } from "./Sandbox/Words.ts"

const serverName = "sandbox.local"
const botId = `@homing:${serverName}`

export interface SandboxOptions {
  /** Of the homeserver, on loopback. Any free one by default. */
  readonly port?: number
  /** How long a line waits for its answer; 10 seconds by default. */
  readonly patience?: Duration.Input
}

/**
 * Everything on this machine: a small homeserver in this process, you, and the bot in a process of its own, which can be
 * killed. Nothing is configured, nothing is kept.
 */
export const sandbox = (options: SandboxOptions) => sandboxAt(options).pipe(Effect.provide(Terminal.layer(complete)))

/** The same at a given terminal. */
export const sandboxAt = Effect.fn("sandbox")(function*(options: SandboxOptions) {
  // First, so that something is seen at once.
  yield* (yield* Terminal).print(welcome)
  const fs = yield* FileSystem.FileSystem
  const directory = yield* fs.makeTempDirectoryScoped({ prefix: "homing-sandbox-" }).pipe(
    Effect.mapError((error) => new NoPlace({ detail: error.message }))
  )
  yield* conversation(directory).pipe(Effect.provide(world(directory, options)))
}, Effect.scoped)

/** From the first start of the bot to the end of the input. What a script wrote must all have been answered. */
const conversation = Effect.fnUntraced(function*(directory: string) {
  const terminal = yield* Terminal
  const bot = yield* BotProcess
  const talk = yield* Talk
  yield* terminal.print(introduction((yield* Door).url, logFile(directory)))

  const talking = Effect.gen(function*() {
    yield* bot.start
    let unanswered = (yield* talk.open("Sandbox")) ? 0 : 1
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

const world = (directory: string, { patience = "10 seconds", port = 0 }: SandboxOptions) => {
  const password = randomUUID()
  const door = Door.layer({ port }).pipe(
    Layer.catchTag("DoorShut", (shut) => Layer.effect(Door, new NoDoor({ port, detail: shut.detail })))
  )
  const bot = Layer.unwrap(
    Effect.map(Door, ({ url }) => BotProcess.layer({ homeserverUrl: url, userId: botId, password, directory }))
  )
  return Layer.merge(bot, Talk.layer({ bot: botId, patience })).pipe(
    Layer.provideMerge(door),
    Layer.provideMerge(Homeserver.layer({ serverName, users: [{ name: "homing", password }] }))
  )
}
