import { Effect } from "effect"
import * as Layer from "effect/Layer"
import { AppConfig } from "../src/layers/AppConfig.ts"
import * as Logging from "../src/layers/Logging.ts"
import { Crash, logCause } from "../src/programs/ReportFailure.ts"
import { runProcess } from "../src/RunProcess.ts"

// A program to which something happens outside of its Effects: its argument says what.
const happen = (what: string | undefined) => {
  if (what === "throw") {
    setTimeout(() => {
      throw new TypeError("x is undefined")
    })
  } else {
    void Promise.reject(new Error("Bearer secret-token"))
    setTimeout(() => process.kill(process.pid, "SIGTERM"), 50)
  }
}

runProcess(
  Effect.gen(function*() {
    happen(process.argv[2])
    return yield* Effect.raceFirst(Effect.never, Effect.flatten(Crash))
  }).pipe(
    Effect.tapCause(logCause),
    Effect.provide(Layer.provide(Logging.layer, AppConfig.layerTest({ logFormat: "json" })))
  )
)
