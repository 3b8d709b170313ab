import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { homing } from "./Bot.ts"
import { ask, makeAccount, Nothing, operatorJoins, request, synapse } from "./Homeserver.ts"
import { bodyOf, type Person } from "./Person.ts"
import { listedBy, markerOf, newChat, openChat, scenario } from "./Scenario.ts"

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

describe("a room that is gone, or that the bot has left,", () => {
  it.live("keeps its chat, and says why, to its owner and to the operator", () =>
    Effect.gen(function*() {
      const { account, alice, behindTheBot, environment, start } = yield* scenario()
      const first = yield* start
      const open = (name: string) => openChat(alice, account.userId, name)
      const left = yield* open("Left")
      const forgotten = yield* open("Forgotten")
      const purged = yield* open("Purged")
      const lobby = yield* open("Lobby")
      const bot = yield* behindTheBot
      yield* bot.leave(left)
      assert.match(yield* alice.asks(lobby, "!chats"), /`Left` \(no room: left\)/)
      const reports = yield* homing(environment, "reports", "--limit", "1")
      assert.include(reports.printed, "left: the bot has left the room")
      yield* first.stop

      // Synapse tells of the first when the bot asks what it has missed, and of the second not at all.
      yield* bot.leave(forgotten)
      yield* bot.forget(forgotten)
      yield* request(Nothing, "DELETE", `/_synapse/admin/v1/rooms/${encodeURIComponent(purged)}`, {
        token: synapse.adminToken,
        body: { purge: true, force_purge: true }
      })
      const preview = yield* homing(environment, "reconcile", "--dry-run")
      assert.include(preview.printed, "and 4 chats here: 2 unchanged, 2 detached.")
      for (const [room, reason] of [[forgotten, "left"], [purged, "room_gone"]] as const) {
        assert.match(preview.printed, new RegExp(`detached +${room} .*\n +${reason}: `))
      }
      const second = yield* start
      assert.strictEqual(second.report["detached"], 2)
      const chats = yield* alice.asks(lobby, "!chats")
      assert.include(chats, "`Forgotten` (no room: left)")
      assert.include(chats, "`Purged` (no room: room_gone)")
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

describe("a room that says it was upgraded", () => {
  it.live("keeps its chat, and the bot leaves the new room as soon as it has read that it says nothing of the old one", () =>
    Effect.gen(function*() {
      const { account, alice, start } = yield* scenario()
      const bot = yield* start
      const room = yield* openChat(alice, account.userId, "Tea")
      const lobby = yield* openChat(alice, account.userId)
      const trap = yield* alice.createRoom({ name: "Trap", open: true })
      yield* alice.sendState(room, "m.room.tombstone", { body: "Over there", replacement_room: trap })
      yield* bot.logs("upgrade_refused")
      yield* alice.waitFor(
        "the bot to leave",
        (event) => event.room === trap && event.stateKey === account.userId && event.content["membership"] === "leave"
      )
      const chats = decodeURIComponent(yield* alice.asks(lobby, "!chats"))
      assert.match(chats, new RegExp(`\`Tea\`.*${room.slice(1)}`))
    }))
})

describe("an upgraded room of a Space", () => {
  const hearsOfIt = (alice: Person, old: string) =>
    alice.waitFor(
      "the old room to be told",
      (event) => event.room === old && bodyOf(event).startsWith("This chat goes on in the new room")
    )

  it.live("is listed in place of the old one, which is told once, live and after the bot was down", () =>
    Effect.gen(function*() {
      const { account, alice, start } = yield* scenario()
      const first = yield* start
      const lobby = yield* openChat(alice, account.userId)
      const { room, space } = yield* newChat(alice, lobby, account.userId, "Plans")
      const relisted = (old: string, now: string) =>
        Effect.forEach(
          [[now, false], [old, true]] as const,
          ([child, empty]) =>
            alice.waitFor(`the Space to ${empty ? "drop" : "list"} ${child}`, ({ content, room, stateKey, type }) =>
              type === "m.space.child" && room === space && stateKey === child &&
              (content["via"] === undefined) === empty),
          { discard: true }
        )

      const live = yield* alice.upgrade(room, "12", [account.userId])
      yield* alice.invite(live, account.userId)
      assert.include(decodeURIComponent(bodyOf(yield* hearsOfIt(alice, room))), live)
      yield* relisted(room, live)
      assert.strictEqual(yield* alice.asks(live, "hello"), "hello")

      yield* first.stop
      const later = yield* alice.upgrade(live, "12", [account.userId])
      yield* alice.invite(later, account.userId)
      yield* start
      assert.include(decodeURIComponent(bodyOf(yield* hearsOfIt(alice, live))), later)
      yield* relisted(live, later)
      assert.strictEqual(yield* alice.asks(later, "hello"), "hello")
      assert.sameMembers(yield* listedBy(alice, space), [space, later])
      assert.lengthOf(alice.saidUntilNow(room, account.userId).filter((said) => said.includes("the new room")), 1)
    }))

  it.live("goes on in the Space that replaces its own, and new ones are listed there", () =>
    Effect.gen(function*() {
      const { account, alice, start } = yield* scenario()
      yield* start
      const lobby = yield* openChat(alice, account.userId)
      const plans = yield* newChat(alice, lobby, account.userId, "Plans")
      const space = yield* alice.upgrade(plans.space, "12", [account.userId])
      yield* alice.invite(space, account.userId)
      yield* alice.sees(space, account.userId)
      const more = yield* newChat(alice, lobby, account.userId, "More")
      assert.strictEqual(more.space, space)
      assert.sameMembers(yield* listedBy(alice, space), [space, plans.room, more.room])
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
