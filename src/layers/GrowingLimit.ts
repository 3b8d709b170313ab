import * as Effect from "effect/Effect"
import { forgottenAfter, growingPause } from "../domain/GrowingPause.ts"
import { elapsed } from "./Elapsed.ts"

/** More keys than this are not remembered: those that were admitted longest ago are first ones again. */
const mostKeys = 10_000

/** Admits a key once, and again after 1 min, then 2 min … 1 h. One that rests begins anew. */
export const makeGrowingLimit = <Key>() => {
  /** What was admitted last stands last. */
  const admitted = new Map<Key, { readonly times: number; readonly notBefore: number }>()
  return {
    admit: (key: Key): Effect.Effect<boolean> =>
      Effect.map(elapsed, (now) => {
        const before = admitted.get(key)
        if (before !== undefined && now < before.notBefore) return false
        const times = before !== undefined && now < before.notBefore + forgottenAfter ? before.times + 1 : 1
        admitted.delete(key)
        admitted.set(key, { times, notBefore: now + growingPause(times) })
        const [oldest] = admitted.keys()
        if (admitted.size > mostKeys && oldest !== undefined) admitted.delete(oldest)
        return true
      })
  }
}
