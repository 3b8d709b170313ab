/** `npm run bench`: measures, prints a table for people and one line of JSON for programs. About a minute. */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { availableParallelism } from "node:os"
import { decideRooms } from "./Decide.ts"
import { ingest } from "./Ingest.ts"
import { table } from "./Report.ts"
import { sandbox } from "./Sandbox.ts"
import { startUp } from "./StartUp.ts"
import { takeIn } from "./TakeIn.ts"

const bench = Effect.gen(function*() {
  const rows = [...yield* decideRooms, ...yield* sandbox, ...yield* startUp, ...yield* takeIn, ...yield* ingest]
  yield* Console.log(table(rows))
  yield* Console.log(JSON.stringify({ node: process.version, cpus: availableParallelism(), rows }))
})

NodeRuntime.runMain(bench.pipe(Effect.provide(NodeServices.layer)))
