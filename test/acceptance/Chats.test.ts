import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { rmSync } from "node:fs"
import { botOf, homing, startReadyBot } from "./Bot.ts"
import { bodyOf, makePerson } from "./Person.ts"
import { listedBy, markerOf, newChat, openChat, scenario, stateOf } from "./Scenario.ts"

describe("a chat", () => {
  it.live("keeps what was set in it when the database is lost, and who was let in stays let in", () =>
    Effect.gen(function*() {
      const bob = yield* makePerson("bob")
      const { account, alice, dataDir, environment } = yield* scenario()
      const start = startReadyBot({ ...environment, HOMING_ALLOWED_USERS: alice.userId })
      const first = yield* start
      const room = yield* openChat(alice, account.userId, "Tea")
      yield* alice.invite(room, bob.userId)
      yield* bob.join(room)
      const toTheBot = { "m.mentions": { user_ids: [account.userId] } }
      assert.match(yield* bob.asks(room, "hello", toTheBot), /^My operator has not allowed/)
      assert.include(yield* alice.asks(room, "!set members room"), "`members` is now `room`")
      assert.include(yield* alice.asks(room, "!set backlog newest"), "`backlog` is now `newest`")
      assert.strictEqual(yield* bob.asks(room, "hello again", toTheBot), "hello again")
      assert.match(yield* bob.asks(room, "!set members owner"), /owner/)
      assert.match(yield* bob.asks(room, "!new Den"), /^Only people whom my operator allows/)

      yield* first.kill
      rmSync(dataDir, { recursive: true })
      const second = yield* start
      assert.strictEqual(second.report["restored"], 1)
      const settings = yield* alice.asks(room, "!settings")
      assert.include(settings, "`members` is `room` (default")
      assert.include(settings, "`backlog` is `newest` (default")
      assert.include(settings, "`redactions` is `keep` (the default)")
      assert.strictEqual(yield* bob.asks(room, "still here", toTheBot), "still here")
    }))

  it.live("is called as its room is, whoever renames which, also while the bot is down", () =>
    Effect.gen(function*() {
      const { account, alice, start } = yield* scenario()
      const first = yield* start
      const lobby = yield* openChat(alice, account.userId, "Lobby")
      const { room } = yield* newChat(alice, lobby, account.userId, "Plans")
      assert.include(yield* alice.asks(room, "!rename Garden"), "`Garden`.")
      assert.deepInclude((yield* stateOf(alice, room))("m.room.name"), { name: "Garden" })

      yield* alice.sendState(room, "m.room.name", { name: "Orchard" })
      assert.include(yield* alice.asks(room, "!chats"), "`Orchard`")
      yield* first.stop
      yield* alice.sendState(room, "m.room.name", { name: "Meadow" })
      const second = yield* start
      assert.strictEqual(second.report["updated"], 1)
      const chats = yield* alice.asks(room, "!chats")
      assert.include(chats, "`Meadow`")
      assert.notMatch(chats, /Plans|Garden|Orchard/)
    }))

  it.live("whose room the bot was kicked from goes on in another one", () =>
    Effect.gen(function*() {
      const { account, alice, behindTheBot, start } = yield* scenario()
      yield* start
      const room = yield* openChat(alice, account.userId, "Tea")
      yield* alice.asks(room, "hello")
      const bot = yield* behindTheBot
      const before = yield* markerOf(bot, room)
      yield* alice.kick(room, account.userId)
      const elsewhere = yield* alice.createRoom({ name: "Kitchen", invite: [account.userId] })
      assert.include(bodyOf(yield* alice.hears(elsewhere, account.userId)), "Type `!move Tea` to go on with it here.")
      assert.strictEqual(yield* alice.asks(elsewhere, "!move Tea"), "`Tea` goes on in this room.")
      assert.strictEqual((yield* markerOf(bot, elsewhere))?.chat_id, before?.chat_id)
      const chats = yield* alice.asks(elsewhere, "!chats")
      assert.match(decodeURIComponent(chats), new RegExp(`\`Tea\`.*${elsewhere.slice(1)}`))
      assert.notInclude(chats, "Kitchen")
    }))

  it.live("is answered by the responder that its owner chose, also when the database is lost", () =>
    Effect.gen(function*() {
      const { account, alice, dataDir, environment } = yield* scenario()
      const start = startReadyBot(environment, botOf("examples/games.ts"))
      const bot = yield* start
      const room = yield* openChat(alice, account.userId)
      const other = yield* openChat(alice, account.userId)
      assert.include(yield* alice.asks(room, "!set responder coin"), "`responder` is now `coin`")
      assert.match(yield* alice.asks(room, "hello"), /heads|tails/)
      assert.include(yield* alice.asks(other, "hello"), "roll")
      yield* bot.stop
      rmSync(dataDir, { recursive: true })
      yield* start
      assert.match(yield* alice.asks(room, "hello"), /heads|tails/)
      assert.include(yield* alice.asks(other, "hello"), "roll")
    }))

  it.live("is deleted when its owner says yes with a reaction, and nothing brings it back", () =>
    Effect.gen(function*() {
      const { account, alice, behindTheBot, dataDir, start } = yield* scenario()
      const first = yield* start
      const lobby = yield* openChat(alice, account.userId, "Lobby")
      const { room, space } = yield* newChat(alice, lobby, account.userId, "Tea")
      assert.sameMembers(yield* listedBy(alice, space), [space, room])
      const bot = yield* behindTheBot
      assert.isDefined(yield* markerOf(bot, room))
      const question = yield* alice.reply(yield* alice.send(room, "!delete"))
      yield* alice.waitFor(
        "the button",
        ({ content, sender, type }) =>
          type === "m.reaction" && sender === account.userId && JSON.stringify(content).includes(question.id)
      )
      const bob = yield* makePerson("bob")
      yield* alice.invite(room, bob.userId)
      yield* bob.join(room)
      yield* bob.react(room, question.id, "🗑️")
      assert.match(yield* bob.asks(room, "!delete confirm"), /nothing to confirm/)
      assert.include(yield* alice.asks(lobby, "!chats all"), "Tea")
      yield* alice.react(room, question.id, "🗑️")
      yield* alice.waitFor("a goodbye", (event) => event.room === room && bodyOf(event).includes("Goodbye"))
      yield* alice.waitFor(
        "the bot to leave",
        (event) => event.room === room && event.stateKey === account.userId && event.content["membership"] === "leave"
      )
      assert.isUndefined(yield* markerOf(bot, room))
      assert.sameMembers(yield* listedBy(alice, space), [space])
      assert.notInclude(yield* alice.asks(lobby, "!chats all"), "Tea")

      yield* first.stop
      const second = yield* start
      assert.strictEqual(second.report["restored"], 0)
      assert.notInclude(yield* alice.asks(lobby, "!chats all"), "Tea")
      yield* second.stop
      rmSync(dataDir, { recursive: true })
      const third = yield* start
      assert.strictEqual(third.report["restored"], 1)
      assert.notInclude(yield* alice.asks(lobby, "!chats all"), "Tea")
      assert.strictEqual(yield* bot.membership(room, account.userId), "leave")
    }))
})

describe("the list of chats", () => {
  it.live("comes a page at a time, without those that are archived, to their owner and to the operator", () =>
    Effect.gen(function*() {
      const { account, alice, environment, start } = yield* scenario()
      yield* start
      const rooms = yield* Effect.forEach(
        Array.from({ length: 21 }, (_, number) => `Chat ${number}`),
        (name) => openChat(alice, account.userId, name),
        { concurrency: 4 }
      )
      const [first = "", second = ""] = rooms
      const page = yield* alice.asks(first, "!chats")
      assert.match(page, /^Your chats, page 1 of 2:/)
      assert.lengthOf(page.match(/\[open\]/g) ?? [], 20)
      assert.lengthOf((yield* alice.asks(first, "!chats 2")).match(/\[open\]/g) ?? [], 1)

      yield* alice.asks(second, "!archive")
      const open = yield* alice.asks(first, "!chats")
      assert.match(open, /^Your chats:/)
      assert.notMatch(open, /`Chat 1`|archived/)
      const all = (yield* alice.asks(first, "!chats all")) + (yield* alice.asks(first, "!chats all 2"))
      assert.include(all, "`Chat 1` (archived)")
      assert.lengthOf(all.match(/\[open\]/g) ?? [], 21)

      const shown = yield* homing(environment, "chats")
      assert.include(shown.printed, "20 chats. 1 archived chat is not shown: add --archived.")
      assert.include(shown.printed, first)
      assert.notInclude(shown.printed, second)
      assert.include((yield* homing(environment, "chats", "--archived")).printed, second)
      assert.match(yield* alice.asks(second, "!unarchive"), /open again/)
    }))
})
