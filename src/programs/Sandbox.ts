import * as Console from "effect/Console"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { type RoomId, UserId } from "../domain/Ids.ts"
import type { RawEvent } from "../domain/SyncBatch.ts"
import { AppConfig } from "../layers/AppConfig.ts"
import { Health } from "../layers/Health.ts"
import { Homeserver } from "../layers/Homeserver.ts"
import { Door } from "../layers/Homeserver/Door.ts"
import type { Person } from "../layers/Homeserver/Person.ts"
import { Responder } from "../layers/Responder.ts"
import { run } from "./Run.ts"

const serverName = "sandbox.local"
const botId = UserId.make(`@homing:${serverName}`)
const botPassword = "sandbox"

/** How long a line waits for its answer before the next one is read. */
const answerPatience = "10 seconds"

/**
 * Everything on this machine: a small homeserver in this process, the bot in its normal main program over real HTTP, and a
 * chat in the terminal. Nothing is configured, nothing is kept.
 */
export const sandbox = Effect.gen(function*() {
  const homeserver = yield* Homeserver
  const { url } = yield* Door
  const you = yield* homeserver.as("you")
  const dataDir = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "homing-sandbox-" })
  // A bot that cannot go on ends the sandbox, with its reason; one that was stopped does not.
  const broken = yield* Deferred.make<never, Effect.Error<ReturnType<typeof run>>>()
  const startBot = bot({ url, dataDir }).pipe(
    Effect.catch((error) => Deferred.fail(broken, error)),
    Effect.forkScoped
  )

  yield* Console.log(
    `This is the Homing sandbox: a small homeserver in this process (${url}), a bot on it, and you.\n` +
      `Nothing leaves this machine, and nothing is kept. To run on your own homeserver, set HOMING_HOMESERVER_URL,\n` +
      `HOMING_USER_ID and HOMING_PASSWORD, and start again.\n\n` +
      `Write something, or !help. /restart stops the bot and starts it again on the same data, /quit ends.\n`
  )
  let running = yield* startBot
  const room = yield* you.createRoom({ name: "Sandbox", invite: [botId] })
  yield* showNext(you, room, undefined)

  const stdio = yield* Stdio.Stdio
  yield* stdio.stdin.pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.map((line) => line.trim()),
    Stream.filter((line) => line !== ""),
    Stream.takeWhile((line) => line !== "/quit"),
    Stream.runForEach(Effect.fnUntraced(function*(line) {
      if (line !== "/restart") return yield* converse(you, room, line)
      yield* Fiber.interrupt(running)
      yield* Console.log("      (the bot was stopped; it starts again and looks for its chats)")
      running = yield* startBot
    })),
    Effect.raceFirst(Deferred.await(broken))
  )
}).pipe(
  Effect.scoped,
  Effect.provide(
    Door.layer().pipe(
      Layer.provideMerge(Homeserver.layer({ serverName, users: [{ name: "homing", password: botPassword }] }))
    )
  )
)

const converse = Effect.fnUntraced(function*(you: Person, room: RoomId, line: string) {
  const question = yield* you.say(room, line)
  yield* Console.log(`you:  ${line}`)
  yield* showNext(you, room, question)
})

const showNext = Effect.fnUntraced(function*(you: Person, room: RoomId, after: string | undefined) {
  const answer = yield* you.waitFor(room, isAnswer, after === undefined ? {} : { after }).pipe(
    Effect.timeoutOption(answerPatience)
  )
  const body = answer._tag === "Some" ? String(answer.value.content["body"]) : "(no answer yet)"
  yield* Console.log(`bot:  ${body.replaceAll("\n", "\n      ")}`)
})

const isAnswer = (event: RawEvent): boolean => event.sender === botId && event.type === "m.room.message"

/** The bot as `homing run` runs it; only warnings are shown, so that the talk can be read. */
const bot = ({ dataDir, url }: { readonly url: string; readonly dataDir: string }) =>
  run(Responder.layerEcho).pipe(
    Effect.provide(Layer.mergeAll(
      Health.layer,
      AppConfig.layerTest({
        homeserverUrl: new URL(url),
        userId: botId,
        password: Redacted.make(botPassword),
        dataDir
      }),
      Layer.succeed(References.MinimumLogLevel, "Warn")
    ), { local: true })
  )
