import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Hash from "effect/Hash"
import * as Result from "effect/Result"
import * as Runtime from "effect/Runtime"
import { referenceCode } from "../domain/Diagnostic.ts"
import { exitCode } from "../domain/Errors.ts"
import type { ReferenceCode } from "../domain/Ids.ts"

/** Ends with a defect that happened outside of every Effect. Whoever has a log races it, so that the defect is found there. */
export const Crash = Context.Reference<Effect.Effect<never>>("homing/Crash", { defaultValue: () => Effect.never })

/** How a process ends: its exit code, and the paragraph that standard error gets. */
export interface Ending {
  readonly code: number
  readonly message: string | undefined
}

/**
 * A typed error speaks for itself and carries its exit code; what nobody foresaw is a bug, and ends with 70. Being told
 * to stop is no failure. With `debug`, for commands that have no log, a bug shows where it happened.
 */
export const endingOf = <A, E>(exit: Exit.Exit<A, E>, { debug } = { debug: false }): Ending => {
  if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return { code: 0, message: undefined }
  const error = Cause.findError(exit.cause)
  if (Result.isSuccess(error)) {
    const code = Runtime.getErrorExitCode(error.success)
    return { code, message: `homing: ${messageOf(error.success)}` }
  }
  const defect = Cause.squash(exit.cause)
  return {
    code: exitCode.unexpected,
    message: `homing: ${messageOf(defect)}\nThis is a bug in Homing. Please report it with the reference ${
      referenceOf(defect)
    }; the log of a bot has the details under it, and HOMING_LOG_LEVEL=debug shows them here.${
      debug ? `\n${Cause.pretty(exit.cause)}` : ""
    }`
  }
}

/** Puts into the log what the paragraph leaves out: all of a bug, and the cause of any other failure at level debug. */
export const logCause = <E>(cause: Cause.Cause<E>): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.void
  return Cause.hasFails(cause)
    ? Effect.logDebug("stopped_by_failure", cause)
    : Effect.logError("stopped_by_bug", cause).pipe(
      Effect.annotateLogs({ reference: referenceOf(Cause.squash(cause)) })
    )
}

/** The same bug has the same reference wherever it happens, and needs no state to find it again. */
const referenceOf = (defect: unknown): ReferenceCode => {
  const place = defect instanceof Error ? `${defect.name} ${defect.message} ${defect.stack?.split("\n")[1] ?? ""}` : ""
  return referenceCode(Hash.string(place === "" ? messageOf(defect) : place) >>> 0)
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? (error.message === "" ? error.name : error.message) : String(error)
