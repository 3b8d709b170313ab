import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Runtime from "effect/Runtime"
import { Crash, endingOf } from "./programs/ReportFailure.ts"

/** An orderly stop may last this long. What is on disk is complete at any moment, so that cutting it off loses nothing. */
const patience = 5_000

/** Ctrl-C reaches a process under npm twice, from the terminal and from npm: within this time it is one signal. */
const sameSignal = 500

/**
 * Runs a program as this process: its failure is a paragraph on standard error and an exit code. SIGINT and SIGTERM stop
 * it in order and end with 0, also when that is cut off after five seconds; a second signal ends it at once with 130.
 */
export const runProcess = <A, E>(program: Effect.Effect<A, E>): void => {
  onSignals()
  // Outside of every Effect: a listener of the SDK that threw. It ends the program as a bug of its own does, which puts it into the log.
  const crash = Deferred.makeUnsafe<never>()
  process.on("uncaughtException", (error) => {
    if (!Deferred.doneUnsafe(crash, Exit.die(error))) teardown(Exit.die(error), process.exit)
  })
  // The SDK leaves work of its own to itself, such as looking for a backup of keys: what fails there is no end of the bot.
  process.on("unhandledRejection", (reason) => {
    if (isEndOfSdk(reason)) return
    process.stderr.write(`homing: something in the background failed (${placeOf(reason)}), and is left at that.\n`)
  })
  // whoever read the output has gone, as in `homing config | head`
  process.stdout.on("error", () => {})
  const crashable = Effect.raceFirst(program, Deferred.await(crash)).pipe(
    Effect.provideService(Crash, Deferred.await(crash))
  )
  NodeRuntime.runMain(crashable, { disableErrorReporting: true, teardown })
}

/** What a client of the SDK still had to send when it was stopped: rejected where nobody waits for it (OutgoingRequestsManager.ts), and no news. */
const isEndOfSdk = (reason: unknown): boolean =>
  reason instanceof Error && reason.message === "OutgoingRequestsManager was stopped"

/** The kind of an error and where it came from. Its words stay unsaid: they may quote a header. */
const placeOf = (reason: unknown): string => {
  if (!(reason instanceof Error)) return typeof reason
  const [place] = /(?<=\/)[^/\s()]+\/[^/\s()]+:\d+(?=:\d+\)?$)/m.exec(reason.stack ?? "") ?? []
  return place === undefined ? reason.name : `${reason.name} at ${place}`
}

/**
 * Ends the process by force: the SDK's timers would keep it alive for up to 110 s. But not before a pipe has taken what was printed, which
 * is no faster than its reader.
 */
const teardown: Runtime.Teardown = (exit) => {
  const { code, message } = endingOf(exit, { debug: process.env["HOMING_LOG_LEVEL"] === "debug" })
  if (message !== undefined) process.stderr.write(`${message}\n`)
  if (process.stdout.writableLength === 0) process.exit(code)
  process.stdout.write("", () => process.exit(code))
}

/** `NodeRuntime` interrupts the program on a signal; this bounds how long that may take. */
const onSignals = () => {
  let stoppingSince: number | undefined
  const stop = () => {
    const now = performance.now()
    if (stoppingSince === undefined) {
      stoppingSince = now
      setTimeout(() => {
        process.stderr.write("homing: stopped before everything was tidied up; the next start goes on from here.\n")
        process.exit(0)
      }, patience).unref()
    } else if (now - stoppingSince > sameSignal) {
      process.exit(130)
    }
  }
  process.on("SIGINT", stop)
  process.on("SIGTERM", stop)
  // Whoever started this process with a channel to it has gone, even by `kill -9`: nobody is left who could stop it.
  process.on("disconnect", () => process.kill(process.pid, "SIGTERM"))
}
