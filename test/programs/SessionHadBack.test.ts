import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { FaultEffect } from "../../src/layers/Homeserver/Faults.ts"
import { startRealBot, stoppedBotWith, stopRealBot, worldOverHttp } from "./RealBot.ts"
import { answerTo, botId } from "./World.ts"

/** More than are sent to at once: the keys are asked of the last ones, whether they are encrypted, when the first have been sent to. */
const names = Array.from({ length: 20 }, (_, n) => `Room ${n}`)

describe("a bot whose session comes to a soft end", () => {
  it.live("goes on answering when it has it back, and asks no closed keys meanwhile", () =>
    Effect.gen(function*() {
      const { alice, cwd, rooms, server } = yield* stoppedBotWith(names)
      const questions = yield* Effect.forEach(rooms, (room) => alice.say(room, "still there?"))
      const slow = FaultEffect.Delay({ time: "400 millis" })
      yield* server.inject({ method: "PUT", path: "/send/", user: botId, effect: slow, count: 8 })
      const over = FaultEffect.SignedOut({ softLogout: true })
      yield* server.inject({ method: "GET", path: /\/v3\/sync$/, user: botId, effect: over, skip: 1 })
      const bot = yield* startRealBot(cwd)
      yield* Effect.forEach(rooms, (room, n) => answerTo(alice, room, questions[n] ?? ""))
      const log = yield* stopRealBot(bot)
      assert.include(log.map(({ message }) => message), "sync_loop_restarted")
    }).pipe(Effect.scoped, Effect.provide(worldOverHttp)), 60_000)
})
