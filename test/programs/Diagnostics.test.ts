import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import { RoomId, UserId } from "../../src/domain/Ids.ts"
import { markerType } from "../../src/domain/Marker.ts"
import { DiagnosticLimit } from "../../src/layers/DiagnosticLimit.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Store } from "../../src/layers/Store.ts"
import { inTime } from "./Provisioned.ts"
import { aChat, aDatabase, answerTo, bodyOf, botId, homeserver, repliedTo, startBot } from "./World.ts"

/** Alice is allowed, Mallory is not, and both are in a room that shows Alice's chat. */
const withMallory = Effect.gen(function*() {
  const server = yield* Homeserver
  const [alice, mallory] = [yield* server.as("alice"), yield* server.as("mallory")]
  const database = yield* aDatabase
  yield* startBot({ database, settings: { allowedUsers: [UserId.make("@alice:homing.test")] } })
  const room = yield* aChat(alice)
  yield* alice.invite(room, mallory.userId)
  yield* mallory.join(room)
  const repliesTo = (question: string) =>
    Effect.map(mallory.messages(room), (events) => events.filter((event) => repliedTo(event) === question).map(bodyOf))
  const { inbox } = Context.get(database, Store)
  return { alice, mallory, room, repliesTo, inbox }
})

describe("somebody who is not allowed", () => {
  it.effect("is told so when they name the bot, once in a room, and whom to ask", () =>
    Effect.gen(function*() {
      const { inbox, mallory, repliesTo, room } = yield* withMallory
      const first = yield* mallory.say(room, `${botId}: hello`)
      const told = bodyOf(yield* answerTo(mallory, room, first))
      for (const part of ["`@mallory:homing.test`", "whoever runs me", "`!set members room`"]) {
        assert.include(told, part)
      }
      assert.include(yield* inbox.find(first), { state: "ignored", reason: "sender_not_allowed" })
      const again = yield* mallory.say(room, "!help")
      yield* inTime(Effect.sleep("10 seconds"))
      assert.deepStrictEqual(yield* repliesTo(again), [])
      assert.include(yield* inbox.find(again), { state: "ignored", reason: "sender_not_allowed" })
    }).pipe(Effect.provide(homeserver)))

  it.effect("is told so again the next day, or in another room", () =>
    Effect.gen(function*() {
      const { admitStranger } = yield* DiagnosticLimit
      const [room, other] = [RoomId.make("!a:homing.test"), RoomId.make("!b:homing.test")]
      const mallory = UserId.make("@mallory:homing.test")
      const told = Effect.all([
        admitStranger(room, mallory),
        admitStranger(room, mallory),
        admitStranger(other, mallory)
      ])
      assert.deepStrictEqual(yield* told, [true, false, true])
      yield* TestClock.adjust("23 hours")
      assert.deepStrictEqual(yield* told, [false, false, false])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* told, [true, false, true])
    }).pipe(Effect.provide(DiagnosticLimit.layer)))

  it.effect("hears nothing in answer to small talk and notices", () =>
    Effect.gen(function*() {
      const { alice, inbox, mallory, repliesTo, room } = yield* withMallory
      yield* answerTo(alice, room, yield* alice.say(room, "!set mention never"))
      const talk = yield* mallory.say(room, "nice weather")
      const notice = yield* mallory.say(room, `${botId}: beep`, { msgtype: "m.notice" })
      yield* answerTo(alice, room, yield* alice.say(room, "indeed"))
      assert.deepStrictEqual([yield* repliesTo(talk), yield* repliesTo(notice)], [[], []])
      assert.include(yield* inbox.find(talk), { state: "ignored", reason: "sender_not_allowed" })
    }).pipe(Effect.provide(homeserver)))

  it.effect("is told so when they are alone with the bot", () =>
    Effect.gen(function*() {
      const { alice, mallory, room } = yield* withMallory
      yield* alice.leave(room)
      yield* answerTo(mallory, room, yield* mallory.say(room, "hello?"))
    }).pipe(Effect.provide(homeserver)))
})

describe("a room that shows no chat", () => {
  it.effect("that is a Space is told to be one, and nobody is sent to !register", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const [alice, account] = [yield* server.as("alice"), yield* server.as("bot")]
      yield* startBot({ database: yield* aDatabase })
      const space = yield* alice.createRoom({ isSpace: true, preset: "public_chat" })
      yield* account.join(space)
      yield* TestClock.adjust("1 second")
      const told = bodyOf(yield* answerTo(alice, space, yield* alice.say(space, "hello")))
      assert.include(told, "This is a Space")
      assert.notInclude(told, "!register")
    }).pipe(Effect.provide(homeserver)))

  it.effect("is told of the chats that the person could bring here", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const [alice, account] = [yield* server.as("alice"), yield* server.as("bot")]
      const bot = yield* startBot({ database: yield* aDatabase })
      const tea = yield* aChat(alice, "Tea")
      yield* alice.kick(tea, botId)
      const lounge = yield* alice.createRoom({ name: "Lounge", preset: "public_chat" })
      yield* account.join(lounge)
      yield* TestClock.adjust("1 second")
      assert.include(bodyOf(yield* answerTo(alice, lounge, yield* alice.say(lounge, "hello"))), "`!move Tea`")
      assert.include(bodyOf(yield* answerTo(alice, lounge, yield* alice.say(lounge, "!move Tea"))), "goes on")
      assert.deepInclude(yield* account.roomAccountData(lounge, markerType), { chat_id: (yield* bot.chats)[0]?.id })
    }).pipe(Effect.provide(homeserver)))
})
