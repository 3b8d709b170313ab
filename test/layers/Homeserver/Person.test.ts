import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Homeserver } from "../../../src/layers/Homeserver.ts"

const isPong = (event: { readonly content: Readonly<Record<string, unknown>> }) => event.content["body"] === "pong"

describe("a person who waits for an event", () => {
  it.effect("gets one that is there already, or the first after the one named", () =>
    Effect.gen(function*() {
      const homeserver = yield* Homeserver
      const alice = yield* homeserver.as("alice")
      const room = yield* alice.createRoom()
      const first = yield* alice.say(room, "pong")
      const second = yield* alice.say(room, "pong")
      assert.strictEqual((yield* alice.waitFor(room, isPong)).event_id, first)
      assert.strictEqual((yield* alice.waitFor(room, isPong, { after: first })).event_id, second)
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("waits for one that comes later, however many come before it at once", () =>
    Effect.gen(function*() {
      const homeserver = yield* Homeserver
      const alice = yield* homeserver.as("alice")
      const bob = yield* homeserver.as("bob")
      const room = yield* alice.createRoom({ invite: [bob.userId] })
      yield* bob.join(room)
      const waiting = yield* Effect.forkChild(bob.waitFor(room, (event) => event.content["body"] === "m130"))
      yield* TestClock.adjust("5 minutes")
      for (let n = 1; n <= 150; n++) yield* alice.say(room, `m${n}`)
      assert.strictEqual((yield* Fiber.join(waiting)).content["body"], "m130")
    }).pipe(Effect.provide(Homeserver.layer())))
})
