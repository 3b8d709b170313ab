import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Marker, markerType } from "../../src/domain/Marker.ts"
import type { RawEvent } from "../../src/domain/SyncBatch.ts"
import type { Settings } from "../../src/layers/AppConfig.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import type { Person } from "../../src/layers/Homeserver/Person.ts"
import { Store } from "../../src/layers/Store.ts"
import { aChat, aDatabase, answerTo, bodyOf, botId, homeserver, startBot } from "./World.ts"

/** What the bot says to `body`, as markdown. */
const says = (person: Person, room: string, body: string) =>
  person.say(room, body).pipe(Effect.flatMap((question) => answerTo(person, room, question)), Effect.map(bodyOf))

const aChatWithAlice = Effect.fnUntraced(function*(settings: Partial<Settings> = {}) {
  const server = yield* Homeserver
  const alice = yield* server.as("alice")
  const carol = yield* server.as("carol")
  const mallory = yield* server.as("mallory")
  const database = yield* aDatabase
  const with_ = { allowedUsers: [alice.userId, carol.userId], ...settings }
  const start = (on = database) => startBot({ database: on, settings: with_ })
  const bot = yield* start()
  const room = yield* aChat(alice, "Tea")
  const ask = (body: string) => says(alice, room, body)
  const marker = Effect.flatMap(server.as("bot"), (account) => account.roomAccountData(room, markerType)).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(Marker))
  )
  const comes = (person: Person) => Effect.andThen(alice.invite(room, person.userId), person.join(room))
  return { server, alice, carol, mallory, database, bot, start, room, ask, marker, comes }
})

const saidByBot = (event: RawEvent) => event.sender === botId && event.type === "m.room.message"

const reasonOf = (database: Context.Context<Store>, question: string) =>
  Effect.map(Context.get(database, Store).inbox.find(question), (record) => record?.reason)

describe("the settings of a chat", () => {
  it.effect("are shown with their defaults, and to whom it may concern how to change them", () =>
    Effect.gen(function*() {
      const { ask, carol, comes, room } = yield* aChatWithAlice({ backlog: "newest" })
      const shown = yield* ask("!settings")
      assert.include(shown, "The settings of `Tea`:")
      assert.include(shown, "- `backlog` is `newest` (the default)")
      assert.include(shown, "- `mention` is `group` (the default)")
      assert.include(shown, "- `members` is `allowed` (the default)")
      assert.include(shown, "!set <setting> <value>")
      yield* comes(carol)
      const toCarol = yield* says(carol, room, "!settings")
      assert.include(toCarol, "The owner of this chat can change them.")
      assert.notInclude(toCarol, "!set")
    }).pipe(Effect.provide(homeserver)))

  it.effect("are set here and in the marker, and cleared again", () =>
    Effect.gen(function*() {
      const { ask, bot, marker } = yield* aChatWithAlice({ backlog: "newest" })
      assert.notProperty(yield* marker, "settings")
      assert.strictEqual(
        yield* ask("!set backlog skip"),
        "`backlog` is now `skip`: I answer no messages that came while I was away."
      )
      assert.include((yield* bot.chats)[0], { revision: 2, markerRevision: 2 })
      assert.deepInclude(yield* marker, { revision: 2, settings: { backlog: "skip" } })
      assert.include(yield* ask("!settings"), "- `backlog` is `skip` (default `newest`)")
      assert.include(
        yield* ask("!set backlog default"),
        "`backlog` is now `newest` again, the default: of the messages"
      )
      assert.deepInclude(yield* marker, { revision: 3 })
      assert.notProperty(yield* marker, "settings")
    }).pipe(Effect.provide(homeserver)))

  it.effect("are set to what they can be, by the owner", () =>
    Effect.gen(function*() {
      const { ask, bot, carol, comes, room } = yield* aChatWithAlice()
      assert.include(yield* ask("!set backlog skpi"), "Did you mean skip?")
      assert.include(yield* ask("!set backlgo skip"), "Did you mean backlog?")
      yield* comes(carol)
      assert.include(yield* says(carol, room, "!set members room"), "Only the owner")
      assert.deepInclude((yield* bot.chats)[0], { revision: 1, settings: { kept: {} } })
    }).pipe(Effect.provide(homeserver)))

  it.effect("come back after a lost database, and are obeyed at once", () =>
    Effect.gen(function*() {
      const { alice, ask, bot, room, start } = yield* aChatWithAlice()
      yield* ask("!set backlog skip")
      yield* ask("!set mention always")
      const before = (yield* bot.chats)[0]?.settings
      yield* bot.stop
      const missed = yield* alice.say(room, "!status")
      const database = yield* aDatabase
      const second = yield* start(database)
      yield* TestClock.adjust("1 second")
      assert.include(yield* ask("!settings"), "`mention` is `always`")
      assert.deepStrictEqual((yield* second.chats)[0]?.settings, before)
      assert.deepStrictEqual(before, { backlog: "skip", mention: "always", kept: {} })
      assert.strictEqual(yield* reasonOf(database, missed), "backlog")
    }).pipe(Effect.provide(homeserver)))

  it.effect("of a newer version survive a lost database, a change and another lost database", () =>
    Effect.gen(function*() {
      const { ask, bot, marker, room, server, start } = yield* aChatWithAlice()
      yield* bot.stop
      const written = { ...(yield* marker), settings: { backlog: "digest", colour: "blue", members: [7] } }
      yield* (yield* server.as("bot")).setRoomAccountData(room, markerType, written)
      const second = yield* start(yield* aDatabase)
      assert.include(yield* ask("!settings"), "- `colour` is `blue`: I do not know")
      yield* ask("!set mention never")
      yield* second.stop
      const expected = { backlog: "digest", colour: "blue", mention: "never" }
      assert.deepInclude(yield* marker, { settings: expected })
      const third = yield* start(yield* aDatabase)
      yield* ask("hello")
      assert.deepInclude((yield* third.chats)[0], {
        title: "Tea",
        settings: { mention: "never", kept: { backlog: "digest", colour: "blue" } }
      })
    }).pipe(Effect.provide(homeserver)))

  it.effect("that are nonsense do not cost the chat", () =>
    Effect.gen(function*() {
      const { ask, bot, marker, room, server, start } = yield* aChatWithAlice()
      yield* bot.stop
      const written = { ...(yield* marker), settings: ["skip", { backlog: "skip" }] }
      yield* (yield* server.as("bot")).setRoomAccountData(room, markerType, written)
      const second = yield* start(yield* aDatabase)
      assert.strictEqual(yield* ask("hello"), "hello")
      assert.deepInclude((yield* second.chats)[0], { title: "Tea", settings: { kept: {} } })
    }).pipe(Effect.provide(homeserver)))
})

describe("the backlog of a chat", () => {
  it.effect("is answered as its owner has it, whatever the bot's own setting is", () =>
    Effect.gen(function*() {
      const { alice, bot, start } = yield* aChatWithAlice({ backlog: "newest" })
      const rooms = {
        answer: yield* aChat(alice, "All"),
        newest: yield* aChat(alice, "Last"),
        skip: yield* aChat(alice, "None"),
        default: yield* aChat(alice, "As it comes")
      }
      for (const [value, room] of Object.entries(rooms)) yield* says(alice, room, `!set backlog ${value}`)
      yield* bot.stop
      for (const room of Object.values(rooms)) {
        for (const body of ["one", "two", "three"]) yield* alice.say(room, body)
      }
      yield* start()
      yield* TestClock.adjust("1 second")
      const answers: Record<string, ReadonlyArray<string>> = {}
      for (const [value, room] of Object.entries(rooms)) {
        yield* says(alice, room, "live")
        answers[value] = (yield* alice.messages(room)).filter(saidByBot).slice(2).map(bodyOf)
      }
      assert.deepStrictEqual(answers, {
        answer: ["one", "two", "three", "live"],
        newest: ["three", "live"],
        skip: ["live"],
        default: ["three", "live"]
      })
    }).pipe(Effect.provide(homeserver)))

  it.effect("has as its newest message the newest of those whom the owner lets in", () =>
    Effect.gen(function*() {
      const { alice, ask, bot, carol, comes, database, room, start } = yield* aChatWithAlice()
      yield* comes(carol)
      yield* ask("!set backlog newest")
      yield* ask("!set members owner")
      yield* bot.stop
      const own = yield* alice.say(room, "!status")
      const others = yield* carol.say(room, "!status")
      yield* start()
      yield* answerTo(alice, room, own)
      assert.strictEqual(yield* reasonOf(database, others), "backlog")
    }).pipe(Effect.provide(homeserver)))
})

describe("the members of a chat", () => {
  it.effect("may talk as its owner lets them", () =>
    Effect.gen(function*() {
      const { ask, carol, comes, database, mallory, room } = yield* aChatWithAlice()
      yield* comes(carol)
      yield* comes(mallory)
      yield* ask("!set mention never")
      const toMallory = yield* mallory.say(room, "let me in")
      assert.strictEqual(yield* says(carol, room, "me too"), "me too")
      assert.strictEqual(yield* reasonOf(database, toMallory), "sender_not_allowed")

      yield* ask("!set members room")
      assert.strictEqual(yield* says(mallory, room, "thanks"), "thanks")
      assert.include(yield* says(mallory, room, "!archive"), "Only the owner")

      yield* ask("!set members owner")
      const toCarol = yield* carol.say(room, "and now?")
      assert.strictEqual(yield* ask("only me"), "only me")
      assert.strictEqual(yield* reasonOf(database, toCarol), "not_the_owner")
    }).pipe(Effect.provide(homeserver)))

  it.effect("have no say in other rooms", () =>
    Effect.gen(function*() {
      const { ask, bot, comes, mallory } = yield* aChatWithAlice()
      yield* comes(mallory)
      yield* ask("!set members room")
      yield* mallory.createRoom({ name: "Trap", invite: [botId] })
      yield* TestClock.adjust("1 minute")
      assert.isDefined(bot.log.find(({ event }) => event === "invite_declined"))
    }).pipe(Effect.provide(homeserver)))
})

describe("being mentioned", () => {
  it.effect("is asked for in a room of two, too, when its owner wants that", () =>
    Effect.gen(function*() {
      const { alice, ask, database, room } = yield* aChatWithAlice()
      yield* ask("!set mention always")
      const aside = yield* alice.say(room, "hm, let me think")
      const asked = yield* alice.say(room, "what now?", { "m.mentions": { user_ids: [botId] } })
      yield* answerTo(alice, room, asked)
      assert.strictEqual(yield* reasonOf(database, aside), "not_addressed")
    }).pipe(Effect.provide(homeserver)))
})
