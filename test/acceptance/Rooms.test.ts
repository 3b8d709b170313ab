import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, makeAccount, operatorJoins, synapse } from "./Homeserver.ts"
import { bodyOf } from "./Person.ts"
import { markerOf, openChat, scenario } from "./Scenario.ts"

describe("a bot that is put out of a room", () => {
  for (const [how, reason] of [["kick", "kicked"], ["ban", "banned"]] as const) {
    it.live(`by a ${how} keeps the chat, and shows it there again when it is let in`, () =>
      Effect.gen(function*() {
        const { account, alice, behindTheBot, start } = yield* scenario()
        yield* start
        const room = yield* openChat(alice, account.userId, "Groceries")
        const lobby = yield* openChat(alice, account.userId, "Lobby")
        const hidden = yield* behindTheBot
        const before = yield* markerOf(hidden, room)
        yield* alice[how](room, account.userId)
        assert.match(yield* alice.asks(lobby, "!chats"), new RegExp(`Groceries.*${reason}`))

        if (how === "ban") yield* alice.unban(room, account.userId)
        yield* alice.invite(room, account.userId)
        yield* alice.waitFor("the bot to be back", (event) =>
          event.room === room && event.sender === account.userId && bodyOf(event).includes("I am back"))
        assert.strictEqual((yield* markerOf(hidden, room))?.chat_id, before?.chat_id)
        assert.strictEqual(yield* alice.asks(room, "hello"), "hello")
      }))
  }

  it.live("while it was down finds out at the next start", () =>
    Effect.gen(function*() {
      const { account, alice, start } = yield* scenario()
      const first = yield* start
      const room = yield* openChat(alice, account.userId)
      const lobby = yield* openChat(alice, account.userId)
      yield* first.stop
      yield* alice.kick(room, account.userId)
      const second = yield* start
      assert.strictEqual(second.report["detached"], 1)
      assert.strictEqual(second.report["unchanged"], 1)
      assert.strictEqual(yield* alice.asks(lobby, "hello"), "hello")
    }))
})

describe("an upgraded room", () => {
  for (const [from, to] of [["10", "11"], ["11", "12"], ["12", "12"]] as const) {
    it.live(`takes its chat along, from room version ${from} to ${to}`, () =>
      Effect.gen(function*() {
        const { account, alice, behindTheBot, start } = yield* scenario()
        yield* start
        const old = yield* alice.createRoom({ name: "Groceries", invite: [account.userId], version: from })
        yield* alice.hears(old, account.userId)
        yield* alice.asks(old, "!rename Shopping list")
        const bot = yield* behindTheBot
        const before = yield* markerOf(bot, old)

        const room = yield* alice.upgrade(old, to)
        yield* alice.invite(room, account.userId)
        yield* alice.hears(room, account.userId)
        assert.strictEqual(yield* alice.asks(room, "hello"), "hello")
        const after = yield* markerOf(bot, room)
        assert.strictEqual(after?.chat_id, before?.chat_id)
        assert.strictEqual(after?.title, "Shopping list")
        assert.strictEqual(after?.room_id, room)
        const chats = yield* alice.asks(room, "!chats")
        assert.lengthOf(chats.match(/Shopping list/g) ?? [], 1)
        assert.include(decodeURIComponent(chats), room)
      }))
  }

  it.live("while the bot was down takes its chat along at the next start", () =>
    Effect.gen(function*() {
      const { account, alice, behindTheBot, start } = yield* scenario()
      const first = yield* start
      const old = yield* openChat(alice, account.userId, "Groceries")
      const bot = yield* behindTheBot
      const before = yield* markerOf(bot, old)
      yield* first.stop
      const room = yield* alice.upgrade(old, "12")
      yield* alice.invite(room, account.userId)
      const second = yield* start
      yield* alice.hears(room, account.userId)
      yield* second.stop

      const third = yield* start
      assert.strictEqual(yield* alice.asks(room, "hello"), "hello")
      assert.strictEqual((yield* markerOf(bot, room))?.chat_id, before?.chat_id)
      assert.strictEqual(third.report["conflicts"], 0)
    }))
})

describe("a room of three hundred", () => {
  it.live(
    "is entered and found again, and the bot answers there when it is mentioned, and only then",
    () =>
      Effect.gen(function*() {
        const { account, alice, start } = yield* scenario()
        const first = yield* start
        const room = yield* openChat(alice, account.userId, "Everybody")
        yield* alice.invite(room, `@operator:${synapse.serverName}`)
        yield* ask("POST", `/_matrix/client/v3/join/${encodeURIComponent(room)}`, { token: synapse.adminToken })
        yield* Effect.forEach(
          Array.from({ length: 297 }),
          () => Effect.flatMap(makeAccount("member"), (member) => operatorJoins(member, room)),
          { concurrency: 8, discard: true }
        )
        const unheard = yield* alice.send(room, "good morning everybody")
        const mention = { "m.mentions": { user_ids: [account.userId] } }
        assert.strictEqual(yield* alice.asks(room, "good morning bot", mention), "good morning bot")
        yield* first.stop

        const second = yield* start
        assert.strictEqual(second.report["unchanged"], 1)
        assert.strictEqual(yield* alice.asks(room, "are you back?", mention), "are you back?")
        assert.deepStrictEqual(alice.repliesUntilNow(unheard), [])
      }),
    180_000
  )
})
