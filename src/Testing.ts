/**
 * `homing/testing`: what the tests of a bot are made of. A homeserver in memory, people on it, faults on demand, and the bot itself with
 * the responder under test. docs/testing.md is the guide.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { kindOf } from "./domain/Attachment.ts"
import type { EventId, RoomId } from "./domain/Ids.ts"
import type { FileReply } from "./domain/Message.ts"
import type { RawEvent } from "./domain/SyncBatch.ts"
import { AnotherSession } from "./layers/AnotherSession.ts"
import { AppConfig, type Settings } from "./layers/AppConfig.ts"
import { ChatManager } from "./layers/ChatManager.ts"
import { DiagnosticLimit } from "./layers/DiagnosticLimit.ts"
import { Health } from "./layers/Health.ts"
import { Homeserver } from "./layers/Homeserver.ts"
import { Door } from "./layers/Homeserver/Door.ts"
import type { Person } from "./layers/Homeserver/Person.ts"
import { InviteLimit } from "./layers/InviteLimit.ts"
import * as MatrixClient from "./layers/MatrixClient.ts"
import { RepairMemory } from "./layers/RepairMemory.ts"
import type { Responder } from "./layers/Responder.ts"
import { Store } from "./layers/Store.ts"
import { main } from "./programs/Main.ts"
import { run } from "./programs/Run.ts"

export { AppConfig, type Settings } from "./layers/AppConfig.ts"
export { Homeserver, type HomeserverOptions } from "./layers/Homeserver.ts"
export { chaos } from "./layers/Homeserver/Chaos.ts"
export { Door } from "./layers/Homeserver/Door.ts"
export { type Fault, FaultEffect, rateLimited, serverError } from "./layers/Homeserver/Faults.ts"
export type { Person } from "./layers/Homeserver/Person.ts"
export * as MatrixClient from "./layers/MatrixClient.ts"
export { Store } from "./layers/Store.ts"

/** The account that the bot of a test signs in to, unless its settings say another. */
export const botId = "@bot:homing.test"

/** A homeserver in memory with an account for the bot. `homeserver.as("alice")` is a person on it. */
export const homeserver: Layer.Layer<Homeserver> = Homeserver.layer({ users: [{ name: "bot", password: "password" }] })

/** The same, and its door to HTTP on a free port of loopback, for `startBotOverHttp` and for any other client. */
export const homeserverOverHttp = Layer.provideMerge(Door.layer(), homeserver)

export interface BotUnderTest {
  readonly responder: Layer.Layer<Responder, never, MatrixClient.MatrixMedia>
  /** What is not given is as `AppConfig.layerTest` has it. */
  readonly settings?: Partial<Settings>
}

export interface RunningBot {
  /** What it remembers. */
  readonly store: Store["Service"]
  /** Ends it as SIGTERM does. */
  readonly stop: Effect.Effect<void>
  /** Ends it, and starts it again on the same database. */
  readonly restart: Effect.Effect<void>
}

/**
 * Starts the bot with everything in memory: no HTTP, no SDK, no disk, and time by the test's clock. It ends with the scope; when it ends by
 * itself before, that is in the log.
 */
export const startBot = Effect.fn("startBot")(function*({ responder, settings }: BotUnderTest) {
  const scope = yield* Effect.scope
  const database = yield* Effect.orDie(Layer.buildWithScope(Layer.fresh(Store.layerMemory), scope))
  const services = responder.pipe(
    Layer.provideMerge(Layer.mergeAll(
      MatrixClient.layerMemory,
      ChatManager.layer,
      DiagnosticLimit.layer,
      InviteLimit.layer,
      RepairMemory.layer,
      AnotherSession.layer,
      Health.layer
    )),
    Layer.provideMerge(AppConfig.layerTest(settings)),
    Layer.provideMerge(Layer.succeedContext(database))
  )
  const homeserver = yield* Homeserver
  const start = main.pipe(
    Effect.provide(services, { local: true }),
    Effect.provideService(Homeserver, homeserver),
    Effect.tapCause(tellEnd),
    Effect.forkIn(scope),
    // Before the scope waits for the bot, which waits for the test's clock.
    Effect.tap((fiber) => Scope.addFinalizer(scope, endOf(fiber)))
  )
  let fiber = yield* start
  const stop = Effect.suspend(() => endOf(fiber))
  const bot: RunningBot = {
    store: Context.get(database, Store),
    stop,
    restart: Effect.andThen(
      stop,
      Effect.map(start, (started) => {
        fiber = started
      })
    )
  }
  return bot
})

/**
 * Starts the bot as it runs in production: matrix-js-sdk over HTTP, and a data directory of its own, which goes with the scope. Needs
 * the clock to run: `it.live`, or `layer(…, { excludeTestServices: true })`.
 */
export const startBotOverHttp = Effect.fn("startBotOverHttp")(function*({ responder, settings }: BotUnderTest) {
  const { url } = yield* Door
  const dataDir = yield* temporaryDirectory
  const config = AppConfig.layerTest({ homeserverUrl: new URL(url), dataDir, ...settings })
  return yield* run(responder).pipe(
    Effect.provide(Layer.merge(config, Health.layer), { local: true }),
    Effect.tapCause(tellEnd),
    Effect.forkScoped
  )
})

/**
 * A handler in hand is given some seconds at the end, by the test's clock, which nobody puts forward then. A bot that does not use them has
 * ended before.
 */
const graceGoesBy = Effect.flatMap(Clock.Clock, (clock) =>
  "adjust" in clock
    ? TestClock.withLive(Effect.sleep("100 millis")).pipe(
      Effect.andThen(Effect.forever(Effect.andThen(TestClock.adjust("1 second"), Effect.yieldNow)))
    )
    : Effect.never)

const endOf = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<void> =>
  Effect.raceFirst(Fiber.interrupt(fiber), graceGoesBy)

const tellEnd = <E>(cause: Cause.Cause<E>): Effect.Effect<void> =>
  Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logWarning("bot_ended", cause)

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "homing-test-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
)

/** A room where `person` talks to the bot, which has come and greeted. */
export const openChat = Effect.fn("openChat")(function*(person: Person, title: string, bot: string = botId) {
  const room = yield* person.createRoom({ name: title, invite: [bot] })
  yield* person.waitFor(room, ({ sender, type }) => sender === bot && type === "m.room.message")
  return room
})

/** Says something, and waits for the bot's first answer to it: its plain text. */
export const ask = Effect.fn("ask")(function*(person: Person, room: RoomId, body: string) {
  const answer = yield* answerTo(person, room, yield* person.say(room, body))
  return String(answer.content["body"])
})

/** The first event of the room that replies to `question`, as soon as there is one. */
export const answerTo = (person: Person, room: RoomId, question: EventId) =>
  person.waitFor(room, (event) => event.sender !== person.userId && questionOf(event) === question)

/** Uploads a file and sends it, as a client does where nothing is encrypted: its event. */
export const sendFile = Effect.fn("sendFile")(function*(
  person: Person,
  room: RoomId,
  { bytes, caption, mimetype, name }: Omit<FileReply, "kind">
) {
  const uploaded = yield* person.request("POST", "/_matrix/media/v3/upload", bytes)
  return yield* person.send(room, "m.room.message", {
    msgtype: `m.${kindOf(mimetype)}`,
    body: caption ?? name,
    filename: name,
    info: { mimetype, size: bytes.byteLength },
    url: inside(uploaded, "content_uri")
  })
})

/** The bytes that an event refers to with its `url`. */
export const readFile = Effect.fn("readFile")(function*(person: Person, { content }: RawEvent) {
  const at = String(content["url"]).replace("mxc:/", "/_matrix/client/v1/media/download")
  const bytes = yield* person.request("GET", at)
  return bytes instanceof Uint8Array ? bytes : new Uint8Array()
})

const questionOf = ({ content }: RawEvent): unknown =>
  inside(inside(content["m.relates_to"], "m.in_reply_to"), "event_id")

const inside = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null ? new Map(Object.entries(value)).get(key) : undefined
