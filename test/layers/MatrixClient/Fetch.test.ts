import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { ServerResponse } from "node:http"
import { gzipSync } from "node:zlib"
import { exchange, retryAfterOf } from "../../../src/layers/MatrixClient/Exchange.ts"
import * as Fetch from "../../../src/layers/MatrixClient/Fetch.ts"
import { json, scriptedServer } from "./ScriptedServer.ts"

const bounds = { deadline: Duration.seconds(5), limit: 1000, redirects: "same-origin" } as const

const base = "http://hs.test/_matrix/client/v3"

/** A client's fetch over answers that are given out one by one, the last for ever. */
const overAnswers = Effect.fnUntraced(
  function*(answers: ReadonlyArray<() => Promise<Response>>, hooks?: Fetch.SyncHooks) {
    const asked: Array<URL> = []
    const fetchFn = yield* Fetch.make({
      syncTimeout: Duration.seconds(30),
      firstSyncDeadline: Duration.minutes(2),
      hooks,
      wire: (url) => {
        asked.push(url)
        const answer = answers[Math.min(asked.length, answers.length) - 1]
        return answer === undefined ? Promise.reject(new Error("no answer")) : answer()
      }
    })
    return { asked, fetchFn }
  }
)

const answer = (status: number, body: unknown = {}, headers: Record<string, string> = {}) => () =>
  Promise.resolve(new Response(JSON.stringify(body), { status, headers }))
const webPage = () => Promise.resolve(new Response("<html>Back soon</html>", { status: 200 }))
const refused = () => Promise.reject(Object.assign(new Error("refused"), { code: "ECONNREFUSED" }))

/** The status, or the words of the error. */
const outcome = (response: Promise<Response>) =>
  Effect.promise(() => response.then((_) => _.status, (thrown: unknown) => String(thrown)))

describe("one exchange", () => {
  it.live("does not wait for a body that stalls", () =>
    Effect.gen(function*() {
      const server = yield* scriptedServer(() => (response) => void response.writeHead(200).write("{\"begun\":"))
      const problem = yield* exchange(new URL(server.url), {}, { ...bounds, deadline: Duration.millis(200) })
        .pipe(Effect.flip)
      assert.include(problem.detail, "200ms")
      assert.isFalse(problem.final)
    }).pipe(Effect.scoped))

  it.live("does not read more than the limit", () =>
    Effect.gen(function*() {
      const server = yield* scriptedServer(() => ({ status: 200, body: "x".repeat(1001) }))
      const problem = yield* exchange(new URL(server.url), {}, bounds).pipe(Effect.flip)
      assert.include(problem.detail, "larger")
      const fits = yield* scriptedServer(() => ({ status: 200, body: "x".repeat(1000) }))
      const response = yield* exchange(new URL(fits.url), {}, bounds)
      assert.strictEqual((yield* Effect.promise(() => response.text())).length, 1000)
    }).pipe(Effect.scoped))

  it.live("reads a compressed answer, and counts what comes out of it", () =>
    Effect.gen(function*() {
      const compressed = (body: string) => (response: ServerResponse) =>
        void response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(body))
      const server = yield* scriptedServer(({ headers, url }) =>
        headers["accept-encoding"] === "gzip" ? compressed("x".repeat(url === "/bomb" ? 100_000 : 1000)) : json({})
      )
      const response = yield* exchange(new URL(server.url), {}, bounds)
      assert.strictEqual((yield* Effect.promise(() => response.text())).length, 1000)
      assert.include((yield* Effect.flip(exchange(new URL("/bomb", server.url), {}, bounds))).detail, "larger")
    }).pipe(Effect.scoped))

  it.live("carries credentials to no other address, and follows within the same one", () =>
    Effect.gen(function*() {
      const elsewhere = yield* scriptedServer(() => json({}))
      const server = yield* scriptedServer(({ url }) => {
        if (url === "/out") return { status: 307, headers: { location: `${elsewhere.url}/stolen` } }
        if (url === "/in") return { status: 307, headers: { location: "/here" } }
        if (url === "/circle") return { status: 302, headers: { location: "/circle" } }
        return json({ url })
      })
      const init = { headers: { Authorization: "Bearer secret-token" } }
      const get = (path: string) => exchange(new URL(path, server.url), init, bounds)
      const out = yield* get("/out").pipe(Effect.flip)
      assert.include(out.detail, elsewhere.url)
      assert.isTrue(out.final)
      assert.strictEqual(elsewhere.asked.length, 0)
      const inside = yield* get("/in")
      assert.deepStrictEqual(yield* Effect.promise(() => inside.json()), { url: "/here" })
      assert.include((yield* get("/circle").pipe(Effect.flip)).detail, "circle")
    }).pipe(Effect.scoped))

  it.live("says why there was no answer, and never with a header", () =>
    Effect.gen(function*() {
      const server = yield* scriptedServer(() => json({}))
      yield* server.close
      const problem = yield* exchange(new URL(server.url), {}, bounds).pipe(Effect.flip)
      assert.include(problem.detail, "refused")
      // The words of an error may quote the header that is not taken.
      const quoted = yield* exchange(
        new URL(server.url),
        { headers: { Authorization: "Bearer secret\ntoken" } },
        bounds
      )
        .pipe(Effect.flip)
      assert.notInclude(quoted.detail, "secret")
    }).pipe(Effect.scoped))

  it("reads Retry-After as seconds or as a date", () => {
    const now = Date.UTC(2026, 0, 1)
    assert.strictEqual(retryAfterOf("5", now), 5000)
    assert.strictEqual(retryAfterOf(new Date(now + 7000).toUTCString(), now), 7000)
    assert.strictEqual(retryAfterOf(new Date(now - 7000).toUTCString(), now), 0)
    assert.isUndefined(retryAfterOf("soon", now))
    assert.isUndefined(retryAfterOf(null, now))
  })
})

describe("the fetch of a client", () => {
  /** The answers are promises: they need turns of the event loop between the steps of the clock. */
  const pass = (milliseconds: number) =>
    Effect.promise(() => new Promise((resolve) => setImmediate(resolve))).pipe(
      Effect.andThen(TestClock.adjust(Duration.millis(milliseconds / 20))),
      Effect.repeat({ times: 19 })
    )

  const after = (milliseconds: number, response: Promise<Response>) =>
    Effect.gen(function*() {
      const fiber = yield* outcome(response).pipe(Effect.forkChild({ startImmediately: true }))
      yield* pass(milliseconds)
      return yield* Fiber.join(fiber)
    })

  it.effect("repeats what may be sent twice, after a pause", () =>
    Effect.gen(function*() {
      for (
        const [method, path] of [
          ["GET", "/rooms/!a:hs/state"],
          ["PUT", "/rooms/!a:hs/redact/$event/txn"],
          ["PUT", "/sendToDevice/m.room.encrypted/txn"],
          ["PUT", "/user/@bot:hs/rooms/!a:hs/account_data/dev.homing.chat"]
        ] as const
      ) {
        const { asked, fetchFn } = yield* overAnswers([refused, answer(502), answer(200)])
        assert.strictEqual(yield* after(10_000, fetchFn(base + path, { method })), 200)
        assert.strictEqual(asked.length, 3)
      }
    }).pipe(Effect.scoped))

  it.effect("sends once what may not be sent twice", () =>
    Effect.gen(function*() {
      for (
        const [method, path] of [["POST", "/createRoom"], ["POST", "/rooms/!a:hs/join"], [
          "PUT",
          "/rooms/!a:hs/state/m.room.name"
        ]] as const
      ) {
        const { asked, fetchFn } = yield* overAnswers([answer(502), answer(200)])
        assert.strictEqual(yield* after(10_000, fetchFn(base + path, { method })), 502)
        assert.strictEqual(asked.length, 1)
      }
    }).pipe(Effect.scoped))

  it.effect("leaves the repetition of what is said in a room to the outbox, which seals it anew", () =>
    Effect.gen(function*() {
      const send = `${base}/rooms/!a:hs/send/m.room.message/txn`
      for (const first of [refused, answer(502), answer(429, {}, { "retry-after": "6" })]) {
        const { asked, fetchFn } = yield* overAnswers([first, answer(200)])
        assert.notStrictEqual(yield* after(10_000, fetchFn(send, { method: "PUT" })), 200)
        assert.strictEqual(asked.length, 1)
      }
    }).pipe(Effect.scoped))

  it.effect("gives up after a few attempts, in words without an address", () =>
    Effect.gen(function*() {
      const { asked, fetchFn } = yield* overAnswers([refused])
      assert.strictEqual(
        yield* after(60_000, fetchFn(`${base}/rooms/!a:hs/state`)),
        "TypeError: the connection was refused."
      )
      assert.strictEqual(asked.length, 4)
    }).pipe(Effect.scoped))

  it.effect("waits as long as a limit asks, and hands on what asks for too long", () =>
    Effect.gen(function*() {
      const limited = (headers: Record<string, string>, body: unknown = {}) => answer(429, body, headers)
      const first = yield* overAnswers([limited({ "retry-after": "8" }), answer(200)])
      const waiting = first.fetchFn(`${base}/rooms/!a:hs/state`)
      yield* pass(7900)
      assert.strictEqual(first.asked.length, 1)
      assert.strictEqual(yield* after(1000, waiting), 200)
      const old = yield* overAnswers([limited({}, { retry_after_ms: 4500 }), answer(200)])
      assert.strictEqual(yield* after(10_000, old.fetchFn(`${base}/rooms/!a:hs/state`)), 200)
      const long = yield* overAnswers([limited({ "retry-after": "331" }), answer(200)])
      assert.strictEqual(yield* after(600_000, long.fetchFn(`${base}/rooms/!a:hs/state`)), 429)
      assert.strictEqual(long.asked.length, 1)
    }).pipe(Effect.scoped))

  it.effect("asks for the full state until the first answer is in, and leaves the loop's own requests to the loop", () =>
    Effect.gen(function*() {
      let first = true
      let signs = 0
      const problems: Array<string> = []
      const { asked, fetchFn } = yield* overAnswers([
        answer(502),
        refused,
        webPage,
        answer(403),
        answer(200, { next_batch: "s2" })
      ], {
        isFirst: () => first,
        onSign: () => void signs++,
        onProblem: (detail) => void problems.push(detail),
        onUnknownCursor: () => assert.fail("the cursor is known"),
        onKeysClash: () => undefined
      })
      const sync = () => after(60_000, fetchFn(`${base}/sync?since=s1&timeout=0`))
      assert.strictEqual(yield* sync(), 502)
      assert.strictEqual(yield* sync(), "TypeError: the connection was refused.")
      const page = "something answers in its place: HTTP 200 with a web page."
      assert.strictEqual(yield* sync(), `TypeError: ${page}`)
      assert.strictEqual(signs, 3)
      // A server that refuses whatever it is asked keeps nothing alive.
      assert.strictEqual(yield* sync(), 403)
      assert.strictEqual(signs, 3)
      assert.strictEqual(yield* sync(), 200)
      first = false
      assert.strictEqual(yield* sync(), 200)
      const asks = asked.map((_) => _.searchParams.get("full_state"))
      assert.deepStrictEqual(asks, ["true", "true", "true", "true", "true", null])
      assert.deepStrictEqual(problems, [
        "it answers with HTTP 502.",
        "the connection was refused.",
        page,
        "it answers with HTTP 403."
      ])
      assert.strictEqual(signs, 5)
      // Nor is a send a sign of life, or what the loop asks beside its syncs.
      yield* after(1000, fetchFn(`${base}/rooms/!a:hs/state`))
      yield* after(1000, fetchFn("http://hs.test/_matrix/client/versions"))
      assert.strictEqual(signs, 5)
    }).pipe(Effect.scoped))

  it.effect("tells an unknown cursor from any other refusal", () =>
    Effect.gen(function*() {
      let unknown = 0
      const hooks = (first: boolean): Fetch.SyncHooks => ({
        isFirst: () => first,
        onSign: () => {},
        onProblem: () => {},
        onUnknownCursor: () => void unknown++,
        onKeysClash: () => undefined
      })
      const refusal = answer(400, { errcode: "M_UNKNOWN", error: "Invalid stream token" })
      const ask = (hooks: Fetch.SyncHooks, query: string, given = refusal) =>
        Effect.flatMap(overAnswers([given], hooks), ({ fetchFn }) => outcome(fetchFn(`${base}/sync?${query}`)))
      yield* ask(hooks(true), "timeout=0")
      yield* ask(hooks(true), "since=s1", answer(400, { errcode: "M_INVALID_PARAM" }))
      assert.strictEqual(unknown, 0)
      yield* ask(hooks(true), "since=s1")
      yield* ask(hooks(false), "since=s1")
      assert.strictEqual(unknown, 2)
    }).pipe(Effect.scoped))

  it.live("ends a request when the SDK gives it up", () =>
    Effect.gen(function*() {
      const { fetchFn } = yield* overAnswers([() => new Promise(() => {})])
      const controller = new AbortController()
      const given = fetchFn(`${base}/sync`, { signal: controller.signal })
      controller.abort()
      assert.include(yield* outcome(given), "AbortError")
    }).pipe(Effect.scoped))
})
