import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { HTTPError, MatrixError, Method as SdkMethod } from "matrix-js-sdk/lib/matrix.js"
import type { MatrixFailure } from "../../domain/Errors.ts"
import { failure, make, MatrixRequests, type Method, type RawAnswer, refusalOf } from "./Requests.ts"
import { SdkClient } from "./SdkClient.ts"

const methods: { readonly [M in Method]: SdkMethod } = { GET: SdkMethod.Get, PUT: SdkMethod.Put, POST: SdkMethod.Post }

const waitOf = (error: HTTPError): number | undefined => {
  try {
    return error.getRetryAfterMs() ?? undefined
  } catch {
    // The SDK throws on a `Retry-After` that is neither a number nor a date.
    return undefined
  }
}

/** What the SDK throws, as the answer that it was, or as the failure that there was none. */
const answerOf = (name: string, thrown: unknown): RawAnswer | MatrixFailure => {
  if (thrown instanceof HTTPError && thrown.httpStatus !== undefined) {
    return {
      status: thrown.httpStatus,
      body: thrown instanceof MatrixError ? thrown.data : undefined,
      retryAfter: waitOf(thrown)
    }
  }
  if (thrown instanceof SyntaxError) {
    return failure(name, { _tag: "NotMatrix", detail: "no JSON" }, "The answer is no JSON.")
  }
  const detail = thrown instanceof Error ? thrown.message : String(thrown)
  return failure(name, { _tag: "Unreachable", detail }, detail)
}

/** What the SDK throws in the middle of its own work. */
export const failureOf = (name: string, thrown: unknown): MatrixFailure => {
  const answer = answerOf(name, thrown)
  return "_tag" in answer ? answer : refusalOf(name, answer) ?? failure(name, noAnswer, "The SDK gave up.")
}

const noAnswer = { _tag: "Unreachable", detail: "none" } as const

/** Requests through `authedRequest` of matrix-js-sdk. */
export const layer = Layer.effect(
  MatrixRequests,
  Effect.gen(function*() {
    const sdk = yield* SdkClient
    return MatrixRequests.of(make(Effect.fnUntraced(function*({ body, method, name, path, query }) {
      const client = yield* sdk.current
      const answer = yield* Effect.promise((abortSignal) =>
        client.http.authedRequest<unknown>(methods[method], path, { ...query }, body, { abortSignal, priority: "auto" })
          .then(
            (body): RawAnswer => ({ status: 200, body, retryAfter: undefined }),
            (thrown: unknown) => answerOf(name, thrown)
          )
      )
      return "_tag" in answer ? yield* answer : answer
    })))
  })
)
