import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { text } from "../../src/domain/Message.ts"
import { ChatManager } from "../../src/layers/ChatManager.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect, serverError } from "../../src/layers/Homeserver/Faults.ts"
import { Responder } from "../../src/layers/Responder.ts"
import { Store } from "../../src/layers/Store.ts"
import { aChat, aDatabase, answerTo, bodyOf, botId, homeserver, repliedTo, startBot } from "./World.ts"

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

  it.effect(
    "answers all that came since its last answer when the server has forgotten its cursor",
    () =>
      Effect.gen(function*() {
        const server = yield* Homeserver
        const alice = yield* server.as("alice")
        const database = yield* aDatabase
        const first = yield* startBot({ database })
        const room = yield* aChat(alice)
        yield* answerTo(alice, room, yield* alice.say(room, "before"))
        yield* first.stop

        const bodies = Array.from({ length: 230 }, (_, i) => `message ${i}`)
        let last = ""
        for (const body of bodies) last = yield* alice.say(room, body)
        yield* server.forgetPositions
        yield* startBot({ database })
        yield* answerTo(alice, room, last)
        const answers = (yield* alice.messages(room)).filter((event) => repliedTo(event) !== undefined).map(bodyOf)
        assert.deepStrictEqual(answers, ["before", ...bodies])
      }).pipe(Effect.provide(homeserver)),
    30_000
  )

  it.effect("answers what was written to a bot that was stopped between its coming and its chat, and not what was before", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const database = yield* aDatabase
      const reached = yield* Deferred.make<void>()
      const stuck = Layer.effect(
        ChatManager,
        Effect.map(ChatManager, (real) =>
          ChatManager.of({
            ...real,
            register: () => Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
          }))
      ).pipe(Layer.provide(ChatManager.layer))
      const first = yield* startBot({ database, chatManager: stuck })
      const room = yield* alice.createRoom({ name: "Tea" })
      const early = yield* alice.say(room, "among ourselves")
      yield* alice.invite(room, botId)
      yield* Deferred.await(reached)
      const stopping = yield* Effect.forkChild(first.stop)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(stopping)

      const missed = yield* alice.say(room, "hello")
      yield* server.forgetPositions
      yield* startBot({ database })
      assert.strictEqual(bodyOf(yield* answerTo(alice, room, missed)), "hello")
      const answers = (yield* alice.messages(room)).map(repliedTo)
      assert.notInclude(answers, early)
    }).pipe(Effect.provide(homeserver)))

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
      const [gap] = yield* Context.get(database, Store).inbox.gaps(10)
      assert.include(gap, { roomId: room, events: 20 })
    }).pipe(Effect.provide(homeserver)), 30_000)

  it.effect("answers the new words of a message that was edited before it was handled, where the first ones stood", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      const database = yield* aDatabase
      const first = yield* startBot({ database })
      const room = yield* aChat(alice)
      yield* first.stop
      const question = yield* alice.say(room, "wrong words")
      yield* alice.say(room, "* right words", {
        "m.new_content": { msgtype: "m.text", body: "right words" },
        "m.relates_to": { rel_type: "m.replace", event_id: question }
      })
      yield* startBot({ database })
      assert.strictEqual(bodyOf(yield* answerTo(alice, room, question)), "right words")
    }).pipe(Effect.provide(homeserver)))

  it.effect("does not answer a message that was taken back before it was handled", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      const database = yield* aDatabase
      const first = yield* startBot({ database })
      const room = yield* aChat(alice)
      yield* first.stop
      const regretted = yield* alice.say(room, "never mind")
      yield* alice.redact(room, regretted)
      yield* startBot({ database })
      yield* answerTo(alice, room, yield* alice.say(room, "hello"))
      const answers = (yield* alice.messages(room)).filter(({ sender, type }) =>
        sender === botId && type === "m.room.message"
      )
      assert.deepStrictEqual(answers.slice(1).map(bodyOf), ["hello"])
      const record = yield* Context.get(database, Store).inbox.find(regretted)
      assert.include(record, { state: "ignored", reason: "redacted" })
    }).pipe(Effect.provide(homeserver)))

  it.effect("does not answer a message that was taken back while it waited for the one before it", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      const database = yield* aDatabase
      const letGo = yield* Deferred.make<void>()
      const responder = Layer.succeed(
        Responder,
        Responder.of({
          respond: (_, message) => Stream.fromEffect(Effect.as(Deferred.await(letGo), text(message.body)))
        })
      )
      yield* startBot({ database, responder })
      const room = yield* aChat(alice)
      const held = yield* alice.say(room, "slow one")
      const regretted = yield* alice.say(room, "never mind")
      yield* TestClock.adjust("1 second")
      yield* alice.redact(room, regretted)
      yield* TestClock.adjust("1 second")
      yield* Deferred.succeed(letGo, undefined)
      yield* answerTo(alice, room, held)
      yield* answerTo(alice, room, yield* alice.say(room, "hello"))
      const record = yield* Context.get(database, Store).inbox.find(regretted)
      assert.include(record, { state: "ignored", reason: "redacted" })
    }).pipe(Effect.provide(homeserver)))

  for (const behind of [true, false]) {
    it.effect(`is not misled by a homeserver whose clock is an hour ${behind ? "behind" : "ahead"}`, () =>
      Effect.gen(function*() {
        const server = yield* Homeserver
        const alice = yield* server.as("alice")
        const database = yield* aDatabase
        const first = yield* startBot({ database })
        const room = yield* aChat(alice)
        yield* answerTo(alice, room, yield* alice.say(room, "in time"))
        yield* first.stop
        const missed = yield* alice.say(room, "missed")
        yield* server.inject({ count: 1000, effect: FaultEffect.ClockSkew({ by: "1 hour", behind }) })
        yield* startBot({ database, settings: { backlog: "newest" } })
        yield* answerTo(alice, room, missed)
        const live = yield* alice.say(room, "live")
        yield* answerTo(alice, room, live)
        const answers = (yield* alice.messages(room)).filter((event) => repliedTo(event) !== undefined)
        assert.deepStrictEqual(answers.map(bodyOf), ["in time", "missed", "live"])
        const times = answers.map((event) => event.origin_server_ts)
        assert.isAtLeast(Math.abs((times[2] ?? 0) - (times[0] ?? 0)), 3_500_000, "the server's clock did jump")
        assert.include(yield* Context.get(database, Store).inbox.find(live), { state: "answered" })
      }).pipe(Effect.provide(homeserver)))
  }

  it.effect(
    "lets no room wait for another whose history cannot be fetched, and takes that one in when it can, in order",
    () =>
      Effect.gen(function*() {
        const server = yield* Homeserver
        const alice = yield* server.as("alice")
        const database = yield* aDatabase
        const store = Context.get(database, Store)
        const first = yield* startBot({ database })
        const [broken, other] = [yield* aChat(alice, "Broken"), yield* aChat(alice, "Other")]
        yield* first.stop
        const bodies = Array.from({ length: 120 }, (_, i) => `message ${i}`)
        for (const body of bodies.slice(0, 118)) yield* alice.say(broken, body)
        yield* server.inject({ path: "/messages", user: botId, count: 1_000_000, effect: serverError(500) })

        const second = yield* startBot({ database })
        yield* TestClock.adjust("1 minute")
        yield* answerTo(alice, other, yield* alice.say(other, "you are not held up"))
        yield* alice.say(broken, "message 118")
        yield* TestClock.adjust("10 minutes")
        yield* answerTo(alice, other, yield* alice.say(other, "nor later"))
        assert.deepStrictEqual((yield* store.inbox.heldRooms).map(({ roomId }) => roomId), [broken])
        yield* second.stop

        yield* startBot({ database })
        yield* TestClock.adjust("1 minute")
        yield* server.clearFaults
        const last = yield* alice.say(broken, "message 119")
        yield* TestClock.adjust("2 minutes")
        yield* answerTo(alice, broken, last)
        const answers = (yield* alice.messages(broken)).filter((event) => repliedTo(event) !== undefined)
        assert.deepStrictEqual(answers.map(bodyOf), bodies)
        assert.deepStrictEqual(yield* store.inbox.heldRooms, [])
      }).pipe(Effect.provide(homeserver)),
    30_000
  )

  it.effect("lets no room wait for another whose history does not come at all", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const database = yield* aDatabase
      const first = yield* startBot({ database })
      const [slow, other] = [yield* aChat(alice, "Slow"), yield* aChat(alice, "Other")]
      yield* first.stop
      for (let i = 0; i < 120; i++) yield* alice.say(slow, `message ${i}`)
      yield* server.inject({
        path: "/messages",
        user: botId,
        count: 1_000_000,
        effect: FaultEffect.Delay({ time: "1 day" })
      })
      const question = yield* alice.say(other, "you are not held up")
      yield* startBot({ database })
      yield* TestClock.adjust("15 seconds")
      yield* answerTo(alice, other, question)
      assert.deepStrictEqual((yield* Context.get(database, Store).inbox.heldRooms).map(({ roomId }) => roomId), [slow])
    }).pipe(Effect.provide(homeserver)), 20_000)

  it.effect("says the rest of an answer that a lost database had begun, and the beginning once", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const responder = Layer.succeed(
        Responder,
        Responder.of({ respond: () => Stream.make(text("one"), text("two"), text("three")) })
      )
      const first = yield* startBot({ database: yield* aDatabase, responder })
      const room = yield* aChat(alice)
      yield* server.inject({ path: "/send/", user: botId, skip: 1, count: 1000, effect: serverError(502) })
      const question = yield* alice.say(room, "count")
      yield* answerTo(alice, room, question)
      yield* first.stop
      yield* server.clearFaults

      yield* startBot({ database: yield* aDatabase, responder })
      yield* alice.waitFor(room, (event) => event.sender === botId && bodyOf(event) === "three")
      const answers = (yield* alice.messages(room)).filter((event) => repliedTo(event) === question)
      assert.deepStrictEqual(answers.map(bodyOf), ["one", "two", "three"])
    }).pipe(Effect.provide(homeserver)))

  it.effect("does not repeat as a new device what the old one had said without hearing of it", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const database = yield* aDatabase
      const first = yield* startBot({ database })
      const room = yield* aChat(alice)
      yield* server.inject({ path: "/send/", user: botId, count: 1000, effect: FaultEffect.LostAnswer() })
      const question = yield* alice.say(room, "hello")
      // Nor does a sync tell it, and so it stays in the outbox.
      yield* server.inject({ path: "/sync", user: botId, skip: 1, count: 1000, effect: FaultEffect.Reset() })
      yield* answerTo(alice, room, question)
      yield* first.stop
      yield* server.clearFaults
      assert.strictEqual((yield* Context.get(database, Store).outbox.counts).pending, 1)

      yield* Context.get(database, Store).session.forgetDevice
      yield* startBot({ database })
      yield* answerTo(alice, room, yield* alice.say(room, "and now?"))
      const answers = (yield* alice.messages(room)).filter((event) => repliedTo(event) === question)
      assert.strictEqual(answers.length, 1)
    }).pipe(Effect.provide(homeserver)))

  it.effect("repeats nothing from a database that was put back to an older state", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      const database = yield* aDatabase
      const store = Context.get(database, Store)
      const first = yield* startBot({ database })
      const room = yield* aChat(alice)
      const before = yield* store.cursor
      yield* first.stop

      // What a restored backup looks like: an old cursor, and nothing known of what came after it.
      const old = yield* aDatabase
      const restored = Context.get(old, Store)
      for (const chat of yield* store.chats.all) yield* restored.chats.put(chat)
      const second = yield* startBot({ database })
      for (const body of ["one", "two"]) yield* answerTo(alice, room, yield* alice.say(room, body))
      yield* second.stop
      if (before === undefined) return assert.fail("no cursor")
      yield* restored.inbox.ingest({
        rows: [],
        ignored: [],
        edits: [],
        redactions: [],
        reactions: [],
        answered: [],
        echoes: [],
        gaps: [],
        encrypted: [],
        cursor: before
      })
      yield* startBot({ database: old })
      yield* answerTo(alice, room, yield* alice.say(room, "three"))
      const answers = (yield* alice.messages(room)).filter(({ sender, type }) =>
        sender === botId && type === "m.room.message"
      )
      assert.deepStrictEqual(answers.slice(1).map(bodyOf), ["one", "two", "three"])
    }).pipe(Effect.provide(homeserver)))
})
