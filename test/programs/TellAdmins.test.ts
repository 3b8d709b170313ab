import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { RoomId } from "../../src/domain/Ids.ts"
import { markerType } from "../../src/domain/Marker.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import type { Person } from "../../src/layers/Homeserver/Person.ts"
import { whatBecameOf } from "../../src/programs/Why.ts"
import { inTime } from "./Provisioned.ts"
import { aChat, aDatabase, answerTo, bodyOf, botId, homeserver, startBot } from "./World.ts"

/** A chat, and a room of the operators that shows none, both with the bot in them; the bot is down. */
const aWorld = Effect.gen(function*() {
  const server = yield* Homeserver
  const [alice, olga, account] = [yield* server.as("alice"), yield* server.as("olga"), yield* server.as("bot")]
  const database = yield* aDatabase
  const bot = yield* startBot({ database })
  const chat = yield* aChat(alice, "Tea")
  yield* bot.stop
  const office = RoomId.make(yield* olga.createRoom({ name: "Office", invite: [botId] }))
  yield* account.join(office)
  return { account, alice, chat, database, office, olga, server, settings: { adminRoom: office } }
})

const told = (olga: Person, office: string) =>
  Effect.map(
    olga.messages(office),
    (events) => events.filter(({ sender, type }) => sender === botId && type === "m.room.message").map(bodyOf)
  )

/** A start, until it has said what it has to say: what it renders, it loads first, and that takes real time. */
const aStart = Effect.fnUntraced(function*(options: Parameters<typeof startBot>[0]) {
  const bot = yield* startBot(options)
  while ((yield* bot.health).phase !== "running") {
    yield* TestClock.adjust("1 second")
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
  }
  yield* TestClock.adjust("5 seconds")
  yield* bot.stop
  return bot
})

const rest = (time: Parameters<typeof Effect.sleep>[0]) => inTime(Effect.sleep(time))

describe("the room of the operators", () => {
  it.effect("is told once what a start found, and nothing by a start that finds no news", () =>
    Effect.gen(function*() {
      const { alice, chat, database, office, olga, settings } = yield* aWorld
      yield* aStart({ database, settings })
      assert.deepStrictEqual(yield* told(olga, office), [])

      yield* alice.kick(chat, botId)
      yield* aStart({ database, settings })
      yield* aStart({ database, settings })
      const [news = "", ...more] = yield* told(olga, office)
      assert.deepStrictEqual(more, [])
      assert.include(news, "1 detached")
      assert.include(news, `- detached \`${chat}\`: the bot was kicked`)
      const [message] = (yield* olga.messages(office)).filter(({ sender, type }) =>
        sender === botId && type === "m.room.message"
      )
      const why = yield* Effect.provide(whatBecameOf(message?.event_id ?? ""), database)
      assert.match(
        why.join(" "),
        /^The bot told its operators what it found at its start or since, at .* stands in the room as/
      )
      assert.include(news, "To settle it, invite the bot to the room again")
    }).pipe(Effect.provide(homeserver)))

  it.effect("is told of a conflict once, however often the bot is started", () =>
    Effect.gen(function*() {
      const { account, alice, chat, database, office, olga, settings } = yield* aWorld
      const rival = yield* alice.createRoom({ name: "Rival", invite: [botId] })
      yield* account.join(rival)
      const marker = yield* account.roomAccountData(chat, markerType)
      assert.isObject(marker)
      yield* account.setRoomAccountData(rival, markerType, Object.assign({}, marker, { room_id: rival }))

      yield* aStart({ database, settings })
      yield* aStart({ database, settings })
      const [news = "", ...more] = yield* told(olga, office)
      assert.deepStrictEqual(more, [])
      assert.include(news, `- conflict \`${rival}\`: it claims a chat that another room shows`)
      assert.include(news, "To settle it, type `!register` in that room: it then shows a chat of its own.")

      const bot = yield* startBot({ database, settings })
      yield* answerTo(alice, rival, yield* alice.say(rival, "!register"))
      yield* bot.stop
      const last = yield* aStart({ database, settings })
      const report = last.log.find(({ event }) => event === "matrix_reconcile_complete")
      assert.include(report?.data, { conflicts: 0 }, "what the message said to type settles it")
      assert.lengthOf(yield* told(olga, office), 1)
    }).pipe(Effect.provide(homeserver)))

  it.effect("is told what happens to chats while the bot runs, once, and all of a minute in one message", () =>
    Effect.gen(function*() {
      const { account, alice, chat, database, office, olga, settings } = yield* aWorld
      const bot = yield* startBot({ database, settings })
      yield* rest("2 minutes")
      const coffee = yield* aChat(alice, "Coffee")
      const marker = yield* account.roomAccountData(chat, markerType)
      yield* account.setRoomAccountData(office, markerType, Object.assign({}, marker, { room_id: office }))
      yield* rest("1 second")
      yield* alice.kick(coffee, botId)
      yield* rest("5 seconds")
      yield* account.setRoomAccountData(office, markerType, Object.assign({}, marker, { room_id: office, more: 1 }))
      assert.deepStrictEqual(yield* told(olga, office), [])
      yield* rest("2 minutes")
      const [news = "", ...more] = yield* told(olga, office)
      assert.deepStrictEqual(more, [])
      assert.include(news, `- detached \`${coffee}\`: the bot was kicked`)
      assert.strictEqual(news.split("- conflict").length, 2, "one conflict, however often it is found")

      // It is the same conflict still.
      yield* account.setRoomAccountData(office, markerType, Object.assign({}, marker, { room_id: office, more: 2 }))
      yield* rest("2 minutes")
      yield* bot.stop
      yield* aStart({ database, settings: {} })
      const again = yield* startBot({ database, settings })
      yield* rest("3 minutes")
      yield* again.stop
      assert.lengthOf((yield* told(olga, office)).filter((body) => body.includes("Since my last word")), 1)
    }).pipe(Effect.provide(homeserver)))

  it.effect("is told after a crash what it had not been told before", () =>
    Effect.gen(function*() {
      const { alice, chat, database, office, olga, settings } = yield* aWorld
      const bot = yield* startBot({ database, settings })
      yield* rest("2 minutes")
      yield* alice.kick(chat, botId)
      yield* rest("2 seconds")
      yield* Fiber.interrupt(bot.fiber)
      assert.include((yield* bot.chats)[0], { detached: "kicked" })
      assert.deepStrictEqual(yield* told(olga, office), [])
      const again = yield* startBot({ database, settings })
      yield* rest("3 minutes")
      yield* again.stop
      const [news = "", ...more] = yield* told(olga, office)
      assert.deepStrictEqual(more, [])
      assert.include(news, `- detached \`${chat}\`: the bot was kicked`)
    }).pipe(Effect.provide(homeserver)))

  it.effect("that the bot is not in costs the start nothing but a warning", () =>
    Effect.gen(function*() {
      const { alice, chat, database } = yield* aWorld
      yield* alice.kick(chat, botId)
      const { log } = yield* aStart({ database, settings: { adminRoom: RoomId.make("!elsewhere:homing.test") } })
      const warning = log.find(({ event }) => event === "admin_room_not_told")
      assert.include(warning?.data, { problem: "The bot is not in it: invite it there." })
      assert.include(log.find(({ event }) => event === "matrix_reconcile_complete")?.data, { detached: 1 })
    }).pipe(Effect.provide(homeserver)))
})
