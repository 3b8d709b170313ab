import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type FailureReason, MatrixFailure } from "../../domain/Errors.ts"
import { passing } from "../Checkpoint.ts"
import { field, record, textField } from "./Json.ts"

export type Method = "GET" | "PUT" | "POST"

/** One request of the signed-in account. */
export interface MatrixRequest<A> {
  /** What a failure calls it, such as `join`. */
  readonly name: string
  readonly method: Method
  /** Relative to `/_matrix/client/v3`, its variable parts encoded: see `path`. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: Readonly<Record<string, unknown>>
  /** What the answer must look like; an answer that does not decode is `NotMatrix`. */
  readonly schema: Schema.ConstraintDecoder<A>
}

/** An answer as it came, whatever its status. */
export interface RawAnswer {
  readonly status: number
  /** The decoded JSON; undefined when the body was none. */
  readonly body: unknown
  /** Milliseconds, from `Retry-After`. */
  readonly retryAfter: number | undefined
}

/** Sends the requests of the signed-in account: through matrix-js-sdk, or straight into the model of a homeserver. */
export class MatrixRequests extends Context.Service<MatrixRequests, {
  request<A>(request: MatrixRequest<A>): Effect.Effect<A, MatrixFailure>
}>()("homing/MatrixClient/MatrixRequests") {}

/** `path\`/rooms/${room}/state\``: every value is percent-encoded, so that no id can leave its place in the path. */
export const path = (parts: TemplateStringsArray, ...values: ReadonlyArray<string>): string =>
  parts.reduce((sofar, part, index) => sofar + encodeURIComponent(values[index - 1] ?? "") + part)

/** An answer that carries nothing of interest. */
export const Nothing = Schema.Unknown

const reasonOf = ({ body, retryAfter, status }: RawAnswer): FailureReason => {
  const errcode = textField(body, "errcode")
  const wait = retryAfter ?? field(body, "retry_after_ms")
  if (status === 429 || errcode === "M_LIMIT_EXCEEDED") {
    return { _tag: "RateLimited", retryAfter: typeof wait === "number" && wait >= 0 ? wait : 0 }
  }
  if (status >= 500) return { _tag: "Unreachable", detail: `HTTP ${status}` }
  if (errcode === "M_UNKNOWN_TOKEN") {
    return { _tag: "UnknownToken", softLogout: field(body, "soft_logout") === true }
  }
  if (errcode === "M_TOO_LARGE" || status === 413) return { _tag: "TooLarge" }
  if (errcode === "M_NOT_FOUND") return { _tag: "NotFound" }
  if (errcode === "M_FORBIDDEN" || (errcode === undefined && (status === 401 || status === 403))) {
    return { _tag: "Forbidden" }
  }
  if (errcode === undefined && status === 404) return { _tag: "NotFound" }
  return errcode === undefined
    ? { _tag: "NotMatrix", detail: `HTTP ${status} without an error code` }
    : { _tag: "Rejected", status, errcode }
}

/** A failure in the server's own words, cut to what a log line can bear. */
export const failure = (name: string, reason: FailureReason, detail: string): MatrixFailure =>
  new MatrixFailure({ request: name, reason, detail: detail.slice(0, 500) })

/** What a refusal means, or undefined when the answer is none. */
export const refusalOf = (name: string, answer: RawAnswer): MatrixFailure | undefined => {
  if (answer.status >= 200 && answer.status < 300) return undefined
  return failure(name, reasonOf(answer), textField(answer.body, "error") ?? `HTTP ${answer.status}`)
}

/** Requests over anything that can carry one. */
export const make = (
  send: (request: Omit<MatrixRequest<unknown>, "schema">) => Effect.Effect<RawAnswer, MatrixFailure>
): Context.Service.Shape<typeof MatrixRequests> => ({
  request: Effect.fn("MatrixRequests.request")(function*<A>(request: MatrixRequest<A>) {
    yield* Effect.annotateCurrentSpan({ request: request.name })
    const answer = yield* send(request).pipe(passing(request.name))
    const refusal = refusalOf(request.name, answer)
    if (refusal !== undefined) return yield* refusal
    return yield* Schema.decodeUnknownEffect(request.schema)(answer.body).pipe(
      Effect.mapError(() => {
        const shape = record(answer.body) === undefined ? "no JSON object" : "JSON of another shape"
        return failure(request.name, { _tag: "NotMatrix", detail: shape }, `The answer is ${shape}.`)
      })
    )
  })
})
