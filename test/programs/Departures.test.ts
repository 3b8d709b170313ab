import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import type { DetachReason } from "../../src/domain/Chat.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect } from "../../src/layers/Homeserver/Faults.ts"
import type { Person } from "../../src/layers/Homeserver/Person.ts"
import { Store } from "../../src/layers/Store.ts"
import { inTime } from "./Provisioned.ts"
import { aChat, aDatabase, answerTo, bodyOf, type Bot, botId, homeserver, startBot } from "./World.ts"

interface World {
  readonly server: Homeserver["Service"]
  readonly alice: Person
  readonly account: Person
  readonly room: string
}

/** No room of this id is known to the bot's requests any more, as after a purge; the rest of its rooms are there. */
const vanishes = ({ room, server }: World, status: 403 | 404) =>
  Effect.forEach([encodeURIComponent(room), "joined_rooms"], (path) =>
    server.inject({
      path,
      user: botId,
      count: 1000,
      effect: FaultEffect.Answer({
        status: path === "joined_rooms" ? 200 : status,
        body: path === "joined_rooms"
          ? { joined_rooms: [] }
          : { errcode: status === 403 ? "M_FORBIDDEN" : "M_NOT_FOUND", error: "No such room" }
      })
    }), { discard: true })

/** How a room is lost, and what the chat is then said to have lost it by: while the bot runs, and when it looks at its next start. */
const losses: Readonly<
  Record<string, {
    readonly lose: (world: World) => Effect.Effect<unknown, unknown>
    readonly live: DetachReason
    readonly atStart: DetachReason
    /** Nothing tells of it but that a message is refused. */
    readonly silent?: true
  }>
> = {
  "is left by the bot's account elsewhere": {
    lose: ({ account, room }) => account.leave(room),
    live: "left",
    atStart: "left"
  },
  "throws the bot out": { lose: ({ alice, room }) => alice.kick(room, botId), live: "kicked", atStart: "kicked" },
  "bans the bot": { lose: ({ alice, room }) => alice.ban(room, botId), live: "banned", atStart: "banned" },
  "is left and forgotten elsewhere": {
    lose: ({ account, room }) =>
      account.leave(room).pipe(Effect.andThen(inTime(Effect.sleep("1 second"))), Effect.andThen(account.forget(room))),
    live: "left",
    atStart: "room_gone"
  },
  "is purged": { lose: (world) => vanishes(world, 404), live: "room_gone", atStart: "room_gone", silent: true },
  "vanishes": { lose: (world) => vanishes(world, 403), live: "room_gone", atStart: "room_gone", silent: true }
}

const aWorld = Effect.gen(function*() {
  const server = yield* Homeserver
  const [alice, account] = [yield* server.as("alice"), yield* server.as("bot")]
  const database = yield* aDatabase
  const bot = yield* startBot({ database })
  const room = yield* aChat(alice, "Tea")
  const other = yield* aChat(alice, "Other")
  return { server, alice, account, database, bot, room, other }
})

const tea = (bot: Bot) => Effect.map(bot.chats, (chats) => chats.find(({ title }) => title === "Tea"))

describe("the chat of a room that", () => {
  for (const [how, { atStart, live, lose, silent }] of Object.entries(losses)) {
    it.effect(`${how} is kept without one while the bot runs: ${live}`, () =>
      Effect.gen(function*() {
        const world = yield* aWorld
        const { alice, bot, other, room } = world
        yield* lose(world)
        if (silent === true) yield* alice.say(room, "anybody there?")
        yield* inTime(Effect.sleep("5 seconds"))
        assert.deepInclude(yield* tea(bot), { binding: null, detached: live })
        yield* world.server.clearFaults
        assert.strictEqual(bodyOf(yield* answerTo(alice, other, yield* alice.say(other, "hi"))), "hi")
      }).pipe(Effect.provide(homeserver)))

    it.effect(`${how} is kept without one after the next start: ${atStart}`, () =>
      Effect.gen(function*() {
        const world = yield* aWorld
        const { account, bot, database, room } = world
        yield* bot.stop
        // A server that purges a room lists it no more: as if the account had forgotten it.
        yield* silent === true ? Effect.andThen(account.leave(room), account.forget(room)) : lose(world)
        const again = yield* startBot({ database })
        yield* inTime(Effect.sleep("5 seconds"))
        assert.deepInclude(yield* tea(again), { binding: null, detached: atStart })
      }).pipe(Effect.provide(homeserver)))
  }

  it.effect("refuses one message stays in it, and is looked for less and less often", () =>
    Effect.gen(function*() {
      const { alice, bot, database, room, server } = yield* aWorld
      const refused = FaultEffect.Answer({ status: 403, body: { errcode: "M_FORBIDDEN", error: "You are muted." } })
      yield* server.inject({ path: `${encodeURIComponent(room)}/send`, count: 1000, user: botId, effect: refused })
      for (let number = 0; number < 60; number++) {
        yield* alice.say(room, `number ${number}`)
        yield* TestClock.adjust("10 seconds")
      }
      assert.deepInclude(yield* tea(bot), { detached: null })
      const looks = bot.log.filter(({ event }) => event === "room_looked_for")
      assert.deepStrictEqual(
        looks.map(({ data }) => data["found"]),
        Array.from({ length: 4 }, () => ({ "unchanged.agrees": 1 }))
      )
      const dead = yield* Context.get(database, Store).outbox.list({ states: ["dead"], limit: 100 })
      assert.strictEqual(dead.length, 60)
    }).pipe(Effect.provide(homeserver)))

  it.effect("only something in between refuses to show stays in it", () =>
    Effect.gen(function*() {
      const { alice, bot, room, server } = yield* aWorld
      const refused = FaultEffect.Html({ status: 403, html: "<h1>No entry</h1>" })
      yield* server.inject({ path: encodeURIComponent(room), count: 1000, user: botId, effect: refused })
      yield* alice.say(room, "anybody there?")
      yield* inTime(Effect.sleep("5 seconds"))
      assert.deepInclude(yield* tea(bot), { detached: null })
      assert.isDefined(bot.log.find(({ event }) => event === "room_looked_for"))
    }).pipe(Effect.provide(homeserver)))
})
