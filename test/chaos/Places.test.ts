import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { places } from "../../chaos/Plan.ts"
import { Checkpoint } from "../../src/layers/Checkpoint.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect } from "../../src/layers/Homeserver/Faults.ts"
import { aChat, aDatabase, answerTo, homeserver, startBot } from "../programs/World.ts"

describe("The places of a chaos run", () => {
  it.effect("are passed by a bot that greets, answers, renames a chat and is refused", () =>
    Effect.gen(function*() {
      const passed = new Set<string>()
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      yield* Effect.gen(function*() {
        yield* startBot({ database: yield* aDatabase })
        const room = yield* aChat(alice)
        yield* answerTo(alice, room, yield* alice.say(room, "hello"))
        const refused = FaultEffect.Answer({ status: 403, body: { errcode: "M_FORBIDDEN", error: "Not here." } })
        yield* server.inject({ method: "PUT", path: "/send/", effect: refused })
        yield* alice.say(room, "say nothing")
        yield* answerTo(alice, room, yield* alice.say(room, "!rename Tea"))
      }).pipe(Effect.scoped, Effect.provideService(Checkpoint, (place) => void passed.add(place)))
      // The memory client has no gate at which an answer of /sync waits.
      const expected = places.filter((place) => !place.startsWith("sync answer"))
      assert.deepStrictEqual(expected.filter((place) => !passed.has(place)), [])
    }).pipe(Effect.provide(homeserver)), 30_000)
})
