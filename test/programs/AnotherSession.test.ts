import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { aChat, aDatabase, homeserver, type LogLine, startBot } from "./World.ts"

const answersTo = (log: ReadonlyArray<LogLine>) => log.filter(({ event }) => event === "another_session_answers")

describe("a second process on the same account", () => {
  it.effect("with a data directory of its own is recognised, and told once", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      const one = yield* startBot({ database: yield* aDatabase })
      const room = yield* aChat(alice)
      const other = yield* startBot({ database: yield* aDatabase })
      yield* TestClock.adjust("1 second")
      for (const body of ["first", "second"]) {
        yield* alice.say(room, body)
        yield* TestClock.adjust("1 second")
      }
      // Which of them sees an answer of the other is a matter of who is faster.
      const warnings = [one, other].map(({ log }) => answersTo(log))
      for (const of of warnings) assert.isAtMost(of.length, 1)
      const [warning] = warnings.flat()
      assert.deepInclude(warning, { level: "Warn" })
      assert.include(warning?.data, { room })
    }).pipe(Effect.provide(homeserver)))

  it.effect("is not seen in what the bot said itself, in this life or before", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const first = yield* startBot({ database: yield* aDatabase })
      const room = yield* aChat(alice)
      yield* alice.say(room, "to the first")
      yield* TestClock.adjust("1 second")
      yield* first.stop
      // Its database is lost, and so is its device.
      const second = yield* startBot({ database: yield* aDatabase })
      yield* alice.say(room, "to the second")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([...answersTo(first.log), ...answersTo(second.log)], [])
    }).pipe(Effect.provide(homeserver)))
})
