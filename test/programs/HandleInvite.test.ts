import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { markerType } from "../../src/domain/Marker.ts"
import { ChatManager } from "../../src/layers/ChatManager.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Store } from "../../src/layers/Store.ts"
import { aChat, aDatabase, answerTo, bodyOf, botId, homeserver, startBot } from "./World.ts"

/** A server that tells of a room that one is invited to by its members alone: what it tells besides is up to it. */
const tersely = Layer.effect(
  Homeserver,
  Effect.map(Homeserver, (server) =>
    Homeserver.of({
      ...server,
      handle: (request) =>
        Effect.map(server.handle(request), (answer) => ({ ...answer, body: withoutCreateEvents(answer.body) }))
    }))
).pipe(Layer.provide(homeserver))

const withoutCreateEvents = (body: unknown): unknown =>
  body === undefined ? undefined : JSON.parse(JSON.stringify(body, (key, value: unknown) => {
    if (key !== "invite_state" || typeof value !== "object" || value === null || !("events" in value)) return value
    const events = Array.isArray(value.events) ? value.events : []
    return { events: events.filter((event: { readonly type: string }) => event.type !== "m.room.create") }
  }))

/** Registers nothing, for a reason that nobody foresaw. */
const broken = Layer.effect(
  ChatManager,
  Effect.map(ChatManager, (chats) => ChatManager.of({ ...chats, register: () => Effect.die(new Error("a bug")) }))
).pipe(Layer.provide(ChatManager.layer))

describe("an invite", () => {
  it.effect("that brings a bug to light is settled as failed, and ends nothing", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      const database = yield* aDatabase
      const bot = yield* startBot({ database, chatManager: broken })
      const room = yield* alice.createRoom({ name: "Tea", invite: [botId] })
      yield* alice.waitFor(room, (event) => event.state_key === botId && event.content["membership"] === "join")
      yield* TestClock.adjust("1 second")
      assert.isDefined(bot.log.find(({ event }) => event === "invite_failed"))
      assert.strictEqual((yield* Context.get(database, Store).inbox.find(`invite:${room}`))?.state, "failed")
      assert.strictEqual((yield* bot.health).phase, "running")
    }).pipe(Effect.provide(homeserver)))

  it.effect("to a Space makes no chat, also when only the join tells that it is one", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      const bot = yield* startBot({ database: yield* aDatabase })
      const space = yield* alice.createRoom({ name: "Company", isSpace: true, invite: [botId] })
      yield* alice.waitFor(space, (event) => event.state_key === botId && event.content["membership"] === "join")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* bot.chats, [])
      const said = (yield* alice.messages(space)).filter(({ type }) => type === "m.room.message")
      assert.deepStrictEqual(said, [])
      const own = (yield* alice.messages(space)).filter(({ state_key }) => state_key === botId)
      assert.include(own.at(-1)?.content, { membership: "leave" })
      assert.include(String(own.at(-1)?.content["reason"]), "invite me to a room")
    }).pipe(Effect.provide(tersely)))

  it.effect("back into the room of an archived chat says that it is archived, and how to open it", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      const bot = yield* startBot({ database: yield* aDatabase })
      const room = yield* aChat(alice)
      const archived = yield* answerTo(alice, room, yield* alice.say(room, "!archive"))
      yield* alice.kick(room, botId)
      yield* TestClock.adjust("1 second")
      yield* alice.invite(room, botId)
      const greeting = yield* alice.waitFor(
        room,
        ({ sender, type }) => sender === botId && type === "m.room.message",
        { after: archived.event_id }
      )
      assert.match(bodyOf(greeting), /archived.*!unarchive/)
      assert.isTrue((yield* bot.chats)[0]?.archived)
    }).pipe(Effect.provide(homeserver)))

  it.effect("into a room whose chat is of a newer version leaves the marker alone, and says so", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const account = yield* server.as("bot")
      const room = yield* alice.createRoom({ name: "Tea", invite: [botId] })
      yield* account.join(room)
      const newer = { version: 2, chat: "what only a newer version can read" }
      yield* account.setRoomAccountData(room, markerType, newer)
      yield* account.leave(room)
      yield* alice.invite(room, botId)

      const bot = yield* startBot({ database: yield* aDatabase })
      const said = yield* alice.waitFor(room, ({ sender, type }) => sender === botId && type === "m.room.message")
      assert.include(bodyOf(said), "newer version")
      assert.deepStrictEqual(yield* bot.chats, [])
      assert.deepStrictEqual(yield* account.roomAccountData(room, markerType), newer)
    }).pipe(Effect.provide(homeserver)))
})
