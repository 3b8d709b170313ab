import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import { commandLine } from "./programs/CommandLine.ts"
import { runProcess } from "./RunProcess.ts"

runProcess(commandLine(process.argv.slice(2)).pipe(Effect.provide(NodeServices.layer)))
