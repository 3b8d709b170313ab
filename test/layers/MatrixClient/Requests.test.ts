import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import type { FailureReason } from "../../../src/domain/Errors.ts"
import { make, path, type RawAnswer } from "../../../src/layers/MatrixClient/Requests.ts"

const asking = (answer: Partial<RawAnswer>) =>
  make(() => Effect.succeed({ status: 200, body: {}, retryAfter: undefined, ...answer })).request({
    name: "try",
    method: "GET",
    path: "/try",
    schema: Schema.Struct({ value: Schema.Int })
  })

describe("a request", () => {
  it.effect("gives what the answer holds", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* asking({ body: { value: 3, more: "x" } }), { value: 3 })
    }))

  it.effect("says why it was refused, in the server's words", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [Partial<RawAnswer>, FailureReason]> = [
        [{ status: 429, body: { retry_after_ms: 4500 } }, { _tag: "RateLimited", retryAfter: 4500 }],
        [{ status: 429, body: {}, retryAfter: 2000 }, { _tag: "RateLimited", retryAfter: 2000 }],
        [{ status: 429, body: { retry_after_ms: "x" } }, { _tag: "RateLimited", retryAfter: 0 }],
        [{ status: 403, body: { errcode: "M_FORBIDDEN" } }, { _tag: "Forbidden" }],
        [{ status: 403, body: undefined }, { _tag: "Forbidden" }],
        [{ status: 404, body: { errcode: "M_NOT_FOUND" } }, { _tag: "NotFound" }],
        [{ status: 413, body: { errcode: "M_TOO_LARGE" } }, { _tag: "TooLarge" }],
        [{ status: 401, body: { errcode: "M_UNKNOWN_TOKEN" } }, { _tag: "UnknownToken", softLogout: false }],
        [{ status: 401, body: { errcode: "M_UNKNOWN_TOKEN", soft_logout: true } }, {
          _tag: "UnknownToken",
          softLogout: true
        }],
        [{ status: 503, body: "<html>" }, { _tag: "Unreachable", detail: "HTTP 503" }],
        [{ status: 400, body: { errcode: "M_BAD_STATE" } }, { _tag: "Rejected", status: 400, errcode: "M_BAD_STATE" }],
        [{ status: 400, body: "<html>" }, { _tag: "NotMatrix", detail: "HTTP 400 without an error code" }],
        [{ status: 200, body: "<html>" }, { _tag: "NotMatrix", detail: "no JSON object" }],
        [{ status: 200, body: { value: "3" } }, { _tag: "NotMatrix", detail: "JSON of another shape" }]
      ]
      for (const [answer, reason] of cases) {
        assert.deepStrictEqual((yield* Effect.flip(asking(answer))).reason, reason)
      }
      const wordy = yield* Effect.flip(asking({ status: 400, body: { errcode: "M_X", error: "w".repeat(9999) } }))
      assert.strictEqual(wordy.detail.length, 500)
    }))

  it("lets no id out of its place in the path", () => {
    assert.strictEqual(path`/rooms/${"!a/../b?c#d:hs"}/event/${"$x"}`, "/rooms/!a%2F..%2Fb%3Fc%23d%3Ahs/event/%24x")
    assert.strictEqual(path`/rooms`, "/rooms")
  })
})
