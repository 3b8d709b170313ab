import { Effect } from "effect"
import { runProcess } from "../src/RunProcess.ts"

// A program that runs until it is told to stop, and then takes as long as its argument says (milliseconds).
runProcess(
  Effect.gen(function*() {
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        process.stdout.write("stopping\n")
        setTimeout(() => process.stdout.write("still stopping\n"), 600)
      }).pipe(
        Effect.andThen(Effect.sleep(Number(process.argv[2]))),
        Effect.andThen(Effect.sync(() => process.stdout.write("tidied\n")))
      )
    )
    process.stdout.write("running\n")
    // what the SDK does: a timer that would keep the process alive
    setTimeout(() => {}, 60_000)
    return yield* Effect.never
  }).pipe(Effect.scoped)
)
