import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Random from "effect/Random"
import { type Bounds, exchange, ordinaryBody, retryAfterOf, syncBody } from "./Exchange.ts"
import { field, readJson, record, textField, whatCame } from "./Json.ts"
import { NoAnswer } from "./NoAnswer.ts"
import { showTheState } from "./ShownAnswer.ts"
import type { Wire, WireRequest } from "./Wire.ts"

/** What the sync wants to know of its requests, and to say about them. Called from inside the SDK's promises: none throws. */
export interface SyncHooks {
  /** No batch has reached the gate yet: `/sync` has to ask for the full state. */
  readonly isFirst: () => boolean
  /** The loop lives: it got what it asked for, or no answer at all, and then it asks again. A refusal is no sign of life. */
  readonly onSign: () => void
  /** A request of the loop did not bring what it was to bring. */
  readonly onProblem: (detail: string) => void
  /** The server does not know the `since` of a request. */
  readonly onUnknownCursor: () => void
  /** The server has other one-time keys of this device under the same names: those here are of a state that was passed before. */
  readonly onKeysClash: () => void
}

type Kind = "sync" | "loop" | "keys" | "repeatable" | "once"

/** What the SDK retries by itself is left to it; what may be sent twice without harm is retried here. */
const kindOf = (method: string, path: string): Kind => {
  if (path.endsWith("/v3/sync")) return "sync"
  if (/\/(?:versions|pushrules\/|filter(?:\/[^/]+)?)$/.test(path)) return "loop"
  if (path.endsWith("/v3/keys/upload")) return "keys"
  if (method === "GET") return "repeatable"
  // With a transaction id in the path the server drops the second one; account data and typing are the same twice. Not `/send/`: the room may be
  // encrypted by the time of the second. The outbox repeats it, and seals it anew.
  return method === "PUT" && /\/(?:redact|sendToDevice|account_data|typing)\//.test(path) ? "repeatable" : "once"
}

const maximumAttempts = 4
/** So many failures of the sync in a row are worth a warning. */
const manyProblems = 4
/** Synapse says `M_UNKNOWN`; `M_UNKNOWN_POS` is that of MSC3575 and MSC4186. */
const unknownCursor: ReadonlySet<string> = new Set(["M_UNKNOWN", "M_UNKNOWN_POS"])
/** A longer wait is for the caller to plan: the answer is handed on. */
const longestWait = 10_000

const bodyOf = (response: Response): Effect.Effect<unknown> =>
  Effect.promise(() => response.clone().json().catch(() => undefined))

const isBusy = ({ status }: Response): boolean => status >= 500 || status === 429

/**
 * An answer that the SDK can go on from. What a proxy puts in its place, with a status that says all is well, would have it ask again
 * for ever, and in silence.
 */
const asTheLoopReads = Effect.fnUntraced(function*(kind: Kind, response: Response) {
  // A sync answer may be large, and is read once: the SDK is given what came out of it.
  const source = kind === "sync" ? response : response.clone()
  const { body, text } = readJson(yield* Effect.promise(() => source.text()))
  if (record(body) !== undefined && (kind !== "sync" || textField(body, "next_batch") !== undefined)) {
    return kind === "sync" ? showTheState(response, body) : response
  }
  const detail = `something answers in its place: HTTP ${response.status} with ${whatCame(text, body)}.`
  return yield* new NoAnswer({ detail, final: false })
})

const pauseAfter = Effect.fnUntraced(function*(attempt: number, response: Response | undefined) {
  if (response?.status === 429) {
    const now = yield* Clock.currentTimeMillis
    const hint = field(yield* bodyOf(response), "retry_after_ms")
    const wait = retryAfterOf(response.headers.get("retry-after"), now) ?? (typeof hint === "number" ? hint : 1000)
    return wait <= longestWait ? Math.max(wait, 0) : undefined
  }
  return Math.round(250 * 2 ** attempt * (0.5 + (yield* Random.next)))
})

/**
 * The `fetch` of a Matrix client. The one of Node lets a body stall for ever, because the SDK's time-out ends with the headers (fetch.ts:327), retries nothing and
 * never sends `full_state`. Requests end with the scope.
 */
export const make = Effect.fnUntraced(function*(options: {
  readonly syncTimeout: Duration.Duration
  /** The first `/sync` of a large account takes the server long: it has this much time. */
  readonly firstSyncDeadline: Duration.Duration
  readonly hooks: SyncHooks | undefined
  readonly wire?: Wire
}) {
  const run = yield* FiberSet.makeRuntimePromise<never, Response, NoAnswer>()
  const { hooks } = options
  const longPoll = Duration.sum(options.syncTimeout, Duration.seconds(30))

  const boundsOf = (kind: Kind): Bounds => ({
    deadline: kind === "sync"
      ? (hooks?.isFirst() ?? false) ? Duration.max(longPoll, options.firstSyncDeadline) : longPoll
      : Duration.seconds(30),
    limit: kind === "sync" ? syncBody : ordinaryBody,
    redirects: "same-origin"
  })

  const repeated = Effect.fnUntraced(function*(kind: Kind, url: URL, init: WireRequest) {
    for (let attempt = 0;; attempt++) {
      const answer = yield* Effect.result(exchange(url, init, boundsOf(kind), options.wire))
      const response = answer._tag === "Success" ? answer.success : undefined
      const again = response === undefined || isBusy(response)
      const mayRepeat = kind === "repeatable" || (kind === "sync" && response?.status === 429)
      const final = answer._tag === "Failure" && answer.failure.final
      const pause = again && mayRepeat && !final && attempt + 1 < maximumAttempts
        ? yield* pauseAfter(attempt, response)
        : undefined
      if (pause === undefined) return yield* Effect.fromResult(answer)
      yield* Effect.sleep(Duration.millis(pause))
    }
  })

  let problemsInARow = 0
  const tellProblem = (detail: string, url: URL, hooks: SyncHooks) => {
    hooks.onProblem(detail)
    const say = ++problemsInARow < manyProblems ? Effect.logInfo : Effect.logWarning
    return say("matrix_sync_retries").pipe(
      Effect.annotateLogs({ detail, path: url.pathname, in_a_row: problemsInARow })
    )
  }

  const ofLoop = Effect.fnUntraced(function*(kind: Kind, url: URL, init: WireRequest, hooks: SyncHooks) {
    const first = hooks.isFirst()
    if (first && kind === "sync") url.searchParams.set("full_state", "true")
    const response = yield* repeated(kind, url, init).pipe(
      Effect.flatMap((response) => response.ok ? asTheLoopReads(kind, response) : Effect.succeed(response)),
      Effect.tapError(({ detail }) => Effect.andThen(Effect.sync(hooks.onSign), tellProblem(detail, url, hooks)))
    )
    if (response.ok) {
      if (kind === "sync") problemsInARow = 0
      // The others go on while `/sync` is refused again and again.
      if (first || kind === "sync") hooks.onSign()
      return response
    }
    if (isBusy(response)) hooks.onSign()
    const errcode = textField(yield* bodyOf(response), "errcode")
    if (url.searchParams.has("since") && response.status === 400 && unknownCursor.has(errcode ?? "")) {
      hooks.onUnknownCursor()
    } else {
      const detail = `it answers with HTTP ${response.status}${errcode === undefined ? "" : ` (${errcode})`}.`
      yield* tellProblem(detail, url, hooks)
    }
    return response
  })

  /** Synapse has no error code for it: "One time key signed_curve25519:AAAAAAAAAAQ already exists. Old key: ...". */
  const ofKeys = Effect.fnUntraced(function*(url: URL, init: WireRequest, hooks: SyncHooks) {
    const response = yield* repeated("keys", url, init)
    if (response.status !== 400) return response
    const error = textField(yield* bodyOf(response), "error") ?? ""
    if (/^One time key .* already exists/.test(error)) hooks.onKeysClash()
    return response
  })

  const fetchFn: typeof globalThis.fetch = (resource, init = {}) => {
    const url = new URL(resource instanceof Request ? resource.url : resource)
    const kind = kindOf(init.method ?? "GET", url.pathname)
    // The abort signal belongs to the run below, which also counts it while nothing is on the wire.
    const { signal, ...rest } = init
    const request = hooks === undefined
      ? repeated(kind, url, rest)
      : kind === "keys"
      ? ofKeys(url, rest, hooks)
      : kind === "sync" || kind === "loop"
      ? ofLoop(kind, url, rest, hooks)
      : repeated(kind, url, rest)
    return run(request, signal ? { signal } : {}).catch((thrown: unknown) => {
      // The words that the SDK's callers see; an abort must keep its name, or the SDK takes it for a lost connection.
      if (thrown instanceof NoAnswer) throw new TypeError(thrown.detail)
      throw new DOMException("The request was aborted.", "AbortError")
    })
  }
  return fetchFn
})
