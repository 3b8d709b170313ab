import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect } from "../../src/layers/Homeserver/Faults.ts"
import type { Person } from "../../src/layers/Homeserver/Person.ts"
import { whatBecameOf } from "../../src/programs/Why.ts"
import { inTime, joinedRooms } from "./Provisioned.ts"
import { aChat, aDatabase, answerTo, bodyOf, type Bot, botId, homeserver, startBot } from "./World.ts"

const until = <E, R>(holds: Effect.Effect<boolean, E, R>) =>
  inTime(Effect.gen(function*() {
    while (!(yield* holds)) yield* Effect.sleep("1 second")
  }))

const rest = (time: Parameters<typeof Effect.sleep>[0]) => inTime(Effect.sleep(time))

/** Alice has made a chat with `!new`, and is in its room and in her Space. */
const aMadeChat = Effect.gen(function*() {
  const server = yield* Homeserver
  const [alice, account] = [yield* server.as("alice"), yield* server.as("bot")]
  const database = yield* aDatabase
  const bot = yield* startBot({ database })
  const tea = yield* aChat(alice)
  const room = yield* aNewRoom(account, alice, tea, "Plans")
  const space = (yield* joinedRooms(account)).find(({ isSpace }) => isSpace)?.roomId ?? ""
  yield* alice.join(space)
  return { server, alice, account, database, bot, tea, room, space }
})

const aNewRoom = Effect.fnUntraced(function*(account: Person, alice: Person, from: string, title: string) {
  yield* answerTo(alice, from, yield* alice.say(from, `!new ${title}`))
  const made = (yield* joinedRooms(account)).find(({ origin }) => origin?.kind === "chat" && origin.title === title)
  yield* alice.join(made?.roomId ?? "")
  return made?.roomId ?? ""
})

/** What a Space lists now. */
const listedIn = (person: Person, space: string) =>
  Effect.map(
    person.request("GET", `/_matrix/client/v3/rooms/${encodeURIComponent(space)}/state`),
    (body) =>
      (Array.isArray(body) ? body : []).flatMap(({ content, state_key, type }) =>
        type === "m.space.child" && Array.isArray(content.via) ? [String(state_key)] : []
      )
  )

const shownIn = (bot: Bot, room: string) =>
  Effect.map(bot.chats, (chats) => chats.find(({ binding }) => binding?.roomId === room))

const isIn = (account: Person, room: string) =>
  Effect.map(joinedRooms(account), (rooms) => rooms.some(({ roomId }) => roomId === room))

const saidBy = (person: Person, room: string) =>
  Effect.map(
    person.messages(room),
    (events) => events.filter(({ sender, type }) => sender === botId && type === "m.room.message")
  )

/** Upgrades it, and lets the members of the old one in, as clients do where they can. */
const upgradeFor = Effect.fnUntraced(function*(person: Person, room: string) {
  const successor = yield* person.upgrade(room)
  yield* person.setState(successor, "m.room.join_rules", { join_rule: "public" })
  return successor
})

describe("a chat whose room is upgraded", () => {
  it.effect("goes on in the new room without anybody inviting the bot, which says so in the old one once, and lists it in the Space", () =>
    Effect.gen(function*() {
      const { account, alice, bot, database, room, space } = yield* aMadeChat
      const before = yield* shownIn(bot, room)
      const successor = yield* upgradeFor(alice, room)
      yield* until(
        Effect.map(listedIn(account, space), (listed) => listed.includes(successor) && !listed.includes(room))
      )
      assert.strictEqual((yield* shownIn(bot, successor))?.id, before?.id)

      yield* alice.waitFor(room, (event) => bodyOf(event).includes("goes on in the new room"))
      yield* bot.stop
      const again = yield* startBot({ database })
      yield* rest("2 minutes")
      const pointers = (yield* saidBy(alice, room)).filter((event) => bodyOf(event).includes("goes on"))
      assert.strictEqual(pointers.length, 1)
      assert.include(
        decodeURIComponent(bodyOf(pointers[0] ?? assert.fail("no pointer"))),
        `${successor}?via=homing.test`
      )
      const why = yield* Effect.provide(whatBecameOf(pointers[0]?.event_id ?? ""), database)
      assert.match(why.join(" "), /^The bot told this room where its chat goes on, at .* stands in the room as/)
      assert.strictEqual(bodyOf(yield* answerTo(alice, successor, yield* alice.say(successor, "hi"))), "hi")
      assert.deepStrictEqual(yield* listedIn(account, space), [successor])
      yield* again.stop
    }).pipe(Effect.provide(homeserver)))

  it.effect("does all of that also when it happened while the bot was down", () =>
    Effect.gen(function*() {
      const { account, alice, bot, database, room, space } = yield* aMadeChat
      yield* bot.stop
      const successor = yield* upgradeFor(alice, room)
      const again = yield* startBot({ database })
      yield* until(Effect.map(listedIn(account, space), (listed) => !listed.includes(room)))
      assert.deepStrictEqual(yield* listedIn(account, space), [successor])
      yield* until(Effect.map(shownIn(again, successor), (chat) => chat !== undefined))
      yield* alice.waitFor(room, (event) => bodyOf(event).includes("goes on in the new room"))
    }).pipe(Effect.provide(homeserver)))

  it.effect("is told of nowhere after a lost database, when it has moved long ago", () =>
    Effect.gen(function*() {
      const { account, alice, bot, room, space } = yield* aMadeChat
      const successor = yield* upgradeFor(alice, room)
      yield* until(Effect.map(listedIn(account, space), (listed) => !listed.includes(room)))
      yield* rest("10 seconds")
      yield* bot.stop
      const before = (yield* saidBy(alice, room)).length
      const lost = yield* startBot({ database: yield* aDatabase })
      yield* rest("2 minutes")
      assert.isDefined(yield* shownIn(lost, successor))
      assert.strictEqual((yield* saidBy(alice, room)).length, before)
    }).pipe(Effect.provide(homeserver)))

  it.effect("is not spoken of in an old room where the bot has no word any more", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const bot = yield* startBot({ database: yield* aDatabase })
      const tea = yield* aChat(alice)
      const successor = yield* upgradeFor(alice, tea)
      yield* until(Effect.map(shownIn(bot, successor), (chat) => chat !== undefined))
      yield* rest("10 seconds")
      assert.isUndefined(bot.log.find(({ event }) => event === "reply_not_deliverable"))
      assert.strictEqual((yield* saidBy(alice, tea)).length, 1, "the greeting")
    }).pipe(Effect.provide(homeserver)))

  it.effect("waits longer and longer for a new room that does not let the bot in, and is there at once when it is invited", () =>
    Effect.gen(function*() {
      const { account, alice, bot, room, server } = yield* aMadeChat
      const successor = yield* alice.upgrade(room)
      yield* rest("30 minutes")
      assert.isFalse(yield* isIn(account, successor))
      const joins = (yield* server.requests).filter(({ path }) => path.includes("/join/"))
      assert.deepStrictEqual(joins.map(({ query }) => query["via"]), Array.from({ length: 5 }, () => "homing.test"))
      assert.isDefined(yield* shownIn(bot, room), "the chat stays where it was")
      yield* alice.invite(successor, botId)
      yield* until(Effect.map(shownIn(bot, successor), (chat) => chat !== undefined))
    }).pipe(Effect.provide(homeserver)))

  it.effect("does not take the bot into a room that says nothing of the old one, nor anywhere from a room that shows no chat", () =>
    Effect.gen(function*() {
      const { account, alice, bot, room, server } = yield* aMadeChat
      const trap = yield* alice.createRoom({ name: "Trap", preset: "public_chat" })
      yield* alice.setState(room, "m.room.tombstone", { body: "Over there", replacement_room: trap })
      yield* until(Effect.sync(() => bot.log.some(({ event }) => event === "upgrade_refused")))
      yield* rest("1 hour")
      assert.isFalse(yield* isIn(account, trap))
      assert.isDefined(yield* shownIn(bot, room))
      const joins = (yield* server.requests).filter(({ path }) => path.includes("/join/"))
      assert.strictEqual(joins.length, 1)

      const lounge = yield* alice.createRoom({ name: "Lounge" })
      yield* alice.invite(lounge, botId)
      yield* account.join(lounge)
      yield* account.setRoomAccountData(lounge, "dev.homing.chat", { version: 99 })
      yield* rest("10 seconds")
      const beyond = yield* upgradeFor(alice, lounge)
      yield* rest("1 hour")
      assert.isUndefined(yield* shownIn(bot, lounge))
      assert.isFalse(yield* isIn(account, beyond))
    }).pipe(Effect.provide(homeserver)))

  it.effect("and that somebody took out of the Space is not put in again", () =>
    Effect.gen(function*() {
      const { account, alice, room, space } = yield* aMadeChat
      yield* alice.setState(space, "m.space.child", {}, room)
      yield* rest("5 seconds")
      const successor = yield* upgradeFor(alice, room)
      yield* until(isIn(account, successor))
      yield* rest("10 seconds")
      assert.deepStrictEqual(yield* listedIn(account, space), [])
    }).pipe(Effect.provide(homeserver)))

  it.effect("is listed although the server is away for a while", () =>
    Effect.gen(function*() {
      const { account, alice, room, server, space } = yield* aMadeChat
      yield* server.inject({
        path: "m.space.child",
        count: 3,
        effect: FaultEffect.Answer({ status: 503, body: {} })
      })
      const successor = yield* upgradeFor(alice, room)
      yield* until(Effect.map(listedIn(account, space), (listed) => !listed.includes(room)))
      assert.deepStrictEqual(yield* listedIn(account, space), [successor])
    }).pipe(Effect.provide(homeserver)))
})

describe("a Space that is upgraded", () => {
  const upgraded = Effect.gen(function*() {
    const world = yield* aMadeChat
    const { account, alice, room, space } = world
    const successor = yield* alice.upgrade(space)
    yield* alice.invite(successor, botId)
    yield* until(Effect.map(listedIn(alice, successor), (listed) => listed.includes(room)))
    yield* until(isIn(account, successor))
    return { ...world, successor }
  })

  it.effect("is followed by the bot with all that it listed, and the next !new puts its room there", () =>
    Effect.gen(function*() {
      const { account, alice, room, space, successor, tea } = yield* upgraded
      const next = yield* aNewRoom(account, alice, tea, "More")
      assert.sameMembers([...(yield* listedIn(account, successor))], [room, next])
      assert.deepStrictEqual(yield* listedIn(account, space), [room])
      const spaces = (yield* joinedRooms(account)).filter(({ isSpace }) => isSpace)
      assert.sameMembers(spaces.map(({ roomId }) => String(roomId)), [space, successor])
    }).pipe(Effect.provide(homeserver)))

  it.effect("stays the Space of new chats after a restart, also when the bot has left the old one or lost its database", () =>
    Effect.gen(function*() {
      const { account, alice, bot, database, room, space, successor, tea } = yield* upgraded
      yield* bot.stop
      const lost = yield* startBot({ database: yield* aDatabase })
      const second = yield* aNewRoom(account, alice, tea, "Second")
      yield* rest("1 minute")
      yield* lost.stop
      assert.sameMembers([...(yield* listedIn(account, successor))], [room, second])

      yield* account.leave(space)
      yield* account.forget(space)
      yield* startBot({ database })
      const third = yield* aNewRoom(account, alice, tea, "Third")
      assert.sameMembers([...(yield* listedIn(account, successor))], [room, second, third])
      assert.strictEqual((yield* joinedRooms(account)).filter(({ isSpace }) => isSpace).length, 1)
    }).pipe(Effect.provide(homeserver)))
})
