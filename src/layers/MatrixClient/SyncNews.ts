import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { SyncCryptoCallbacks, SyncCryptoChanges } from "matrix-js-sdk/lib/common-crypto/CryptoBackend.js"
import { elapsedUnsafe } from "../Elapsed.ts"

/**
 * The SDK's crypto is shown an answer at least so often, in milliseconds, whatever is in it: it also lets go of old things then, such as a
 * comparison of emoji that nobody ended.
 */
const showAfter = 60_000

/** What the crypto was shown last. */
interface Shown {
  readonly supply: string
  readonly at: number
}

/** What the server keeps of the device's one-time keys. It is told with every answer, and changes when somebody begins to encrypt for the device. */
const supplyOf = ({ oneTimeKeysCounts, unusedFallbackKeys }: SyncCryptoChanges): string =>
  JSON.stringify([Object.entries(oneTimeKeysCounts ?? {}).toSorted(), unusedFallbackKeys?.toSorted()])

const isNews = (changes: SyncCryptoChanges, last: Shown | undefined, now: number): boolean =>
  last === undefined || now - last.at >= showAfter || supplyOf(changes) !== last.supply ||
  changes.toDeviceEvents.length > 0 ||
  (changes.deviceLists?.changed ?? []).length > 0 ||
  (changes.deviceLists?.left ?? []).length > 0

/**
 * Shows an answer of `/sync` to the SDK's crypto only where it holds news for it. With each it copies, encrypts and writes down its whole
 * account, which takes milliseconds and an fsync, before anybody is told of the messages in the answer (rust-crypto.ts, `processSyncChanges`).
 *
 * `onFailure`: room keys in the answer were not kept. The SDK goes on as if they had been (sync.ts, `processSyncCryptoChanges`).
 */
export const passOnNews = Effect.fn("passOnNews")(function*(
  crypto: SyncCryptoCallbacks,
  onFailure: (error: unknown) => void
) {
  const clock = yield* Clock.Clock
  const show = crypto.processSyncChanges.bind(crypto)
  let last: Shown | undefined
  crypto.processSyncChanges = async (changes) => {
    const at = elapsedUnsafe(clock)
    if (!isNews(changes, last, at)) return []
    last = undefined
    try {
      const received = await show(changes)
      last = { supply: supplyOf(changes), at }
      return received
    } catch (cause) {
      onFailure(cause)
      throw cause
    }
  }
})
