import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ChatId, EventId } from "../../src/domain/Ids.ts"
import { type Origin, originType } from "../../src/domain/Origin.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect } from "../../src/layers/Homeserver/Faults.ts"
import type { Person } from "../../src/layers/Homeserver/Person.ts"
import { inTime, joinedRooms, stateIn } from "./Provisioned.ts"
import { aChat, aDatabase, answerTo, bodyOf, type Bot, botId, homeserver, startBot } from "./World.ts"

/** Waits until this holds. */
const until = <E, R>(holds: Effect.Effect<boolean, E, R>) =>
  inTime(Effect.gen(function*() {
    while (!(yield* holds)) yield* Effect.sleep("1 second")
  }))

/** Started, and with nothing left to do. */
const aBotAtRest = Effect.gen(function*() {
  const bot = yield* startBot({ database: yield* aDatabase })
  yield* until(Effect.map(bot.health, ({ phase }) => phase === "running"))
  yield* inTime(Effect.sleep("1 minute"))
  return bot
})

const create = (person: Person, origin: Origin, more: Readonly<Record<string, unknown>> = {}) =>
  Effect.map(
    person.request("POST", "/_matrix/client/v3/createRoom", {
      preset: "trusted_private_chat",
      ...more,
      creation_content: { [originType]: origin, ...(origin.kind === "space" ? { type: "m.space" } : {}) }
    }),
    (body) => typeof body === "object" && body !== null && "room_id" in body ? String(body.room_id) : ""
  )

const world = Effect.gen(function*() {
  const server = yield* Homeserver
  const alice = yield* server.as("alice")
  const account = yield* server.as("bot")
  const about = { version: 1, owner: alice.userId, created_at: 1 } as const
  const origin = {
    ...about,
    kind: "chat",
    request: EventId.make("$request"),
    chat_id: ChatId.make("plans"),
    owner_name: "Alice",
    title: "Plans"
  } as const
  return { server, alice, account, origin, space: { ...about, kind: "space" } as const }
})

const chatIn = (bot: Bot, room: string) =>
  Effect.map(bot.chats, (chats) => chats.find(({ binding }) => binding?.roomId === room))

describe("a room that the bot made", () => {
  it.effect("shows its chat after a start also when no marker was ever written, and is finished", () =>
    Effect.gen(function*() {
      const { account, alice, origin, space: spaceOrigin } = yield* world
      const space = yield* create(account, spaceOrigin, { invite: [alice.userId] })
      const room = yield* create(account, origin)
      const bot = yield* aBotAtRest
      assert.deepInclude(yield* chatIn(bot, room), {
        id: origin.chat_id,
        title: "Plans",
        owner: alice.userId,
        markerRevision: 1
      })
      yield* alice.join(room)
      const greeting = yield* alice.waitFor(room, ({ sender, type }) => sender === botId && type === "m.room.message")
      assert.include(bodyOf(greeting), "`Plans`")
      assert.deepStrictEqual((yield* joinedRooms(account)).find(({ roomId }) => roomId === space)?.children, [room])
    }).pipe(Effect.provide(homeserver)))

  it.effect("and that was made a second time is closed, the Space of which there are two, too", () =>
    Effect.gen(function*() {
      const { account, alice, origin, space } = yield* world
      for (const one of [space, space, origin, origin]) yield* create(account, one, { invite: [alice.userId] })
      const bot = yield* aBotAtRest
      const left = yield* joinedRooms(account)
      assert.strictEqual(left.filter(({ isSpace }) => isSpace).length, 1)
      assert.strictEqual(left.length, 2)
      const room = left.find(({ isSpace }) => !isSpace)?.roomId ?? "none"
      assert.deepStrictEqual((yield* bot.chats).map(({ binding }) => String(binding?.roomId)), [room])
      assert.strictEqual((yield* bot.chats)[0]?.id, origin.chat_id)
      assert.deepStrictEqual(left.find(({ isSpace }) => isSpace)?.children.map(String), [room])
    }).pipe(Effect.provide(homeserver)))

  it.effect("keeps its chat, as it was changed since, when a second one made for it appears late", () =>
    Effect.gen(function*() {
      const { account, alice, origin } = yield* world
      const room = yield* create(account, origin, { invite: [alice.userId] })
      const bot = yield* aBotAtRest
      yield* alice.join(room)
      yield* answerTo(alice, room, yield* alice.say(room, "!rename Better"))
      const before = yield* chatIn(bot, room)
      yield* create(account, origin, { invite: [alice.userId] })
      yield* inTime(Effect.sleep("1 minute"))
      assert.deepStrictEqual((yield* bot.chats).map(({ binding, title }) => [binding, title]), [[
        before?.binding ?? null,
        "Better"
      ]])
    }).pipe(Effect.provide(homeserver)))

  it.effect("is left alone where its owner has sent the bot out of the Space", () =>
    Effect.gen(function*() {
      const { account, alice, origin } = yield* world
      const room = yield* create(account, origin, { invite: [alice.userId] })
      const bot = yield* aBotAtRest
      assert.deepInclude(yield* chatIn(bot, room), { id: origin.chat_id })
      assert.deepStrictEqual((yield* joinedRooms(account)).map(({ roomId }) => roomId), [room])
    }).pipe(Effect.provide(homeserver)))

  it.effect("is not what somebody else calls so", () =>
    Effect.gen(function*() {
      const { alice, origin } = yield* world
      const room = yield* create(alice, { ...origin, title: "Forged" }, { name: "Tea", invite: [botId] })
      const bot = yield* startBot({ database: yield* aDatabase })
      yield* alice.waitFor(room, ({ sender, type }) => sender === botId && type === "m.room.message")
      assert.include(yield* chatIn(bot, room), { title: "Tea" })
      assert.notStrictEqual((yield* chatIn(bot, room))?.id, origin.chat_id)
    }).pipe(Effect.provide(homeserver)))

  it.effect("is found by the next !new although its owner never joined the Space, who is asked into it again", () =>
    Effect.gen(function*() {
      const { account, alice } = yield* world
      yield* startBot({ database: yield* aDatabase })
      const tea = yield* aChat(alice)
      yield* answerTo(alice, tea, yield* alice.say(tea, "!new One"))
      const space = (yield* joinedRooms(account)).find(({ isSpace }) => isSpace)?.roomId ?? ""
      yield* alice.leave(space)
      yield* answerTo(alice, tea, yield* alice.say(tea, "!new Two"))
      const after = (yield* joinedRooms(account)).filter(({ isSpace }) => isSpace)
      assert.deepStrictEqual(after.map(({ children, roomId }) => [roomId, children.length]), [[space, 2]])
      assert.strictEqual(after[0]?.members.get(alice.userId), "invite")
    }).pipe(Effect.provide(homeserver)))

  it.effect("answers in it although the Space will not list it", () =>
    Effect.gen(function*() {
      const { account, alice, server } = yield* world
      const bot = yield* startBot({ database: yield* aDatabase })
      const tea = yield* aChat(alice)
      yield* server.inject({
        path: "m.space.child",
        effect: FaultEffect.Answer({ status: 403, body: { errcode: "M_FORBIDDEN", error: "Not you." } })
      })
      assert.include(bodyOf(yield* answerTo(alice, tea, yield* alice.say(tea, "!new One"))), "has a room")
      const room = (yield* joinedRooms(account)).find(({ origin }) => origin?.kind === "chat")?.roomId ?? ""
      yield* alice.join(room)
      assert.strictEqual(bodyOf(yield* answerTo(alice, room, yield* alice.say(room, "hi"))), "hi")
      assert.include(bot.log.map(({ event }) => event), "room_not_listed")
      assert.isDefined((yield* stateIn(alice, room))("m.room.topic"))
    }).pipe(Effect.provide(homeserver)))
})
