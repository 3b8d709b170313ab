import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startBot } from "./Bot.ts"
import { startSynapse, stopSynapse } from "./Homeserver.ts"
import { isLongPoll, isSend } from "./Proxy.ts"
import { openChat, scenario } from "./Scenario.ts"

describe("a homeserver that goes away", () => {
  it.live("and comes back finds the same process, which answers", () =>
    Effect.gen(function*() {
      const { account, alice, start } = yield* scenario()
      const bot = yield* start
      const room = yield* openChat(alice, account.userId)
      yield* alice.asks(room, "before")
      yield* stopSynapse
      yield* startSynapse
      assert.strictEqual(yield* alice.asks(room, "after"), "after")
      assert.deepStrictEqual(alice.saidUntilNow(room, account.userId).slice(1), ["before", "after"])
      assert.lengthOf(bot.log.filter(({ message }) => message === "matrix_authenticated"), 1)
      assert.strictEqual((yield* bot.stop).code, 0)
    }))

  it.live("behind a broken network gets every answer once when the network is back", () =>
    Effect.gen(function*() {
      const { account, alice, proxy, start } = yield* scenario()
      yield* start
      const room = yield* openChat(alice, account.userId)
      yield* proxy.asked(isLongPoll)
      yield* proxy.refuse
      const questions = yield* Effect.forEach(["one", "two", "three"], (body) => alice.send(room, body))
      yield* proxy.accept
      yield* Effect.forEach(questions, alice.reply)
      yield* alice.asks(room, "after")
      assert.deepStrictEqual(alice.saidUntilNow(room, account.userId).slice(1), ["one", "two", "three", "after"])
    }))

  it.live("in the middle of a send has the answer once, though the bot must send it again", () =>
    Effect.gen(function*() {
      const { account, alice, proxy, start } = yield* scenario()
      yield* start
      const room = yield* openChat(alice, account.userId)
      const taken = yield* proxy.withholdAnswer(isSend)
      const question = yield* alice.send(room, "once")
      yield* taken
      yield* proxy.refuse
      yield* proxy.accept
      yield* alice.asks(room, "after")
      assert.deepStrictEqual(alice.repliesUntilNow(question), ["once"])
      assert.deepStrictEqual(alice.saidUntilNow(room, account.userId).slice(1), ["once", "after"])
    }))

  it.live("at the start is waited for as long as the bot is told to", () =>
    Effect.gen(function*() {
      const { account, alice, environment, proxy } = yield* scenario({ HOMING_START_PATIENCE: "30 seconds" })
      yield* proxy.refuse
      const bot = yield* startBot(environment)
      yield* bot.logs("homeserver_not_answering")
      yield* proxy.accept
      yield* bot.logs("matrix_reconcile_complete")
      const room = yield* openChat(alice, account.userId)
      assert.strictEqual(yield* alice.asks(room, "hello"), "hello")
    }))
})
