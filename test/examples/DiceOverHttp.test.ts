import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, Homeserver, homeserverOverHttp, openChat, rateLimited, startBotOverHttp } from "homing/testing"
import { dice } from "../../examples/dice.ts"

it.live("rolls for Alice over real HTTP, even when the homeserver is busy", () =>
  Effect.gen(function*() {
    const homeserver = yield* Homeserver
    yield* homeserver.inject({ path: "/send/", count: 2, effect: rateLimited(50) })
    yield* startBotOverHttp({ responder: dice })
    const alice = yield* homeserver.as("alice")
    const room = yield* openChat(alice, "Game night")
    assert.match(yield* ask(alice, room, "roll"), /You rolled \*\*[1-6]\*\*/)
  }).pipe(Effect.provide(homeserverOverHttp)), 20_000)
