import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import { HomeserverUnreachable } from "../../domain/Errors.ts"
import { elapsed } from "../Elapsed.ts"
import { NoAnswer } from "./NoAnswer.ts"

const longestPause = 15_000

/** What a person is told who waits for a homeserver at `url`, which `setting` names. */
export const unreachable = (
  url: string,
  detail: string,
  setting = "HOMING_HOMESERVER_URL"
): HomeserverUnreachable => {
  const check = setting === "HOMING_HOMESERVER_URL" ? setting : `${setting}, or set HOMING_HOMESERVER_URL,`
  const remedy = `Check ${check} and that the homeserver is running and can be reached from this machine.`
  return new HomeserverUnreachable({ url, detail, remedy })
}

const isNoAnswer = (failure: unknown): failure is NoAnswer => failure instanceof NoAnswer

/**
 * Tries again while there is no answer, for as long as `patience` lasts, and says so each time. An answer that cannot
 * become better by waiting ends it at once.
 */
export const withPatience = <A, E, R>(
  attempt: Effect.Effect<A, E | NoAnswer, R>,
  options: { readonly url: string; readonly setting?: string; readonly patience: Duration.Duration }
): Effect.Effect<A, Exclude<E, NoAnswer> | HomeserverUnreachable, R> =>
  Effect.gen(function*() {
    const deadline = (yield* elapsed) + Duration.toMillis(options.patience)
    let pause = 1000
    while (true) {
      const answer = yield* attempt.pipe(
        Effect.map((value) => Result.succeed(value)),
        Effect.catchIf(isNoAnswer, (problem) => Effect.succeed(Result.fail(problem)))
      )
      if (Result.isSuccess(answer)) return answer.success
      const { detail, final, retryAfter } = answer.failure
      const left = deadline - (yield* elapsed)
      if (final || left <= 0 || (retryAfter ?? 0) > left) {
        return yield* unreachable(options.url, detail, options.setting)
      }
      const jittered = Math.round(pause * (0.75 + 0.5 * (yield* Random.next)))
      // The last pause is cut to what is left, so that the patience is used up and never passed.
      const wait = Math.max(retryAfter ?? 0, Math.min(jittered, left))
      yield* Effect.logInfo("homeserver_not_answering").pipe(
        Effect.annotateLogs({ url: options.url, detail, next_try_in_s: Math.round(wait / 100) / 10 })
      )
      yield* Effect.sleep(Duration.millis(wait))
      pause = Math.min(pause * 2, longestPause)
    }
  })
