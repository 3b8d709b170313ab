import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { rateLimited, serverError } from "../../src/layers/Homeserver/Faults.ts"
import { aChat, aDatabase, answerTo, botId, homeserver, startBot } from "./World.ts"

const aConversation = Effect.gen(function*() {
  const server = yield* Homeserver
  const alice = yield* server.as("alice")
  const bot = yield* startBot({ database: yield* aDatabase })
  const room = yield* aChat(alice)
  /** The messages that the bot has asked the server to mark as read, and how the server answered. */
  const receipts = Effect.map(
    server.requests,
    (requests) =>
      requests.filter(({ path }) => path.includes("/receipt/m.read/")).map(({ path, status }) => ({
        event: decodeURIComponent(path.split("/").at(-1) ?? ""),
        status
      }))
  )
  return { server, alice, bot, room, receipts }
})

describe("a read receipt", () => {
  it.effect("is sent for the newest of the messages that were settled within a second", () =>
    Effect.gen(function*() {
      const { alice, receipts, room } = yield* aConversation
      let last = ""
      for (let i = 0; i < 50; i++) last = yield* alice.say(room, `message ${i}`)
      yield* answerTo(alice, room, last)
      assert.deepStrictEqual(yield* receipts, [])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* receipts, [{ event: last, status: 200 }])
      const later = yield* alice.say(room, "later")
      yield* answerTo(alice, room, later)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual((yield* receipts).map(({ event }) => event), [last, later])
    }).pipe(Effect.provide(homeserver)))

  it.effect("is sent for what is ignored in a room of two, and not in a larger one", () =>
    Effect.gen(function*() {
      const { alice, receipts, room, server } = yield* aConversation
      const bea = yield* server.as("bea")
      const group = yield* alice.createRoom({ name: "Group", invite: [botId, bea.userId] })
      yield* alice.waitFor(group, ({ sender, type }) => sender === botId && type === "m.room.message")
      yield* bea.join(group)
      yield* answerTo(alice, group, yield* alice.say(group, `${botId}: hello`))
      yield* TestClock.adjust("10 seconds")
      const before = (yield* receipts).length
      yield* alice.say(group, "among ourselves")
      const notice = yield* alice.say(room, "a notice", { msgtype: "m.notice" })
      for (let i = 0; i < 3; i++) yield* TestClock.adjust("1 second")
      assert.deepStrictEqual((yield* receipts).slice(before), [{ event: notice, status: 200 }])
    }).pipe(Effect.provide(homeserver)))

  it.effect("waits with the answers for as long as the server asks, and is then sent", () =>
    Effect.gen(function*() {
      const { alice, receipts, room, server } = yield* aConversation
      yield* server.inject({ path: "/receipt/", effect: rateLimited(60_000) })
      const question = yield* alice.say(room, "hello")
      yield* answerTo(alice, room, question)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* receipts, [{ event: question, status: 429 }])
      const next = yield* alice.say(room, "and now?")
      yield* TestClock.adjust("50 seconds")
      assert.lengthOf(yield* receipts, 1)
      yield* TestClock.adjust("20 seconds")
      yield* answerTo(alice, room, next)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual((yield* receipts).at(-1), { event: next, status: 200 })
    }).pipe(Effect.provide(homeserver)))

  it.effect("that the server does not take costs nothing else, and is not sent again", () =>
    Effect.gen(function*() {
      const { alice, receipts, room, server } = yield* aConversation
      yield* server.inject({ path: "/receipt/", effect: serverError(500) })
      const question = yield* alice.say(room, "hello")
      yield* answerTo(alice, room, question)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* receipts, [{ event: question, status: 500 }])
      yield* answerTo(alice, room, yield* alice.say(room, "and now?"))
    }).pipe(Effect.provide(homeserver)))
})
