import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { fetchFailure } from "./FetchFailure.ts"

/**
 * No answer that a homeserver could have given. `final` when trying again cannot help, because what answers there is
 * something else. `detail` is a clause for a person and never holds a header or a token.
 */
export class NoAnswer extends Data.TaggedError("NoAnswer")<{
  readonly detail: string
  readonly final: boolean
  /** Milliseconds that the server asks to wait. */
  readonly retryAfter?: number
}> {}

const mebibyte = 1024 * 1024
export const smallBody = mebibyte
export const ordinaryBody = 16 * mebibyte
export const syncBody = 256 * mebibyte

/** How long one request may take, and how much it may bring. */
export interface Bounds {
  readonly deadline: Duration.Duration
  /** Bytes of the body after decompression. */
  readonly limit: number
  /** Only requests without credentials may be led to another origin. */
  readonly redirects: "same-origin" | "any"
}

const tooLarge = (limit: number) =>
  new NoAnswer({ detail: `the answer is larger than ${Math.round(limit / mebibyte)} MiB.`, final: false })

const readBody = async (response: Response, limit: number): Promise<Uint8Array<ArrayBuffer>> => {
  const chunks: Array<Uint8Array> = []
  let size = 0
  if (response.body !== null) {
    // Leaving the loop early cancels the stream, so that an endless body costs no more than the limit.
    for await (const chunk of response.body) {
      size += chunk.byteLength
      if (size > limit) throw tooLarge(limit)
      chunks.push(chunk)
    }
  }
  const whole = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.byteLength
  }
  return whole
}

const redirected = (from: URL, response: Response, bounds: Bounds): URL => {
  const location = response.headers.get("location")
  const to = location !== null && URL.canParse(location, from.href) ? new URL(location, from) : undefined
  if (to !== undefined && to.origin === from.origin) return to
  if (to !== undefined && bounds.redirects === "any" && to.protocol === "https:") return to
  throw new NoAnswer({
    detail: `it redirects to another address, ${to?.origin ?? "which is unreadable"}.`,
    final: true
  })
}

const isRedirect = (status: number) => [301, 302, 303, 307, 308].includes(status)
const maximumRedirects = 5

const run = async (
  fetch: typeof globalThis.fetch,
  url: URL,
  init: RequestInit,
  bounds: Bounds,
  signal: AbortSignal
): Promise<Response> => {
  let at = url
  for (let hops = 0; hops <= maximumRedirects; hops++) {
    const response = await fetch(at, { ...init, redirect: "manual", signal })
    const body = await readBody(response, bounds.limit)
    if (!isRedirect(response.status) || (init.method ?? "GET") !== "GET") {
      const bodiless = response.status === 204 || response.status === 205 || response.status === 304
      return new Response(bodiless ? null : body, { status: response.status, headers: response.headers })
    }
    at = redirected(at, response, bounds)
  }
  throw new NoAnswer({ detail: "it redirects in a circle.", final: true })
}

/**
 * One HTTP exchange: the whole body is read, under one deadline for all of it. `fetch` alone would let a body stall for
 * ever, because the SDK's time-out ends with the headers (fetch.ts:327).
 */
export const exchange = (
  fetch: typeof globalThis.fetch,
  url: URL,
  init: RequestInit,
  bounds: Bounds
): Effect.Effect<Response, NoAnswer> =>
  Effect.tryPromise({
    try: (signal) => run(fetch, url, init, bounds, signal),
    catch: (thrown) => thrown instanceof NoAnswer ? thrown : new NoAnswer(fetchFailure(thrown))
  }).pipe(
    Effect.timeoutOrElse({
      duration: bounds.deadline,
      orElse: () =>
        Effect.fail(
          new NoAnswer({ detail: `no whole answer came within ${Duration.format(bounds.deadline)}.`, final: false })
        )
    })
  )

/** `Retry-After` in milliseconds: seconds or an HTTP date (RFC 9110, section 10.2.3). `now` in milliseconds. */
export const retryAfterOf = (value: string | null | undefined, now: number): number | undefined => {
  if (value === null || value === undefined) return undefined
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}
