import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Runtime from "effect/Runtime"
import { commandLine } from "./programs/CommandLine.ts"
import { endingOf } from "./programs/ReportFailure.ts"

/** An orderly stop may last this long. What is on disk is complete at any moment, so that cutting it off loses nothing. */
const patience = 5_000

/** Ctrl-C reaches a process under npm twice, from the terminal and from npm: within this time it is one signal. */
const sameSignal = 500

/** Ends the process by force: the SDK's timers would keep it alive for up to 110 s. */
const teardown: Runtime.Teardown = (exit) => {
  const { code, message } = endingOf(exit)
  if (message !== undefined) process.stderr.write(`${message}\n`)
  process.exit(code)
}

let stoppingSince: number | undefined
const stop = () => {
  const now = performance.now()
  if (stoppingSince === undefined) {
    stoppingSince = now
    setTimeout(() => {
      process.stderr.write(`homing: stopped before everything was tidied up; the next start goes on from here.\n`)
      process.exit(0)
    }, patience).unref()
  } else if (now - stoppingSince > sameSignal) {
    process.exit(130)
  }
}
process.on("SIGINT", stop)
process.on("SIGTERM", stop)

// outside of every Effect: a listener of the SDK that threw
process.on("uncaughtException", (error) => teardown(Exit.die(error), process.exit))
// whoever read our output has gone, as in `homing config | head`
process.stdout.on("error", () => {})

commandLine(process.argv.slice(2)).pipe(
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown })
)
