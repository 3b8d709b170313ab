import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, Homeserver, homeserver, openChat, startBot } from "homing/testing"
import { dice } from "../../examples/dice.ts"

it.effect("rolls a die, also after it was started again", () =>
  Effect.gen(function*() {
    const alice = yield* (yield* Homeserver).as("alice")
    const bot = yield* startBot({ responder: dice })
    const room = yield* openChat(alice, "Game night")
    assert.match(yield* ask(alice, room, "roll"), /You rolled \*\*[1-6]\*\*/)
    yield* bot.restart
    assert.include(yield* ask(alice, room, "hm?"), "Game night")
  }).pipe(Effect.provide(homeserver)))
