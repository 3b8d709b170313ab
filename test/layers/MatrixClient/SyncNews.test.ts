import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { SyncCryptoCallbacks, SyncCryptoChanges } from "matrix-js-sdk/lib/common-crypto/CryptoBackend.js"
import { passOnNews } from "../../../src/layers/MatrixClient/SyncNews.ts"

const quiet: SyncCryptoChanges = {
  toDeviceEvents: [],
  deviceLists: { changed: [], left: [] },
  oneTimeKeysCounts: { signed_curve25519: 50 },
  unusedFallbackKeys: ["signed_curve25519"]
}

/** Keys that note what they are shown, and fail where they are told to. */
const aCrypto = Effect.gen(function*() {
  const seen: Array<SyncCryptoChanges> = []
  const failing = { next: false }
  const crypto: SyncCryptoCallbacks = {
    processSyncChanges: (changes) => {
      seen.push(changes)
      const fails = failing.next
      failing.next = false
      return fails ? Promise.reject(new Error("The file is busy.")) : Promise.resolve([])
    },
    onCryptoEvent: () => Promise.resolve(),
    onSyncCompleted: () => {},
    markAllTrackedUsersAsDirty: () => Promise.resolve()
  }
  const failures: Array<unknown> = []
  yield* passOnNews(crypto, (cause) => failures.push(cause))
  const show = (changes: SyncCryptoChanges) =>
    Effect.promise(async () => {
      const before = seen.length
      await crypto.processSyncChanges(changes).catch(() => {})
      return seen.length > before
    })
  return { failing, failures, show }
})

describe("the keys of a bot", () => {
  it.effect("see the first answer of a sync, and then those with news for them", () =>
    Effect.gen(function*() {
      const { show } = yield* aCrypto
      assert.isTrue(yield* show(quiet))
      assert.isFalse(yield* show(quiet))
      const { deviceLists: _, ...without } = quiet
      assert.isFalse(yield* show(without))
      const event = { type: "m.room.encrypted", sender: "@ann:hs.test", content: {} }
      for (
        const news of [
          { toDeviceEvents: [event] },
          { deviceLists: { changed: ["@ann:hs.test"] } },
          { deviceLists: { left: ["@ann:hs.test"] } },
          { oneTimeKeysCounts: { signed_curve25519: 49 } },
          { oneTimeKeysCounts: {} },
          { unusedFallbackKeys: [] }
        ]
      ) {
        assert.isTrue(yield* show({ ...quiet, ...news }), JSON.stringify(news))
        yield* show(quiet)
        assert.isFalse(yield* show(quiet))
      }
    }))

  it.effect("see an answer with nothing in it once a minute", () =>
    Effect.gen(function*() {
      const { show } = yield* aCrypto
      yield* show(quiet)
      yield* TestClock.adjust("59 seconds")
      assert.isFalse(yield* show(quiet))
      yield* TestClock.adjust("1 second")
      assert.isTrue(yield* show(quiet))
      assert.isFalse(yield* show(quiet))
    }))

  it.effect("tell when they failed on an answer, and see the next one", () =>
    Effect.gen(function*() {
      const { failing, failures, show } = yield* aCrypto
      yield* show(quiet)
      failing.next = true
      yield* show({ ...quiet, deviceLists: { changed: ["@ann:hs.test"] } })
      assert.lengthOf(failures, 1)
      assert.isTrue(yield* show(quiet))
    }))
})
