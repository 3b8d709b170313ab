/** A process with nothing in it but the sandbox's homeserver, filled: prints in MB what that adds to it. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { setFlagsFromString } from "node:v8"
import { Homeserver } from "../src/layers/Homeserver.ts"
import { Door } from "../src/layers/Homeserver/Door.ts"

// As the sandbox does.
setFlagsFromString("--semi-space-growth-factor=1")

const [rooms = 0, events = 0] = process.argv.slice(2).map(Number)

const resident = Effect.sync(() => process.memoryUsage().rss / 1e6)

const fill = Effect.gen(function*() {
  const homeserver = yield* Homeserver
  const [you, bot] = [yield* homeserver.as("you"), yield* homeserver.as("homing")]
  const empty = yield* resident
  for (let room = 0; room < rooms; room++) {
    const id = yield* you.createRoom({ name: `Room ${room}`, invite: [bot.userId] })
    yield* bot.join(id)
    for (let n = 0; n < events / rooms; n++) {
      yield* (n % 2 === 0 ? you : bot).say(id, `What was said as number ${n} in room ${room}, of a usual length`)
    }
  }
  // What a bot asks for when it starts.
  yield* bot.request("GET", "/_matrix/client/v3/sync", undefined, { full_state: "true" })
  yield* Console.log((yield* resident) - empty)
}).pipe(Effect.provide(Layer.provideMerge(Door.layer(), Homeserver.layer())))

NodeRuntime.runMain(fill)
