import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { type Bounds, exchange, ordinaryBody, retryAfterOf, smallBody } from "./Exchange.ts"
import { field, readJson, textField, whatCame } from "./Json.ts"
import { NoAnswer } from "./NoAnswer.ts"
import { Transport } from "./Transport.ts"

const asking: Bounds = { deadline: Duration.seconds(20), limit: smallBody, redirects: "any" }
const signing: Bounds = { deadline: Duration.seconds(30), limit: ordinaryBody, redirects: "same-origin" }

const get = (url: URL) =>
  Effect.gen(function*() {
    const response = yield* exchange(url, { headers: { Accept: "application/json" } }, asking)
    return { status: response.status, ...readJson(yield* Effect.promise(() => response.text())) }
  })

const busy = (status: number) => status >= 500 || status === 429

/** A base URL without a slash at its end, so that a path can follow. */
const baseOf = (url: URL): string => `${url.origin}${url.pathname.replace(/\/+$/, "")}`

/** What is discovered may be plain HTTP on this machine only; what a person configures may be anything. */
const isLocal = (host: string): boolean => /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(host)

const versionsPath = "/_matrix/client/versions"

const check = Effect.fn("HttpTransport.check")(function*(base: string) {
  const { body, status, text } = yield* get(new URL(base + versionsPath))
  if (busy(status)) return yield* new NoAnswer({ detail: `it answers with HTTP ${status}.`, final: false })
  if (status === 200 && Array.isArray(field(body, "versions"))) return base
  return yield* new NoAnswer({
    detail: `something answers there, but it is no Matrix homeserver: ${versionsPath} gives HTTP ${status} with ${
      whatCame(text, body)
    }.`,
    final: true
  })
})

/** Client-Server API, "Well-known URI": 404 means that the server name itself is the address. */
const discover = Effect.fn("HttpTransport.discover")(function*(server: string) {
  const origin = `${isLocal(server) ? "http" : "https"}://${server}`
  const { body, status } = yield* get(new URL(`${origin}/.well-known/matrix/client`))
  if (status === 404) return origin
  if (busy(status)) return yield* new NoAnswer({ detail: `its discovery file gives HTTP ${status}.`, final: false })
  const named = textField(field(body, "m.homeserver"), "base_url") ?? ""
  const url = URL.canParse(named) ? new URL(named) : undefined
  if (url === undefined || !(url.protocol === "https:" || (url.protocol === "http:" && isLocal(url.host)))) {
    return yield* new NoAnswer({
      detail: `${origin}/.well-known/matrix/client names no usable homeserver (HTTP ${status}).`,
      final: true
    })
  }
  return baseOf(url)
})

/** Over HTTP, with a connection of its own for every request. */
export const layer = Layer.succeed(
  Transport,
  Transport.of({
    locate: Effect.fn("Transport.locate")(function*(known, server) {
      if (known !== undefined) return yield* check(baseOf(new URL(known)))
      if (server === undefined) return yield* new NoAnswer({ detail: "no address is configured.", final: true })
      return yield* check(yield* discover(server))
    }),
    send: Effect.fn("Transport.send")(function*(request) {
      const headers: Record<string, string> = { Accept: "application/json" }
      if (request.body !== undefined) headers["Content-Type"] = "application/json"
      if (request.accessToken !== undefined) headers["Authorization"] = `Bearer ${Redacted.value(request.accessToken)}`
      const url = new URL(`${request.homeserverUrl}/_matrix/client/v3${request.path}`)
      for (const [key, value] of Object.entries(request.query ?? {})) url.searchParams.set(key, value)
      const response = yield* exchange(
        url,
        {
          method: request.method,
          headers,
          ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) })
        },
        { ...signing, deadline: request.deadline ?? signing.deadline, limit: request.limit ?? signing.limit }
      )
      const { body } = readJson(yield* Effect.promise(() => response.text()))
      const now = yield* Clock.currentTimeMillis
      return {
        status: response.status,
        body,
        retryAfter: retryAfterOf(response.headers.get("retry-after"), now)
      }
    }),
    carry: Effect.fn("Transport.carry")(function*({ accessToken, content, deadline, limit, ...request }) {
      const headers: Record<string, string> = {}
      if (content !== undefined) headers["Content-Type"] = content.type
      if (accessToken !== undefined) headers["Authorization"] = `Bearer ${Redacted.value(accessToken)}`
      const url = new URL(request.homeserverUrl + request.path)
      for (const [key, value] of Object.entries(request.query ?? {})) url.searchParams.set(key, value)
      const response = yield* exchange(
        url,
        { method: request.method, headers, ...(content === undefined ? {} : { body: new Uint8Array(content.bytes) }) },
        { deadline, limit, redirects: "same-origin" }
      )
      const bytes = yield* Effect.promise(() => response.arrayBuffer())
      const now = yield* Clock.currentTimeMillis
      return {
        status: response.status,
        bytes: new Uint8Array(bytes),
        retryAfter: retryAfterOf(response.headers.get("retry-after"), now)
      }
    })
  })
)
