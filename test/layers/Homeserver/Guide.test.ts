import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, FileSystem, Layer, Redacted } from "effect"
import { dice } from "../../../examples/dice.ts"
import { UserId } from "../../../src/domain/Ids.ts"
import { AppConfig } from "../../../src/layers/AppConfig.ts"
import { Health } from "../../../src/layers/Health.ts"
import { Homeserver } from "../../../src/layers/Homeserver.ts"
import { Door } from "../../../src/layers/Homeserver/Door.ts"
import { rateLimited } from "../../../src/layers/Homeserver/Faults.ts"
import { run } from "../../../src/programs/Run.ts"

/** The bot as it runs in production, on a homeserver of this test's own. It ends with the scope. */
const startDice = Effect.gen(function*() {
  const { url } = yield* Door
  const dataDir = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "dice-test-" })
  const config = AppConfig.layerTest({
    homeserverUrl: new URL(url),
    userId: UserId.make("@dice:homing.test"),
    password: Redacted.make("seven"),
    dataDir
  })
  yield* run(dice).pipe(Effect.provide(Layer.merge(config, Health.layer), { local: true }), Effect.forkScoped)
})

const world = Door.layer().pipe(
  Layer.provideMerge(Homeserver.layer({ users: [{ name: "dice", password: "seven" }] })),
  Layer.provideMerge(NodeServices.layer)
)

layer(world, { excludeTestServices: true })("the dice bot", (it) => {
  it.effect("rolls for Alice, even when the homeserver is busy", () =>
    Effect.gen(function*() {
      const homeserver = yield* Homeserver
      yield* homeserver.inject({ path: "/send/", effect: rateLimited(50) })
      yield* startDice

      const alice = yield* homeserver.as("alice")
      const room = yield* alice.createRoom({ name: "Games", invite: ["@dice:homing.test"] })
      yield* alice.waitFor(room, (event) => event.sender === "@dice:homing.test" && event.type === "m.room.message")
      const question = yield* alice.say(room, "roll")
      const answer = yield* alice.waitFor(room, (event) => event.sender === "@dice:homing.test", { after: question })
      assert.match(String(answer.content["body"]), /You rolled \**[1-6]/)
    }), 20_000)
})
