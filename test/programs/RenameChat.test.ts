import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { markerType } from "../../src/domain/Marker.ts"
import { Checkpoint } from "../../src/layers/Checkpoint.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { mortal } from "./Mortal.ts"
import { inTime, stateIn } from "./Provisioned.ts"
import { aDatabase, answerTo, bodyOf, botId, homeserver, repliedTo, startBot } from "./World.ts"

/** A chat Tea, in a room where the bot may change the name when it has the power of a moderator. */
const aChatCalledTea = Effect.fnUntraced(function*(power: number) {
  const server = yield* Homeserver
  const [alice, account] = [yield* server.as("alice"), yield* server.as("bot")]
  const database = yield* aDatabase
  const bot = yield* startBot({ database })
  const room = yield* alice.createRoom({
    name: "Tea",
    invite: [botId],
    powerLevels: { users: { [alice.userId]: 100, [botId]: power } }
  })
  yield* alice.waitFor(room, ({ sender, type }) => sender === botId && type === "m.room.message")
  const ask = (body: string) =>
    alice.say(room, body).pipe(Effect.flatMap((question) => answerTo(alice, room, question)), Effect.map(bodyOf))
  const titles = Effect.map(bot.chats, (chats) => chats.map(({ title }) => title))
  const nameOfRoom = Effect.map(stateIn(alice, room), (state) => state("m.room.name")?.["name"])
  const names = Effect.map(
    alice.messages(room),
    (events) => events.filter(({ type }) => type === "m.room.name").map(({ content }) => content["name"])
  )
  const marker = account.roomAccountData(room, markerType)
  return { alice, account, bot, database, room, ask, titles, nameOfRoom, names, marker }
})

const quiet = TestClock.adjust("1 minute")

describe("the name of a chat", () => {
  it.effect("is that of its room: !rename gives it to both, once", () =>
    Effect.gen(function*() {
      const { ask, bot, marker, names, titles } = yield* aChatCalledTea(50)
      assert.strictEqual(yield* ask("!rename Earl Grey"), "This chat is now called `Earl Grey`.")
      yield* quiet
      assert.deepStrictEqual([yield* titles, yield* names], [["Earl Grey"], ["Tea", "Earl Grey"]])
      assert.deepInclude(yield* marker, { title: "Earl Grey", room_name: "Earl Grey", revision: 2 })
      assert.include((yield* bot.chats)[0], { revision: 2, markerRevision: 2 })
      assert.strictEqual(yield* ask("!register Lapsang"), "The chat of this room is now called `Lapsang`.")
      yield* quiet
      assert.deepStrictEqual([yield* titles, yield* names], [["Lapsang"], ["Tea", "Earl Grey", "Lapsang"]])
    }).pipe(Effect.provide(homeserver)))

  it.effect("is given to the chat alone where the bot may not rename the room, and stays", () =>
    Effect.gen(function*() {
      const { ask, bot, database, names, titles } = yield* aChatCalledTea(0)
      assert.include(yield* ask("!rename Earl Grey"), "I may not rename the room")
      yield* quiet
      yield* bot.stop
      yield* startBot({ database })
      yield* quiet
      assert.deepStrictEqual([yield* titles, yield* names], [["Earl Grey"], ["Tea"]])
    }).pipe(Effect.provide(homeserver)))

  it.effect("follows the room that somebody renames in their client, also while the bot is down, with and without its database", () =>
    Effect.gen(function*() {
      const { alice, bot, database, marker, names, room, titles } = yield* aChatCalledTea(50)
      yield* alice.setState(room, "m.room.name", { name: "Coffee" })
      yield* quiet
      assert.deepStrictEqual(yield* titles, ["Coffee"])
      assert.deepInclude(yield* marker, { title: "Coffee", room_name: "Coffee", revision: 2 })

      yield* bot.stop
      yield* alice.setState(room, "m.room.name", { name: "Cocoa" })
      const again = yield* startBot({ database })
      yield* quiet
      assert.deepStrictEqual((yield* again.chats).map(({ title }) => title), ["Cocoa"])
      assert.include(again.log.find(({ event }) => event === "matrix_reconcile_complete")?.data, { updated: 1 })

      yield* again.stop
      yield* alice.setState(room, "m.room.name", { name: "Water" })
      const lost = yield* startBot({ database: yield* aDatabase })
      yield* quiet
      assert.deepStrictEqual((yield* lost.chats).map(({ title }) => title), ["Water"])
      assert.deepStrictEqual(yield* names, ["Tea", "Coffee", "Cocoa", "Water"], "the bot has renamed nothing")
    }).pipe(Effect.provide(homeserver)))

  it.effect("is what !rename said last, wherever the bot is killed meanwhile", () =>
    Effect.gen(function*() {
      const killedAt = Effect.fnUntraced(function*(nth: number) {
        const { alice, bot, database, nameOfRoom, room } = yield* aChatCalledTea(50)
        yield* inTime(bot.stop)
        const places: Array<string> = []
        const death = mortal(nth)
        let listening = false
        const pass = (place: string) => {
          if (listening) places.push(place)
          death.pass()
        }
        const dying = yield* startBot({ database }).pipe(Effect.provideService(Checkpoint, pass))
        yield* inTime(Effect.sleep("10 seconds"))
        listening = true
        death.listen()
        const question = yield* alice.say(room, "!rename Earl Grey")
        yield* inTime(Effect.gen(function*() {
          for (let second = 0; second < 40 && !death.isDead(); second++) yield* Effect.sleep("1 second")
        }))
        yield* inTime(dying.stop)
        listening = false
        const next = yield* startBot({ database })
        yield* inTime(Effect.sleep("40 seconds"))
        const note = `killed at ${places[nth - 1]}, the ${nth}th place`
        const [chat] = yield* next.chats
        assert.deepStrictEqual([chat?.title, yield* nameOfRoom], ["Earl Grey", "Earl Grey"], note)
        const answers = (yield* alice.messages(room)).filter((event) => repliedTo(event) === question)
        assert.strictEqual(answers.length, 1, note)
        yield* inTime(next.stop)
        return places
      })
      const places = yield* killedAt(Infinity).pipe(Effect.scoped, Effect.provide(homeserver))
      assert.includeMembers(places, ["name room:before", "name room:after"])
      for (const [index, place] of places.entries()) {
        if (place.endsWith(":inside") && place === places[index - 1]) continue
        yield* killedAt(index + 1).pipe(Effect.scoped, Effect.provide(homeserver))
      }
    }), 120_000)
})
