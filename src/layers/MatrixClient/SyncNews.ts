import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { SyncCryptoCallbacks, SyncCryptoChanges } from "matrix-js-sdk/lib/common-crypto/CryptoBackend.js"
import { elapsedUnsafe } from "../Elapsed.ts"

/** The keys look at an answer at least so often, in milliseconds, whatever is in it: they also let old things go then, such as a comparison of emoji that nobody ended. */
const lookAfter = 60_000

/** What the server keeps of the device's own keys. It is told with every answer, and changes when somebody begins to encrypt for the device. */
const supplyOf = ({ oneTimeKeysCounts, unusedFallbackKeys }: SyncCryptoChanges): string =>
  JSON.stringify([Object.entries(oneTimeKeysCounts ?? {}).toSorted(), unusedFallbackKeys?.toSorted()])

const tellsOfOthers = ({ deviceLists, toDeviceEvents }: SyncCryptoChanges): boolean =>
  toDeviceEvents.length > 0 || (deviceLists?.changed ?? []).length > 0 || (deviceLists?.left ?? []).length > 0

/**
 * Passes an answer of `/sync` on to the keys only where it holds news for them. They copy, encrypt and write down their whole account with
 * each, which takes milliseconds and an fsync, before anybody is told of the messages in it (rust-crypto.ts, `processSyncChanges`).
 *
 * `onFailure`: room keys in the answer were not kept. The SDK goes on as if they had been (sync.ts, `processSyncCryptoChanges`).
 */
export const passOnNews = Effect.fn("passOnNews")(function*(
  crypto: SyncCryptoCallbacks,
  onFailure: (error: unknown) => void
) {
  const clock = yield* Clock.Clock
  const pass = crypto.processSyncChanges.bind(crypto)
  let known: string | undefined
  let lookedAt = 0
  crypto.processSyncChanges = async (changes) => {
    const now = elapsedUnsafe(clock)
    const supply = supplyOf(changes)
    if (!tellsOfOthers(changes) && supply === known && now - lookedAt < lookAfter) return []
    known = undefined
    try {
      const received = await pass(changes)
      known = supply
      lookedAt = now
      return received
    } catch (cause) {
      onFailure(cause)
      throw cause
    }
  }
})
