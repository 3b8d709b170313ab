import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { NoAnswer } from "./NoAnswer.ts"
import type { Method, RawAnswer } from "./Requests.ts"

/** Carries the few requests that come before there is a client: signing in, out, and asking who a token is. */
export class Transport extends Context.Service<Transport, {
  /** Finds the homeserver and checks that it is one. `known` is its address; undefined to discover it. */
  locate(known: string | undefined, server: string | undefined): Effect.Effect<string, NoAnswer>
  send(request: {
    readonly homeserverUrl: string
    readonly method: Method
    /** Relative to `/_matrix/client/v3`. */
    readonly path: string
    readonly query?: Readonly<Record<string, string>>
    readonly body?: Readonly<Record<string, unknown>>
    readonly accessToken?: Redacted.Redacted
    /** Longer than the usual 30 s, for a long poll. */
    readonly deadline?: Duration.Duration
    /** Bytes that the answer may have, where the usual 16 MiB are too few. */
    readonly limit?: number
  }): Effect.Effect<RawAnswer, NoAnswer>
}>()("homing/MatrixClient/Transport") {}
