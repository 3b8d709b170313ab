import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { NoAnswer } from "./NoAnswer.ts"
import type { Method, RawAnswer } from "./Requests.ts"

/** An answer whose body may be anything. */
export interface CarriedAnswer extends Omit<RawAnswer, "body"> {
  readonly bytes: Uint8Array
}

/**
 * Carries what does not go through the client: the few requests that come before there is one, as signing in, out, and asking who a token is,
 * and files.
 */
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
  /** Brings bytes there or back. Fails with `tooLarge` as soon as more than `limit` of them have come. */
  carry(request: {
    readonly homeserverUrl: string
    readonly method: Method
    /** The whole path. */
    readonly path: string
    readonly query?: Readonly<Record<string, string>>
    readonly content?: { readonly type: string; readonly bytes: Uint8Array }
    /** Undefined for what everybody may ask. */
    readonly accessToken: Redacted.Redacted | undefined
    readonly deadline: Duration.Duration
    readonly limit: number
  }): Effect.Effect<CarriedAnswer, NoAnswer>
}>()("homing/MatrixClient/Transport") {}
