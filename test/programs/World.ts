import { Context, Duration, Effect, Fiber, Layer, Logger, References, Scope } from "effect"
import type { Chat } from "../../src/domain/Chat.ts"
import type { RawEvent } from "../../src/domain/SyncBatch.ts"
import { AnotherSession } from "../../src/layers/AnotherSession.ts"
import { AppConfig, type Settings } from "../../src/layers/AppConfig.ts"
import { ChatManager } from "../../src/layers/ChatManager.ts"
import { DiagnosticLimit } from "../../src/layers/DiagnosticLimit.ts"
import { Health, type HealthState, readiness } from "../../src/layers/Health.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import type { Person } from "../../src/layers/Homeserver/Person.ts"
import { InviteLimit } from "../../src/layers/InviteLimit.ts"
import * as MatrixClient from "../../src/layers/MatrixClient.ts"
import { RepairMemory } from "../../src/layers/RepairMemory.ts"
import { Responder } from "../../src/layers/Responder.ts"
import { Store } from "../../src/layers/Store.ts"
import { main } from "../../src/programs/Main.ts"

export const botId = "@bot:homing.test"

/** A homeserver with an account for the bot. People are made with `homeserver.as(name)`. */
export const homeserver = Homeserver.layer({ users: [{ name: "bot", password: "password" }] })

/** One line of the bot's log. */
export interface LogLine {
  readonly event: string
  readonly level: string
  readonly data: Readonly<Record<string, unknown>>
}

/** A database of its own, which lives as long as the test: bots that are given the same one come one after the other. */
export const aDatabase: Effect.Effect<Context.Context<Store>, never, Scope.Scope> = Effect.orDie(
  Effect.gen(function*() {
    return yield* Layer.buildWithScope(Layer.fresh(Store.layerMemory), yield* Effect.scope)
  })
)

export interface Bot {
  /** What it logged so far. */
  readonly log: ReadonlyArray<LogLine>
  readonly chats: Effect.Effect<ReadonlyArray<Chat>>
  readonly health: Effect.Effect<HealthState>
  /** What /readyz says against it; undefined when nothing. */
  readonly whyNotReady: Effect.Effect<string | undefined>
  /** Ends it as SIGTERM does. */
  readonly stop: Effect.Effect<void>
  readonly fiber: Fiber.Fiber<unknown, unknown>
}

/** Starts the main program with memory layers on the test's homeserver. */
export const startBot = Effect.fn("startBot")(function*(options: {
  readonly database: Context.Context<Store>
  readonly settings?: Partial<Settings>
  readonly responder?: Layer.Layer<Responder, never, MatrixClient.MatrixMedia>
  readonly chatManager?: Layer.Layer<ChatManager, never, Store>
  /** The one in memory by default. */
  readonly client?: typeof MatrixClient.layer
}) {
  const log: Array<LogLine> = []
  const recorder = Logger.make(({ fiber, logLevel, message }) => {
    log.push({
      event: Array.isArray(message) ? message.map(String).join(" ") : String(message),
      level: logLevel,
      data: { ...fiber.getRef(References.CurrentLogAnnotations) }
    })
  })
  const health = yield* Layer.build(Health.layer)
  const services = Layer.provideMerge(
    options.responder ?? Responder.layerEcho,
    Layer.mergeAll(
      options.client ?? MatrixClient.layerMemory,
      options.chatManager ?? ChatManager.layer,
      DiagnosticLimit.layer,
      InviteLimit.layer,
      RepairMemory.layer,
      AnotherSession.layer,
      Layer.succeedContext(health)
    )
  ).pipe(
    Layer.provideMerge(AppConfig.layerTest(options.settings)),
    Layer.provideMerge(Layer.succeedContext(options.database)),
    Layer.provideMerge(Logger.layer([recorder]))
  )
  // Built before the program runs: a layer that is loaded takes real time, of which the clock of a test knows nothing.
  const scope = yield* Scope.fork(yield* Effect.scope)
  const built = yield* Layer.buildWithScope(services, scope)
  const fiber = yield* main.pipe(
    Effect.provide(built),
    Effect.onExit((exit) => Scope.close(scope, exit)),
    Effect.forkScoped
  )
  const bot: Bot = {
    log,
    fiber,
    health: Context.get(health, Health).get,
    whyNotReady: readiness(Duration.seconds(30)).pipe(Effect.map(({ reason }) => reason), Effect.provide(health)),
    chats: Effect.orDie(Context.get(options.database, Store).chats.all),
    stop: Fiber.interrupt(fiber)
  }
  return bot
})

/** An event of the bot that answers `question`, as soon as there is one. */
export const answerTo = (person: Person, room: string, question: string) =>
  person.waitFor(room, (event) => event.sender === botId && repliedTo(event) === question)

export const repliedTo = (event: RawEvent): unknown => {
  const relation = event.content["m.relates_to"]
  if (typeof relation !== "object" || relation === null || !("m.in_reply_to" in relation)) return undefined
  const target = relation["m.in_reply_to"]
  return typeof target === "object" && target !== null && "event_id" in target ? target.event_id : undefined
}

export const bodyOf = (event: RawEvent): string => String(event.content["body"])

/** A room where `person` talks to the bot, which has greeted. */
export const aChat = Effect.fn("aChat")(function*(person: Person, name = "Tea") {
  const room = yield* person.createRoom({ name, invite: [botId] })
  yield* person.waitFor(room, (event) => event.sender === botId && event.type === "m.room.message")
  return room
})
