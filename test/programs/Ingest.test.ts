import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { serverError } from "../../src/layers/Homeserver/Faults.ts"
import { aChat, aDatabase, answerTo, bodyOf, botId, homeserver, startBot } from "./World.ts"

describe("taking in what the server sends", () => {
  it.effect(
    "fills the gap that a limited timeline leaves, and answers all of it in order",
    () =>
      Effect.gen(function*() {
        const alice = yield* (yield* Homeserver).as("alice")
        const database = yield* aDatabase
        const first = yield* startBot({ database })
        const room = yield* aChat(alice)
        yield* first.stop

        const bodies = Array.from({ length: 230 }, (_, i) => `message ${i}`)
        let last = ""
        for (const body of bodies) last = yield* alice.say(room, body)
        const second = yield* startBot({ database })
        yield* answerTo(alice, room, last)

        const filled = second.log.find(({ event }) => event === "timeline_gap_filled")
        assert.include(filled?.data, { room, complete: true })
        const answers = (yield* alice.messages(room)).filter(({ sender, type }) =>
          sender === botId && type === "m.room.message"
        )
        assert.deepStrictEqual(answers.slice(1).map(bodyOf), bodies)
      }).pipe(Effect.provide(homeserver)),
    30_000
  )

  it.effect(
    "waits for a server that cannot fill the gap just now, before it moves its cursor",
    () =>
      Effect.gen(function*() {
        const server = yield* Homeserver
        const alice = yield* server.as("alice")
        const database = yield* aDatabase
        const first = yield* startBot({ database })
        const room = yield* aChat(alice)
        yield* first.stop

        let oldest = ""
        for (let i = 0; i < 120; i++) {
          const said = yield* alice.say(room, `message ${i}`)
          if (oldest === "") oldest = said
        }
        yield* server.inject({ path: "/messages", user: botId, count: 3, effect: serverError(502) })
        yield* startBot({ database })
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(bodyOf(yield* answerTo(alice, room, oldest)), "message 0")
      }).pipe(Effect.provide(homeserver)),
    30_000
  )

  for (const [backlog, expected] of [["newest", ["three"]], ["skip", []]] as const) {
    it.effect(`answers of what came while it was away as the setting "${backlog}" says`, () =>
      Effect.gen(function*() {
        const alice = yield* (yield* Homeserver).as("alice")
        const database = yield* aDatabase
        const first = yield* startBot({ database })
        const room = yield* aChat(alice)
        yield* first.stop
        for (const body of ["one", "two", "three"]) yield* alice.say(room, body)
        yield* alice.say(room, "a notice", { msgtype: "m.notice" })
        yield* startBot({ database, settings: { backlog } })
        yield* TestClock.adjust("1 second")
        yield* answerTo(alice, room, yield* alice.say(room, "live"))
        const answers = (yield* alice.messages(room)).filter(({ sender, type }) =>
          sender === botId && type === "m.room.message"
        )
        assert.deepStrictEqual(answers.slice(1).map(bodyOf), [...expected, "live"])
      }).pipe(Effect.provide(homeserver)))
  }

  it.effect("fetches no more of a gap than it may, and answers what it has", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      const database = yield* aDatabase
      const first = yield* startBot({ database })
      const room = yield* aChat(alice)
      yield* first.stop
      let last = ""
      for (let i = 0; i < 150; i++) last = yield* alice.say(room, `message ${i}`)
      const second = yield* startBot({ database, settings: { catchUpLimit: 20 } })
      yield* answerTo(alice, room, last)
      const answers = (yield* alice.messages(room)).filter(({ sender, type }) =>
        sender === botId && type === "m.room.message"
      )
      assert.strictEqual(answers.length, 1 + 100 + 20, "the greeting, the newest hundred, and twenty before them")
      const filled = second.log.find(({ event }) => event === "timeline_gap_filled")
      assert.include(filled?.data, { events: 20, complete: false })
    }).pipe(Effect.provide(homeserver)), 30_000)
})
