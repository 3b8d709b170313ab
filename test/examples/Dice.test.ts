import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { dice } from "../../examples/dice.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { aChat, aDatabase, answerTo, bodyOf, homeserver, startBot } from "../programs/World.ts"

it.effect("rolls a die", () =>
  Effect.gen(function*() {
    const alice = yield* (yield* Homeserver).as("alice")
    yield* startBot({ database: yield* aDatabase, responder: dice })
    const room = yield* aChat(alice, "Game night")
    const answer = yield* answerTo(alice, room, yield* alice.say(room, "roll"))
    assert.match(bodyOf(answer), /You rolled \*\*[1-6]\*\*/)
    assert.include(bodyOf(yield* answerTo(alice, room, yield* alice.say(room, "hm?"))), "Game night")
  }).pipe(Effect.provide(homeserver)))
