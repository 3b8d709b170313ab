import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { rmSync } from "node:fs"
import { startBot, startReadyBot } from "./Bot.ts"
import { request } from "./Homeserver.ts"
import { bodyOf, type Person, type Seen } from "./Person.ts"
import type { Recorded } from "./Proxy.ts"
import { listedBy, markerOf, openChat, scenario, stateOf } from "./Scenario.ts"

const Joined = Schema.Struct({ joined_rooms: Schema.Array(Schema.String) })

/** The rooms that the bot is in and has made, of what kind they are. */
const madeBy = Effect.fnUntraced(function*(bot: Person) {
  const { joined_rooms } = yield* request(Joined, "GET", "/_matrix/client/v3/joined_rooms", { token: bot.token })
  const rooms = yield* Effect.forEach(
    joined_rooms,
    (room) => Effect.map(stateOf(bot, room), (state) => ({ room, state }))
  )
  const made = rooms.filter(({ state }) => state("m.room.create")?.["dev.homing.origin"] !== undefined)
  const isSpace = ({ state }: (typeof made)[number]) => state("m.room.create")?.["type"] === "m.space"
  return {
    spaces: made.filter(isSpace).map(({ room }) => room),
    rooms: made.filter((one) => !isSpace(one)).map(({ room }) => room)
  }
})

/** One room, one chat, one Space, to which Alice is invited and where she finds the room. */
const isWhole = Effect.fnUntraced(function*(alice: Person, bot: Person) {
  const { rooms, spaces } = yield* madeBy(bot)
  assert.strictEqual(rooms.length, 1)
  assert.strictEqual(spaces.length, 1)
  const [room = "", space = ""] = [rooms[0], spaces[0]]
  assert.strictEqual(
    yield* alice.membership(room, alice.userId).pipe(Effect.andThen(bot.membership(room, alice.userId))),
    "invite"
  )
  assert.strictEqual(yield* bot.membership(space, alice.userId), "invite")
  yield* alice.join(space)
  yield* alice.join(room)
  assert.includeMembers(yield* listedBy(alice, space), [room])
  assert.strictEqual((yield* markerOf(bot, room))?.title, "Plans")
  return { room, space }
})

const isCreation = ({ method, path }: Recorded) => method === "POST" && path === "/createRoom"

describe("!new", () => {
  it.live("makes a room that belongs to who asked, and a Space that lists it", () =>
    Effect.gen(function*() {
      const { account, alice, behindTheBot, start } = yield* scenario()
      yield* start
      const tea = yield* openChat(alice, account.userId, "Tea")
      const answer = yield* alice.asks(tea, "!new Plans")
      const bot = yield* behindTheBot
      const { room, space } = yield* isWhole(alice, bot)
      assert.include(answer, encodeURIComponent(room))
      const greeting = yield* alice.hears(room, account.userId)
      assert.include(bodyOf(greeting), "Plans")
      assert.strictEqual(yield* alice.asks(room, "hello"), "hello")
      const state = yield* stateOf(alice, room)
      assert.deepInclude(state("m.room.name"), { name: "Plans" })
      assert.deepInclude(state("m.space.parent", space), { canonical: true })
      // Hers as much as the bot's, whatever the version of the room: she can do what only its creator may at first.
      yield* alice.sendState(room, "m.room.power_levels", { ...state("m.room.power_levels"), invite: 100 })

      yield* alice.asks(tea, "!new Another")
      assert.strictEqual((yield* madeBy(bot)).spaces.length, 1)
      assert.strictEqual((yield* madeBy(bot)).rooms.length, 2)
    }))

  it.live("makes an encrypted room where that is set, and says not a word in plain text there", () =>
    Effect.gen(function*() {
      const { account, alice, behindTheBot, start } = yield* scenario({ HOMING_ENCRYPT_NEW_ROOMS: "true" })
      yield* start
      const tea = yield* openChat(alice, account.userId, "Tea")
      yield* alice.asks(tea, "!new Plans")
      const { room, space } = yield* isWhole(alice, yield* behindTheBot)
      assert.deepInclude((yield* stateOf(alice, room))("m.room.encryption"), { algorithm: "m.megolm.v1.aes-sha2" })
      assert.isUndefined((yield* stateOf(alice, space))("m.room.encryption"))
      const isSaid = ({ sender, type }: Seen) =>
        sender === account.userId && /^m\.room\.(?:message|encrypted)$/.test(type)
      const said = yield* alice.waitFor("the greeting", (event) => event.room === room && isSaid(event))
      assert.strictEqual(said.type, "m.room.encrypted")
    }))

  const places = [
    "create space:after",
    "create room:before",
    "create room:after",
    "Store.provisioning.made:before:2",
    "add to space:before",
    "Store.provisioning.done:before"
  ]
  for (const lost of [false, true]) {
    it.live(
      `killed in the middle comes to one room, ${lost ? "also when its database is lost" : "on its database"}`,
      () =>
        Effect.forEach(places, (place) =>
          Effect.gen(function*() {
            const { account, alice, behindTheBot, dataDir, environment, start } = yield* scenario()
            const first = yield* startBot({ ...environment, HOMING_CHAOS_KILL_AT: place })
            const tea = yield* openChat(alice, account.userId, "Tea")
            const question = yield* alice.send(tea, "!new Plans")
            assert.strictEqual((yield* first.exit).signal, "SIGKILL", place)
            if (lost) yield* Effect.sync(() => rmSync(dataDir, { recursive: true }))
            yield* start
            assert.include(yield* Effect.map(alice.reply(question), bodyOf), "Plans", place)
            const bot = yield* behindTheBot
            const { room } = yield* isWhole(alice, bot)
            yield* alice.hears(room, account.userId)
            assert.strictEqual(yield* alice.asks(room, "hello"), "hello", place)
          }), { discard: true }),
      300_000
    )
  }

  it.live("killed before it hears of the Space, and then of the room, that it asked for finds both", () =>
    Effect.gen(function*() {
      const { account, alice, behindTheBot, environment, proxy, start } = yield* scenario()
      const first = yield* start
      const tea = yield* openChat(alice, account.userId, "Tea")
      const spaceMade = yield* proxy.withholdAnswer(isCreation)
      const question = yield* alice.send(tea, "!new Plans")
      yield* spaceMade
      yield* first.kill
      const roomMade = yield* proxy.withholdAnswer(isCreation)
      const second = yield* startReadyBot(environment)
      yield* roomMade
      yield* second.kill
      yield* startReadyBot(environment)
      yield* alice.reply(question)
      yield* isWhole(alice, yield* behindTheBot)
    }))
})
