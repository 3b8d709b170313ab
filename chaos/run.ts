/**
 * `npm run chaos -- --kills 200 --messages 2000 --rooms 20 --seed 1 --target sandbox --encrypted`: kills the bot at random and at every
 * named place, and judges by the rooms whether a message was lost, answered twice or answered out of order. A table for
 * people, a line of JSON for programs; exit code 1 when anything was.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, FileSystem, Layer, Logger } from "effect"
import { Command, Flag } from "effect/cli"
import { runChaos } from "./Chaos.ts"
import { passed, tableOf } from "./Report.ts"
import { sandbox, synapse } from "./Target.ts"

const number = (name: string, fallback: number, description: string) =>
  Flag.Int(name).pipe(Flag.withDefault(fallback), Flag.withDescription(description))

const chaos = Command.make(
  "chaos",
  {
    kills: number("kills", 200, "How often the bot is killed"),
    messages: number("messages", 2000, "How many messages are written meanwhile"),
    rooms: number("rooms", 20, "In how many rooms"),
    seed: number("seed", 1, "The same seed gives the same plan"),
    encrypted: Flag.Boolean("encrypted").pipe(
      Flag.withDefault(false),
      Flag.withDescription("The rooms are encrypted, and the people write with matrix-js-sdk")
    ),
    target: Flag.Literals("target", ["sandbox", "synapse"]).pipe(Flag.withDefault("sandbox"))
  },
  Effect.fnUntraced(function*({ target, ...options }) {
    const fs = yield* FileSystem.FileSystem
    const directory = yield* fs.makeTempDirectory({ prefix: "homing-chaos-" })
    const homeserver = target === "sandbox" ? Layer.orDie(sandbox(options)) : Layer.orDie(synapse(options))
    // The table is what it has to say; the bot's log is kept where there is something to look for.
    const report = yield* runChaos(options, directory).pipe(
      Effect.provide(Layer.provideMerge(homeserver, Logger.layer([])))
    )
    yield* Console.log(tableOf(report))
    yield* Console.log(JSON.stringify({ target, ...options, ...report }))
    if (passed(report)) return yield* fs.remove(directory, { recursive: true })
    yield* Console.error(`The bot's log and data are kept in ${directory}`)
    yield* Effect.sync(() => void (process.exitCode = 1))
  })
)

NodeRuntime.runMain(Command.run(chaos, { version: "1" }).pipe(Effect.provide(NodeServices.layer)), {
  // Timers of the people's SDK would keep the process for two more minutes.
  teardown: (exit) => process.exit(exit._tag === "Success" ? process.exitCode ?? 0 : 1)
})
