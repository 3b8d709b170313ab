import { assert, layer } from "@effect/vitest"
import { type Context, Effect, Layer } from "effect"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Door } from "../../src/layers/Homeserver/Door.ts"
import * as MatrixClient from "../../src/layers/MatrixClient.ts"
import type { Store } from "../../src/layers/Store.ts"
import { temporaryDirectory } from "../layers/Store/Samples.ts"
import { sdkPerson } from "./SdkPerson.ts"
import { aDatabase, botId, startBot } from "./World.ts"

const world = Door.layer().pipe(
  Layer.provideMerge(Homeserver.layer({
    users: ["bot", "alice", "carol"].map((name) => ({ name, password: "password" }))
  }))
)

/** A bot with keys, on a data directory of its own. Ends with the scope, or with `stop`. */
const botOn = Effect.fn("botOn")(function*(dataDir: string, known?: Context.Context<Store>) {
  const { url } = yield* Door
  const database = known ?? (yield* aDatabase)
  const bot = yield* startBot({
    database,
    settings: { dataDir, homeserverUrl: new URL(url) },
    client: MatrixClient.layer
  })
  return { ...bot, database }
})

layer(world, { excludeTestServices: true })("encrypted rooms", (it) => {
  it.effect("are joined, read and answered, and the server reads nothing", () =>
    Effect.gen(function*() {
      yield* botOn(yield* temporaryDirectory)
      const alice = yield* sdkPerson("alice", "password")
      const room = yield* alice.createRoom("Tea", botId)
      yield* alice.greetingIn(room)
      const question = yield* alice.say(room, "between us")
      const answer = yield* alice.answerTo(room, question)
      assert.strictEqual(answer.getContent()["body"], "between us")
      assert.isTrue(answer.isEncrypted())
      const seen = yield* (yield* (yield* Homeserver).as("alice")).messages(room)
      assert.notInclude(JSON.stringify(seen), "between us")
      assert.deepStrictEqual(seen.filter(({ sender, type }) => sender === botId && type === "m.room.message"), [])
    }).pipe(Effect.scoped), 20_000)

  it.effect("are read with the same keys after a restart, what came meanwhile too", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      const first = yield* botOn(dataDir)
      const alice = yield* sdkPerson("alice", "password")
      const room = yield* alice.createRoom("Coffee", botId)
      yield* alice.greetingIn(room)
      yield* alice.answerTo(room, yield* alice.say(room, "before"))
      const device = yield* alice.deviceOf(botId)
      yield* first.stop
      const missed = yield* alice.say(room, "meanwhile")
      yield* botOn(dataDir, first.database)
      assert.strictEqual((yield* alice.answerTo(room, missed)).getContent()["body"], "meanwhile")
      yield* alice.answerTo(room, yield* alice.say(room, "after"))
      assert.deepStrictEqual(yield* alice.deviceOf(botId), device)
    }).pipe(Effect.scoped), 30_000)

  it.effect(
    "are read with the same keys when the database of the chats is lost, and not that of the keys",
    () =>
      Effect.gen(function*() {
        const dataDir = yield* temporaryDirectory
        const first = yield* botOn(dataDir)
        const alice = yield* sdkPerson("alice", "password")
        const room = yield* alice.createRoom("Cocoa", botId)
        yield* alice.greetingIn(room)
        yield* alice.answerTo(room, yield* alice.say(room, "before"))
        const device = yield* alice.deviceOf(botId)
        yield* first.stop
        const missed = yield* alice.say(room, "meanwhile")
        yield* botOn(dataDir)
        assert.strictEqual((yield* alice.answerTo(room, missed)).getContent()["body"], "meanwhile")
        assert.deepStrictEqual(yield* alice.deviceOf(botId), device)
      }).pipe(Effect.scoped),
    30_000
  )

  it.effect("get nothing in clear from the moment on that encryption is switched on", () =>
    Effect.gen(function*() {
      yield* botOn(yield* temporaryDirectory)
      const alice = yield* sdkPerson("alice", "password")
      const room = yield* alice.createRoom("Plain", botId, false)
      yield* alice.greetingIn(room)
      const plain = yield* alice.answerTo(room, yield* alice.say(room, "in clear"))
      assert.isFalse(plain.isEncrypted())
      yield* alice.encrypt(room)
      const answer = yield* alice.answerTo(room, yield* alice.say(room, "in secret"))
      assert.isTrue(answer.isEncrypted())
    }).pipe(Effect.scoped), 20_000)
})
