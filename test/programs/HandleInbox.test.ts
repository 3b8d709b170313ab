import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { text } from "../../src/domain/Message.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Responder } from "../../src/layers/Responder.ts"
import { Store } from "../../src/layers/Store.ts"
import { aChat, aDatabase, answerTo, bodyOf, botId, homeserver, startBot } from "./World.ts"

/** A process that can be killed: from then on nothing that it does reaches its database. */
const makeProcess = Effect.gen(function*() {
  const killed = yield* Deferred.make<void>()
  const whileAlive = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => Deferred.isDoneUnsafe(killed) ? Effect.never : effect)
  return {
    killed: Deferred.await(killed),
    kill: Effect.andThen(Deferred.succeed(killed, undefined), Effect.never),
    with: (database: Context.Context<Store>) => {
      const store = Context.get(database, Store)
      return Context.make(Store, {
        ...store,
        inbox: {
          ...store.inbox,
          begin: (room) => whileAlive(store.inbox.begin(room)),
          settleAndBegin: (key, settlement) => whileAlive(store.inbox.settleAndBegin(key, settlement)),
          // Called at an orderly end, which a killed process has not.
          giveBack: (keys) => Deferred.isDoneUnsafe(killed) ? Effect.void : store.inbox.giveBack(keys)
        }
      })
    }
  }
})

/** Thinks for a second; a message "poison" kills the process after half of it. */
const mortal = (kill: Effect.Effect<never>) =>
  Layer.succeed(
    Responder,
    Responder.of({
      respond: (_chat, message) =>
        Stream.fromEffect(
          message.body === "poison"
            ? Effect.andThen(Effect.sleep("500 millis"), kill)
            : Effect.as(Effect.sleep("1 second"), text(message.body))
        )
    })
  )

const stopped = Effect.fnUntraced(function*(bot: { readonly stop: Effect.Effect<void> }) {
  const stopping = yield* Effect.forkChild(bot.stop)
  yield* Effect.repeat(TestClock.adjust("1 second"), { times: 5 })
  yield* Fiber.join(stopping)
})

/** One life of the bot, until it is killed or has been up for eight seconds: its log. */
const live = Effect.fnUntraced(function*(database: Context.Context<Store>) {
  const process = yield* makeProcess
  const bot = yield* startBot({ database: process.with(database), responder: mortal(process.kill) })
  yield* Effect.repeat(TestClock.adjust("100 millis"), { times: 80 }).pipe(Effect.raceFirst(process.killed))
  yield* stopped(bot)
  return bot.log
})

describe("the inbox", () => {
  it.effect(
    "gives up a message that kills the process, and none of those that were in hand beside it",
    () =>
      Effect.gen(function*() {
        const alice = yield* (yield* Homeserver).as("alice")
        const database = yield* aDatabase
        const first = yield* startBot({ database })
        const rooms = yield* Effect.forEach(["Poison", "Tea", "Coffee", "Milk"], (name) => aChat(alice, name))
        yield* stopped(first)
        const [poisoned = "", ...others] = rooms
        const inThread = { "m.relates_to": { rel_type: "m.thread", event_id: yield* alice.say(poisoned, "root") } }
        const poison = yield* alice.say(poisoned, "poison", inThread)
        const innocent = yield* Effect.forEach(others, (room) => alice.say(room, "innocent"))

        const logs = yield* Effect.forEach(Array.from({ length: 12 }), () => live(database))

        for (const [index, room] of others.entries()) {
          assert.strictEqual(bodyOf(yield* answerTo(alice, room, innocent[index] ?? "")), "innocent")
        }
        const diagnostic = yield* answerTo(alice, poisoned, poison)
        assert.include(bodyOf(diagnostic), "10 times")
        assert.deepInclude(diagnostic.content["m.relates_to"], inThread["m.relates_to"])
        // Whoever looks for what ends the bot finds it in the log of every life.
        const again = logs.flat().filter(({ data, event }) =>
          event === "message_begun_again" && data["event"] === poison
        )
        assert.deepStrictEqual(again.map(({ data }) => data["begun"]), [2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
      }).pipe(Effect.provide(homeserver)),
    20_000
  )

  it.effect(
    "looks at a message again when its turn comes: one that was taken back meanwhile is not handled",
    () =>
      Effect.gen(function*() {
        const alice = yield* (yield* Homeserver).as("alice")
        const handled: Array<string> = []
        const responder = Layer.succeed(
          Responder,
          Responder.of({
            respond: (_chat, { body }) =>
              Stream.fromEffect(
                Effect.as(Effect.andThen(Effect.sync(() => handled.push(body)), Effect.sleep("1 second")), text(body))
              )
          })
        )
        yield* startBot({ database: yield* aDatabase, responder })
        // Twice as many as are handled at once, so that a room waits for its turn after each message.
        const rooms = yield* Effect.forEach(
          Array.from({ length: 32 }, (_, i) => `Room ${i}`),
          (name) => aChat(alice, name)
        )
        for (const [index, room] of rooms.entries()) yield* alice.say(room, `first ${index}`)
        const seconds = yield* Effect.forEach(rooms, (room, index) => alice.say(room, `second ${index}`))
        yield* TestClock.adjust("1500 millis")
        assert.notInclude(handled, "second 0")
        yield* alice.redact(rooms[0] ?? "", seconds[0] ?? "")
        yield* Effect.repeat(TestClock.adjust("1 second"), { times: 10 })
        assert.include(handled, "second 1")
        assert.notInclude(handled, "second 0")
      }).pipe(Effect.provide(homeserver)),
    20_000
  )

  it.effect("answers an edit once that killed the process before it was settled", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      const database = yield* aDatabase
      const first = yield* startBot({ database })
      const room = yield* aChat(alice)
      const question = yield* alice.say(room, "hello")
      yield* answerTo(alice, room, question)
      yield* stopped(first)
      yield* alice.say(room, "* poison", {
        "m.new_content": { msgtype: "m.text", body: "poison" },
        "m.relates_to": { rel_type: "m.replace", event_id: question }
      })
      yield* live(database)
      yield* startBot({ database })
      yield* answerTo(alice, room, yield* alice.say(room, "the end"))
      const edits = (yield* alice.messages(room)).filter(({ content, sender }) =>
        sender === botId && content["m.new_content"] !== undefined
      )
      assert.lengthOf(edits, 1)
    }).pipe(Effect.provide(homeserver)))

  it.effect("counts no life for what it leaves when it is stopped in order", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      const database = yield* aDatabase
      const process = yield* makeProcess
      const bot = yield* startBot({ database, responder: mortal(process.kill) })
      const room = yield* aChat(alice)
      yield* alice.say(room, "one")
      yield* alice.say(room, "two")
      yield* TestClock.adjust("500 millis")
      yield* stopped(bot)
      const next = yield* Context.get(database, Store).inbox.begin(room)
      assert.deepInclude(next, { attempts: 1 })
      assert.strictEqual(next?.event?.content["body"], "two", "the one in hand was finished")
    }).pipe(Effect.provide(homeserver)))
})
