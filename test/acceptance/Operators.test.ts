import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { homing, startReadyBot } from "./Bot.ts"
import { bodyOf, makePerson } from "./Person.ts"
import { markerOf, newChat, openChat, scenario } from "./Scenario.ts"

describe("a reset", () => {
  it.live("takes away what it is told to, and no more", () =>
    Effect.gen(function*() {
      const { account, alice, behindTheBot, environment, start } = yield* scenario()
      const first = yield* start
      const lobby = yield* openChat(alice, account.userId, "Lobby")
      const { room, space } = yield* newChat(alice, lobby, account.userId, "Plans")
      const bot = yield* behindTheBot
      const before = yield* markerOf(bot, room)

      const looked = yield* homing(environment, "reset", "--local", "--dry-run")
      assert.include(looked.printed, "forget 2 chats")
      assert.include(looked.printed, "has to be stopped first")
      assert.strictEqual((yield* homing(environment, "reset", "--local", "--yes")).code, 75)
      yield* first.stop
      assert.strictEqual((yield* homing(environment, "reset", "--local")).code, 1)
      const local = yield* homing(environment, "reset", "--local", "--yes")
      assert.strictEqual(local.code, 0, local.stderr)
      const second = yield* start
      assert.strictEqual(second.report["restored"], 2)
      assert.strictEqual(yield* alice.asks(room, "hello"), "hello")
      assert.strictEqual((yield* markerOf(bot, room))?.chat_id, before?.chat_id)
      yield* second.stop

      assert.strictEqual((yield* homing(environment, "reset", "--server", "--dry-run")).code, 0)
      assert.isDefined(yield* markerOf(bot, room))
      const server = yield* homing(environment, "reset", "--server", "--yes")
      assert.include(server.printed, "Emptied the marker of 2 rooms.")
      assert.isUndefined(yield* markerOf(bot, room))
      assert.isUndefined(yield* markerOf(bot, lobby))

      const own = yield* homing(environment, "reset", "--rooms", "--yes")
      assert.include(own.printed, "Left and forgot 2 rooms.")
      for (const made of [room, space]) assert.strictEqual(yield* alice.membership(made, account.userId), "leave")
      assert.strictEqual(yield* alice.membership(lobby, account.userId), "join")
      yield* start
      const chats = yield* alice.asks(lobby, "!chats")
      assert.include(chats, "`Lobby` – [open]")
      assert.include(chats, "`Plans` (no room: left)")
      yield* alice.invite(room, account.userId)
      yield* alice.waitFor("the bot to be back", (event) =>
        event.room === room && event.sender === account.userId && bodyOf(event).includes("I am back"))
    }))
})

describe("the operators", () => {
  it.live("look after the bot from a room with nobody else in it, and are told there what a start found", () =>
    Effect.gen(function*() {
      const bob = yield* makePerson("bob")
      const { account, alice, environment } = yield* scenario()
      const office = yield* alice.createRoom({ name: "Office", invite: [account.userId] })
      const start = startReadyBot({ ...environment, HOMING_ADMINS: alice.userId, HOMING_ADMIN_ROOM: office })
      const first = yield* start
      yield* alice.hears(office, account.userId)
      const kitchen = yield* openChat(bob, account.userId, "Kitchen")
      const cellar = yield* openChat(bob, account.userId, "Cellar")

      assert.match(yield* alice.asks(office, "!admin status"), /3 chats, 0 of them without a room[^]*last sync answer/)
      const chats = yield* alice.asks(office, "!admin chats")
      assert.include(chats, `\`Kitchen\` of \`${bob.userId}\`, open`)
      assert.include(
        yield* alice.asks(office, "!admin reconcile"),
        "3 rooms on the server and 3 chats here: 3 unchanged"
      )
      assert.strictEqual(yield* alice.asks(office, "!admin outbox"), "Everything was delivered.")
      assert.match(yield* bob.asks(kitchen, "!admin chats"), /I do not know/)

      assert.include(yield* alice.asks(office, `!admin leave ${kitchen}`), "Its chat `Kitchen` is kept without a room")
      yield* bob.waitFor(
        "the bot to leave",
        (event) =>
          event.room === kitchen && event.stateKey === account.userId && event.content["membership"] === "leave"
      )
      assert.include(yield* bob.asks(cellar, "!chats"), "`Kitchen` (no room: left)")

      yield* first.stop
      yield* bob.kick(cellar, account.userId)
      yield* start
      const told = yield* alice.waitFor(
        "news",
        (event) =>
          event.room === office && event.sender === account.userId && bodyOf(event).startsWith("I have started")
      )
      assert.include(bodyOf(told), `detached \`${cellar}\`: the bot was kicked`)
      assert.include(bodyOf(told), "1 detached")
    }))

  it.live(
    "are told in their room what happens to chats, and see beside the bot what it would decide anew",
    () =>
      Effect.gen(function*() {
        const bob = yield* makePerson("bob")
        const { account, alice, environment } = yield* scenario()
        const office = yield* alice.createRoom({ name: "Office", invite: [account.userId] })
        yield* startReadyBot({ ...environment, HOMING_ADMINS: alice.userId, HOMING_ADMIN_ROOM: office })
        yield* alice.hears(office, account.userId)
        const kitchen = yield* openChat(bob, account.userId, "Kitchen")
        const preview = yield* homing(environment, "reconcile", "--dry-run")
        assert.strictEqual(preview.code, 0, preview.stderr)
        assert.include(preview.printed, "2 rooms on the server and 2 chats here: 2 unchanged.")
        yield* bob.kick(kitchen, account.userId)
        // Once a minute.
        const told = yield* alice.waitFor(
          "news",
          (event) => event.room === office && event.sender === account.userId && bodyOf(event).includes("detached"),
          90_000
        )
        assert.include(bodyOf(told), `detached \`${kitchen}\`: the bot was kicked`)
      }),
    150_000
  )
})
