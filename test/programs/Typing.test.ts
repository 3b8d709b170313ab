import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { text } from "../../src/domain/Message.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect, serverError } from "../../src/layers/Homeserver/Faults.ts"
import { Responder } from "../../src/layers/Responder.ts"
import { aChat, aDatabase, answerTo, bodyOf, homeserver, startBot } from "./World.ts"

/** A conversation with a responder that answers when the test lets it. */
const aSlowConversation = Effect.gen(function*() {
  const server = yield* Homeserver
  const alice = yield* server.as("alice")
  const begun = yield* Deferred.make<void>()
  const ready = yield* Deferred.make<void>()
  const begin = Effect.as(Deferred.succeed(begun, undefined), text("done"))
  const work = Effect.andThen(begin, Effect.as(Deferred.await(ready), text("done")))
  const responder = Layer.succeed(
    Responder,
    Responder.of({
      respond: (_chat, { body }) => Stream.fromEffect(body === "slow" ? work : Effect.delay(begin, "200 millis"))
    })
  )
  const bot = yield* startBot({ database: yield* aDatabase, responder })
  // A test that fails must not wait for what it holds up.
  yield* Effect.addFinalizer(() => Deferred.succeed(ready, undefined))
  const room = yield* aChat(alice)
  const typing = Effect.map(
    server.requests,
    (requests) => requests.filter(({ path }) => path.includes("/typing/")).map(({ status }) => status)
  )
  const ask = Effect.tap(alice.say(room, "slow"), () => Deferred.await(begun))
  return { server, alice, bot, room, typing, ask, answer: Deferred.succeed(ready, undefined) }
})

describe("the typing notice", () => {
  it.effect("costs an answer that comes at once no request", () =>
    Effect.gen(function*() {
      const { alice, room, typing } = yield* aSlowConversation
      const question = yield* alice.say(room, "quick")
      const answered = yield* Effect.forkChild(answerTo(alice, room, question))
      while (answered.pollUnsafe() === undefined) yield* TestClock.adjust("50 millis")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* typing, [])
    }).pipe(Effect.provide(homeserver)))

  it.effect("is shown while a responder works, renewed, and taken away with the answer", () =>
    Effect.gen(function*() {
      const { alice, answer, ask, room, typing } = yield* aSlowConversation
      const question = yield* ask
      yield* TestClock.adjust("1 second")
      assert.lengthOf(yield* typing, 1)
      for (const shown of [2, 3]) {
        yield* TestClock.adjust("21 seconds")
        assert.lengthOf(yield* typing, shown)
      }
      yield* answer
      assert.strictEqual(bodyOf(yield* answerTo(alice, room, question)), "done")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* typing, [200, 200, 200, 200], "shown, renewed twice, taken away")
    }).pipe(Effect.provide(homeserver)))

  it.effect("is taken away when the bot is stopped in the middle of its work", () =>
    Effect.gen(function*() {
      const { ask, bot, typing } = yield* aSlowConversation
      yield* ask
      yield* TestClock.adjust("1 second")
      const stopping = yield* Effect.forkChild(bot.stop)
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(yield* typing, [200, 200])
    }).pipe(Effect.provide(homeserver)))

  it.effect("that a server refuses, or never answers, delays no answer", () =>
    Effect.gen(function*() {
      const { alice, answer, ask, room, server } = yield* aSlowConversation
      yield* server.inject({ path: "/typing/", effect: serverError(500) })
      yield* server.inject({ path: "/typing/", count: 10, effect: FaultEffect.Stalled() })
      const question = yield* ask
      yield* TestClock.adjust("21 seconds")
      yield* answer
      assert.strictEqual(bodyOf(yield* answerTo(alice, room, question)), "done")
    }).pipe(Effect.provide(homeserver)))
})
