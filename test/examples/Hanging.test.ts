import { assert, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { ask, Homeserver, homeserver, openChat, startBot } from "homing/testing"
import { Responder, text } from "../../src/Bot.ts"

/** Never comes to an end with what says so. */
const hanging = Layer.succeed(
  Responder,
  Responder.of({ respond: (_, { body }) => body === "hang" ? Stream.never : Stream.make(text(body)) })
)

it.effect("a bot is started again, and ends with the test, while its responder hangs", () =>
  Effect.gen(function*() {
    const alice = yield* (yield* Homeserver).as("alice")
    const bot = yield* startBot({ responder: hanging })
    const room = yield* openChat(alice, "Tea")
    const other = yield* openChat(alice, "Coffee")
    yield* alice.say(room, "hang")
    assert.strictEqual(yield* ask(alice, other, "hello"), "hello")
    yield* bot.restart
    assert.strictEqual(yield* ask(alice, other, "are you back?"), "are you back?")
  }).pipe(Effect.provide(homeserver)))
