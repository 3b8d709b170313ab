import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/**
 * Is told every place that a run passes: `Store.inbox.settle:before`, `:inside` (between the statements of a transaction)
 * and `:after`, the same of each request. Nobody listens, and nothing is done, unless HOMING_CHAOS_KILL_AT names a place: then
 * this process dies there as by `kill -9`. `send message:after:3` is the third time. For `npm run chaos` only.
 */
export const Checkpoint = Context.Reference<((place: string) => void) | undefined>("homing/Checkpoint", {
  defaultValue: () => killAt(process.env["HOMING_CHAOS_KILL_AT"])
})

const killAt = (wanted: string | undefined) => {
  const [, place, times] = /^(.+?)(?::(\d+))?$/.exec(wanted ?? "") ?? []
  if (place === undefined) return undefined
  let left = Number(times ?? 1)
  return (passed: string): void => {
    if (passed === place && --left === 0) process.kill(process.pid, "SIGKILL")
  }
}

const spanName = Effect.map(
  Effect.option(Effect.currentSpan),
  Option.match({
    onNone: () => "unnamed",
    onSome: ({ name }) => name
  })
)

/**
 * Passes a place before an effect, and one after it when it has succeeded, called `name` or as the span around it. The places
 * in between are all its `inside`.
 */
export const passing = (name?: string) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Checkpoint, (pass) => {
    if (pass === undefined) return effect
    return Effect.flatMap(name === undefined ? spanName : Effect.succeed(name), (name) => {
      const at = (when: string) => Effect.sync(() => pass(`${name}:${when}`))
      const within = Effect.provideService(effect, Checkpoint, () => pass(`${name}:inside`))
      return Effect.tap(Effect.andThen(at("before"), within), at("after"))
    })
  })
