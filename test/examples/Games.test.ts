import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, Homeserver, homeserver, openChat, startBot } from "homing/testing"
import { games } from "../../examples/games.ts"

it.effect("plays in each chat what its owner chose, also after it was started again", () =>
  Effect.gen(function*() {
    const alice = yield* (yield* Homeserver).as("alice")
    const bot = yield* startBot({ responder: games })
    const [cafe, club] = [yield* openChat(alice, "Café"), yield* openChat(alice, "Club")]
    assert.strictEqual(
      yield* ask(alice, club, "!set responder coin"),
      "`responder` is now `coin`: I flip a coin for whatever you say."
    )
    yield* bot.restart
    assert.match(yield* ask(alice, club, "roll"), /It is \*\*(heads|tails)\*\*/)
    assert.match(yield* ask(alice, cafe, "roll"), /You rolled \*\*[1-6]\*\*/)
  }).pipe(Effect.provide(homeserver)))
