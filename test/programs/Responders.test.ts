import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema, Stream } from "effect"
import { Marker, markerType } from "../../src/domain/Marker.ts"
import { text } from "../../src/domain/Message.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import type { Person } from "../../src/layers/Homeserver/Person.ts"
import { Responder } from "../../src/layers/Responder.ts"
import { aChat, aDatabase, answerTo, bodyOf, homeserver, startBot } from "./World.ts"

const saying = (word: string) =>
  Layer.succeed(Responder, Responder.of({ respond: (_, { body }) => Stream.make(text(`${word}: ${body}`)) }))

const [tea, coffee] = [saying("tea"), saying("coffee")]

const several = Responder.layerSeveral({ tea, coffee }, { default: "tea", about: { coffee: "I serve coffee" } })

const says = (person: Person, room: string, body: string) =>
  person.say(room, body).pipe(Effect.flatMap((question) => answerTo(person, room, question)), Effect.map(bodyOf))

const aCafe = Effect.gen(function*() {
  const server = yield* Homeserver
  const alice = yield* server.as("alice")
  const database = yield* aDatabase
  const start = (on = database, responder: Layer.Layer<Responder> = several) => startBot({ database: on, responder })
  const bot = yield* start()
  const room = yield* aChat(alice, "Café")
  const marker = Effect.flatMap(server.as("bot"), (account) => account.roomAccountData(room, markerType)).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(Marker))
  )
  return { server, alice, start, bot, room, marker, ask: (body: string) => says(alice, room, body) }
})

describe("a bot with several responders", () => {
  it.effect("answers in each chat with the one that its owner chose, from the next message on", () =>
    Effect.gen(function*() {
      const { alice, ask, marker, server } = yield* aCafe
      const other = yield* aChat(alice, "Other")
      assert.strictEqual(yield* ask("hello"), "tea: hello")
      assert.strictEqual(yield* ask("!set responder coffee"), "`responder` is now `coffee`: I serve coffee.")
      assert.strictEqual(yield* ask("hello"), "coffee: hello")
      assert.strictEqual(yield* says(alice, other, "hello"), "tea: hello")
      assert.deepInclude(yield* marker, { settings: { responder: "coffee" } })
      assert.include(
        yield* ask("!settings"),
        "- `responder` is `coffee` (default `tea`): I serve coffee. It can also be `tea`."
      )
      assert.include(yield* ask("!help responder"), "  - `coffee`: I serve coffee")

      const bea = yield* server.as("bea")
      yield* alice.invite(other, bea.userId)
      yield* bea.join(other)
      assert.include(yield* says(bea, other, "!set responder coffee"), "Only the owner")

      assert.include(yield* ask("!set responder default"), "`responder` is now `tea` again, the default: ")
      assert.strictEqual(yield* ask("hello"), "tea: hello")
      assert.notProperty(yield* marker, "settings")
    }).pipe(Effect.provide(homeserver)))

  it.effect("says which there are when somebody asks for another, and suggests one", () =>
    Effect.gen(function*() {
      const { ask, bot } = yield* aCafe
      assert.include(
        yield* ask("!set responder cofee"),
        "responder cannot be \"cofee\". Did you mean coffee? It can be tea, coffee or default."
      )
      assert.deepInclude((yield* bot.chats)[0], { revision: 1, settings: { kept: {} } })
    }).pipe(Effect.provide(homeserver)))

  it.effect("answers with it also after a restart, and after a lost database what came meanwhile", () =>
    Effect.gen(function*() {
      const { alice, ask, bot, room, start } = yield* aCafe
      yield* ask("!set responder coffee")
      yield* bot.stop
      const second = yield* start()
      assert.strictEqual(yield* ask("and now?"), "coffee: and now?")
      yield* second.stop
      const missed = yield* alice.say(room, "are you there?")
      yield* start(yield* aDatabase)
      assert.strictEqual(bodyOf(yield* answerTo(alice, room, missed)), "coffee: are you there?")
    }).pipe(Effect.provide(homeserver)))

  it.effect("answers as by default where the one that was chosen is gone, says so, and goes on when it is back", () =>
    Effect.gen(function*() {
      const { ask, bot, marker, start } = yield* aCafe
      yield* ask("!set responder coffee")
      yield* bot.stop
      const without = yield* start(
        undefined,
        Responder.layerSeveral({ tea, water: saying("water") }, { default: "tea" })
      )
      assert.strictEqual(yield* ask("hello"), "tea: hello")
      assert.include(yield* ask("!settings"), "`responder` is `coffee`, which I do not have: I keep it")
      yield* ask("!set mention never")
      assert.deepInclude(yield* marker, { settings: { responder: "coffee", mention: "never" } })
      yield* without.stop
      yield* start(yield* aDatabase)
      assert.strictEqual(yield* ask("hello"), "coffee: hello")
    }).pipe(Effect.provide(homeserver)))
})

describe("a bot with one responder", () => {
  it.effect("tells nobody of a choice, and keeps what was chosen when there was one", () =>
    Effect.gen(function*() {
      const { ask, bot, start } = yield* aCafe
      yield* ask("!set responder coffee")
      yield* bot.stop
      const alone = yield* start(undefined, tea)
      assert.strictEqual(yield* ask("hello"), "tea: hello")
      assert.include(yield* ask("!set responder tea"), "There is no setting \"responder\".")
      assert.notInclude(yield* ask("!help set"), "responder")
      assert.include(yield* ask("!settings"), "`responder` is `coffee`, which I do not have: I keep it")
      assert.deepInclude((yield* alone.chats)[0], { settings: { responder: "coffee", kept: {} } })
    }).pipe(Effect.provide(homeserver)))

  it.effect("does not show the setting", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      yield* startBot({ database: yield* aDatabase, responder: tea })
      const room = yield* aChat(alice)
      assert.notInclude(yield* says(alice, room, "!settings"), "responder")
    }).pipe(Effect.provide(homeserver)))
})
