import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { NoAnswer, noAnswerOf } from "./NoAnswer.ts"
import { type Wire, wire, type WireRequest } from "./Wire.ts"

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
  url: URL,
  request: WireRequest,
  bounds: Bounds,
  wire: Wire,
  signal: AbortSignal
): Promise<Response> => {
  let at = url
  for (let hops = 0; hops <= maximumRedirects; hops++) {
    const response = await wire(at, request, bounds.limit, signal)
    if (!isRedirect(response.status) || (request.method ?? "GET") !== "GET") return response
    at = redirected(at, response, bounds)
  }
  throw new NoAnswer({ detail: "it redirects in a circle.", final: true })
}

/** One HTTP exchange: the whole body is read, under one deadline for all of it. */
export const exchange = (
  url: URL,
  request: WireRequest,
  bounds: Bounds,
  over: Wire = wire
): Effect.Effect<Response, NoAnswer> =>
  Effect.tryPromise({
    try: (signal) => run(url, request, bounds, over, signal),
    catch: noAnswerOf
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
