import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { rmSync } from "node:fs"
import { makePerson } from "./Person.ts"
import { isSend } from "./Proxy.ts"
import { markerOf, markerType, openChat, scenario } from "./Scenario.ts"

const loseDatabase = (dataDir: string) => Effect.sync(() => rmSync(dataDir, { recursive: true }))

const referenceCode = /\b[0-9A-HJKMNP-TV-Z]{8}\b/

describe("a restart", () => {
  it.live("with its database answers once what was said while it was down", () =>
    Effect.gen(function*() {
      const { account, alice, start } = yield* scenario()
      const first = yield* start
      const room = yield* openChat(alice, account.userId)
      yield* alice.asks(room, "before")
      yield* first.stop
      const question = yield* alice.send(room, "while you were away")

      const second = yield* start
      assert.strictEqual(second.report["unchanged"], 1)
      yield* alice.reply(question)
      yield* alice.asks(room, "after")
      yield* second.stop
      yield* start
      yield* alice.asks(room, "after another")
      assert.deepStrictEqual(alice.saidUntilNow(room, account.userId).slice(1), [
        "before",
        "while you were away",
        "after",
        "after another"
      ])
    }))

  it.live("finds also what stood far back in a room where much was said", () =>
    Effect.gen(function*() {
      const { account, alice, start } = yield* scenario()
      const first = yield* start
      const room = yield* openChat(alice, account.userId)
      yield* first.stop
      // More than Synapse puts into one sync answer, whatever one asks for.
      const bodies = Array.from({ length: 130 }, (_, i) => `message ${i}`)
      const questions = yield* Effect.forEach(bodies, (body) => alice.send(room, body))
      yield* start
      yield* Effect.forEach(questions, alice.reply)
      assert.deepStrictEqual(alice.saidUntilNow(room, account.userId).slice(1), bodies)
    }))

  it.live("without its database restores every chat from the markers", () =>
    Effect.gen(function*() {
      const { account, alice, behindTheBot, dataDir, start } = yield* scenario()
      const bob = yield* makePerson("bob")
      const first = yield* start
      const groceries = yield* openChat(alice, account.userId, "Groceries")
      const travel = yield* openChat(alice, account.userId, "Travel")
      const garden = yield* openChat(bob, account.userId, "Garden")
      yield* alice.asks(groceries, "!rename Shopping list")
      yield* alice.asks(travel, "!archive")
      yield* bob.asks(garden, "hello")
      const bot = yield* behindTheBot
      const rooms = [groceries, travel, garden]
      const before = yield* Effect.forEach(rooms, (room) => markerOf(bot, room))
      yield* first.stop
      yield* loseDatabase(dataDir)

      const second = yield* start
      assert.strictEqual(second.report["restored"], 3)
      assert.strictEqual(second.report["conflicts"], 0)
      const chats = yield* alice.asks(groceries, "!chats")
      assert.include(chats, "Shopping list")
      assert.notInclude(chats, "Garden")
      assert.match(yield* alice.asks(travel, "hello"), /archived/)
      assert.strictEqual(yield* bob.asks(garden, "hello again"), "hello again")
      assert.deepStrictEqual(yield* Effect.forEach(rooms, (room) => markerOf(bot, room)), before)

      const restored = second.log.filter(({ annotations }) => annotations["outcome"] === "Restored")
      assert.sameMembers(
        restored.map(({ annotations }) => `${annotations["roomId"]} ${annotations["chatId"]}`),
        before.map((marker) => `${marker?.room_id} ${marker?.chat_id}`)
      )

      // The ids that the database holds are the ones of before: they stand in the next marker.
      yield* bob.asks(garden, "!rename Flowers")
      assert.strictEqual((yield* markerOf(bot, garden))?.chat_id, before[2]?.chat_id)
      assert.deepStrictEqual(bob.saidUntilNow(garden, account.userId).slice(1, 3), ["hello", "hello again"])
    }))

  it.live("without its database answers what was said while it was down, and nothing twice", () =>
    Effect.gen(function*() {
      const { account, alice, dataDir, start } = yield* scenario()
      const first = yield* start
      const room = yield* openChat(alice, account.userId)
      const answered = yield* alice.send(room, "before")
      yield* alice.reply(answered)
      yield* first.stop
      yield* loseDatabase(dataDir)
      const missed = yield* alice.send(room, "while you were away")

      yield* start
      yield* alice.reply(missed)
      yield* alice.asks(room, "after")
      assert.deepStrictEqual(alice.repliesUntilNow(answered), ["before"])
      assert.deepStrictEqual(alice.repliesUntilNow(missed), ["while you were away"])
    }))

  it.live("without database and markers says what to do, and !register mends it", () =>
    Effect.gen(function*() {
      const { account, alice, behindTheBot, dataDir, start } = yield* scenario()
      const first = yield* start
      const room = yield* openChat(alice, account.userId, "Groceries")
      yield* alice.asks(room, "before")
      const bot = yield* behindTheBot
      const lost = yield* markerOf(bot, room)
      yield* first.stop
      yield* loseDatabase(dataDir)
      yield* bot.setAccountData(room, markerType, {})

      const second = yield* start
      assert.strictEqual(second.report["restored"], 0)
      assert.strictEqual(second.report["skipped"], 1)
      assert.deepStrictEqual(second.report["reasons"], { "skipped.no_marker": 1 })

      const diagnostic = yield* alice.asks(room, "hello")
      const [code] = referenceCode.exec(diagnostic) ?? []
      assert.isDefined(code, diagnostic)
      assert.include(diagnostic, "!register")
      const warning = yield* second.logs("message_not_handled", ({ annotations }) => annotations["code"] === code)
      assert.strictEqual(warning.level, "warn")
      assert.strictEqual(warning.annotations["room"], room)

      assert.include(yield* alice.asks(room, "!register Groceries"), "Groceries")
      assert.strictEqual(yield* alice.asks(room, "hello again"), "hello again")
      const marker = yield* markerOf(bot, room)
      assert.strictEqual(marker?.title, "Groceries")
      assert.notStrictEqual(marker?.chat_id, lost?.chat_id)
    }))

  it.live("does not repeat the diagnostic for every message of a busy room", () =>
    Effect.gen(function*() {
      const { account, alice, behindTheBot, dataDir, start } = yield* scenario()
      const first = yield* start
      const room = yield* openChat(alice, account.userId)
      yield* first.stop
      yield* loseDatabase(dataDir)
      yield* (yield* behindTheBot).setAccountData(room, markerType, {})
      yield* start
      const questions = yield* Effect.forEach(["one", "two", "three"], (body) => alice.send(room, body))
      yield* alice.asks(room, "!help")
      assert.lengthOf(questions.flatMap(alice.repliesUntilNow), 1)
    }))
})

describe("a kill", () => {
  it.live("loses nothing and repeats nothing", () =>
    Effect.gen(function*() {
      const { account, alice, start } = yield* scenario()
      const first = yield* start
      const room = yield* openChat(alice, account.userId)
      yield* alice.asks(room, "before")
      yield* first.kill
      yield* alice.send(room, "while you were dead")
      yield* start
      yield* alice.asks(room, "after")
      assert.deepStrictEqual(alice.saidUntilNow(room, account.userId).slice(1), [
        "before",
        "while you were dead",
        "after"
      ])
    }))

  it.live("between the homeserver taking an answer and the bot hearing of it still leaves one answer", () =>
    Effect.gen(function*() {
      const { account, alice, proxy, start } = yield* scenario()
      const first = yield* start
      const room = yield* openChat(alice, account.userId)
      const taken = yield* proxy.withholdAnswer(isSend)
      const question = yield* alice.send(room, "once")
      yield* taken
      yield* first.kill

      yield* start
      yield* alice.reply(question)
      yield* alice.asks(room, "after")
      assert.deepStrictEqual(alice.repliesUntilNow(question), ["once"])
    }))

  it.live("in the middle of a burst, several times over, leaves one answer to each message, in order", () =>
    Effect.gen(function*() {
      const { account, alice, proxy, start } = yield* scenario()
      let bot = yield* start
      const room = yield* openChat(alice, account.userId)
      const bodies = Array.from({ length: 20 }, (_, i) => `message ${i}`)
      const questions = yield* Effect.forEach(bodies, (body) => alice.send(room, body))
      for (let round = 0; round < 4; round++) {
        yield* proxy.forget
        yield* proxy.asked(isSend)
        yield* bot.kill
        yield* alice.send(room, `more ${round}`)
        bot = yield* start
      }
      yield* Effect.forEach(questions, alice.reply)
      yield* alice.asks(room, "after")
      assert.deepStrictEqual(alice.saidUntilNow(room, account.userId).slice(1), [
        ...bodies,
        ...[0, 1, 2, 3].map((round) => `more ${round}`),
        "after"
      ])
    }))
})
