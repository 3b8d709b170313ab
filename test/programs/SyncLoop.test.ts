import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { whyNotReady } from "../../src/layers/Health.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect } from "../../src/layers/Homeserver/Faults.ts"
import { aChat, aDatabase, answerTo, bodyOf, botId, homeserver, startBot } from "./World.ts"

describe("coming back to the homeserver", () => {
  it.effect("reconciles again after the loop was started anew", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const bot = yield* startBot({ database: yield* aDatabase })
      const room = yield* aChat(alice, "Tea")
      yield* server.signOut("bot", { softLogout: true })
      yield* alice.kick(room, botId)
      yield* TestClock.adjust("10 seconds")
      assert.include((yield* bot.chats)[0], { binding: null, detached: "kicked" })
      const reports = bot.log.filter(({ event }) => event === "matrix_reconcile_complete")
      assert.deepStrictEqual(reports.map(({ data }) => data["detached"]), [0, 1])
    }).pipe(Effect.provide(homeserver)))

  it.effect("skips no message of a time when it was there, only the server was not", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      yield* startBot({ database: yield* aDatabase, settings: { backlog: "skip" } })
      const room = yield* aChat(alice)
      yield* server.signOut("bot", { softLogout: true })
      const question = yield* alice.say(room, "still here?")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(bodyOf(yield* answerTo(alice, room, question)), "still here?")
    }).pipe(Effect.provide(homeserver)))

  it.effect("signs in again when the session ends softly before the first sync", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      yield* server.inject({
        path: "/sync",
        user: botId,
        effect: FaultEffect.Answer({
          status: 401,
          body: { errcode: "M_UNKNOWN_TOKEN", error: "Token expired", soft_logout: true }
        })
      })
      const bot = yield* startBot({ database: yield* aDatabase })
      const room = yield* aChat(alice)
      yield* answerTo(alice, room, yield* alice.say(room, "hello"))
      assert.isUndefined(bot.log.find(({ event }) => event === "sync_loop_ended"))
    }).pipe(Effect.provide(homeserver)))

  it.effect("asks less and less often while the server stays away, and says meanwhile that it is not ready", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const bot = yield* startBot({ database: yield* aDatabase, settings: { startPatience: Duration.zero } })
      const room = yield* aChat(alice)
      assert.isUndefined(whyNotReady(yield* bot.health, 0, Duration.seconds(30)))
      yield* server.signOut("bot", { softLogout: true })
      yield* server.inject({ path: "/whoami", user: botId, count: 1000, effect: FaultEffect.Reset() })
      yield* server.inject({ path: "/login", count: 1000, effect: FaultEffect.Reset() })
      const asked = Effect.map(server.requests, (_) => _.filter(({ path }) => /whoami|login/.test(path)).length)
      const before = yield* asked
      yield* TestClock.adjust("10 minutes")
      // Every 30 seconds at last; a pause that does not grow would have asked some hundred times.
      assert.isBelow((yield* asked) - before, 40)
      assert.strictEqual((yield* bot.health).phase, "reconnecting")
      yield* server.clearFaults
      const question = yield* alice.say(room, "there?")
      yield* TestClock.adjust("1 minute")
      yield* answerTo(alice, room, question)
      assert.strictEqual((yield* bot.health).phase, "running")
    }).pipe(Effect.provide(homeserver)))
})
