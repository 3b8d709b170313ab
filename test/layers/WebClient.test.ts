import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { get } from "node:http"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Door } from "../../src/layers/Homeserver/Door.ts"
import { WebClient } from "../../src/layers/WebClient.ts"
import { text } from "./Homeserver/Caller.ts"

const world = Layer.unwrap(
  Effect.map(Door, ({ url }) => WebClient.layer({ homeserverUrl: url, user: "you", password: "open sesame" }))
).pipe(
  Layer.provideMerge(Door.layer()),
  Layer.provideMerge(Homeserver.layer({ users: [{ name: "you", password: "open sesame" }] }))
)

const ask = (url: string, init: RequestInit = {}) =>
  Effect.promise(async () => {
    const response = await fetch(url, init)
    return { status: response.status, headers: response.headers, body: await response.text() }
  })

/** The status of a path as it stands: `fetch` would tidy it up first. */
const statusOf = (origin: string, path: string) =>
  Effect.callback<number | undefined>((resume) => {
    get({ hostname: "127.0.0.1", port: new URL(origin).port, path }, (response) => {
      response.resume()
      resume(Effect.succeed(response.statusCode))
    })
  })

const session = Effect.gen(function*() {
  const { body, headers, status } = yield* ask(`${(yield* WebClient).url}session`, { method: "POST" })
  assert.deepStrictEqual([status, headers.get("cache-control")], [200, "no-store"])
  const found: unknown = JSON.parse(body)
  return found
})

// The real clock: a socket does not wait for a test's.
layer(world, { excludeTestServices: true, timeout: "1 minute" })("the web client", (it) => {
  it.effect("is served on loopback with the types that a browser insists on", () =>
    Effect.gen(function*() {
      const { url } = yield* WebClient
      assert.strictEqual(new URL(url).hostname, "127.0.0.1")
      const page = yield* ask(url)
      assert.strictEqual(page.headers.get("content-type"), "text/html; charset=utf-8")
      const script = yield* ask(new URL(/src="([^"]+\.js)"/.exec(page.body)?.[1] ?? "", url).href)
      assert.strictEqual(script.headers.get("content-type"), "text/javascript; charset=utf-8")
      const wasm = /[\w-]+\.wasm/.exec(script.body.slice(script.body.indexOf("olm-")))?.[0] ?? ""
      assert.strictEqual((yield* ask(`${url}assets/${wasm}`)).headers.get("content-type"), "application/wasm")
      assert.strictEqual((yield* ask(`${url}sw.js`)).status, 200)
    }))

  it.effect("may run its own scripts only, and talk to the homeserver only", () =>
    Effect.gen(function*() {
      const { headers } = yield* ask((yield* WebClient).url)
      const policy = new Map(
        headers.get("content-security-policy")?.split("; ").map((rule) => {
          const [name = "", ...sources] = rule.split(" ")
          return [name, sources.join(" ")]
        })
      )
      assert.strictEqual(policy.get("default-src"), "'none'")
      assert.strictEqual(policy.get("script-src"), "'self' 'wasm-unsafe-eval'")
      assert.strictEqual(policy.get("connect-src"), `'self' ${(yield* Door).url}`)
      assert.strictEqual(headers.get("referrer-policy"), "no-referrer")
      assert.strictEqual(headers.get("access-control-allow-origin"), null)
    }))

  it.effect("shows nothing to who does not know the key, and no file but its own", () =>
    Effect.gen(function*() {
      const { url } = yield* WebClient
      const { origin, pathname } = new URL(url)
      assert.strictEqual(yield* statusOf(origin, `${pathname}index.html`), 200)
      const outside = [
        "/",
        "/index.html",
        `${pathname}../../../../../package.json`,
        `${pathname}..%2f..%2f..%2f..%2f..%2fpackage.json`,
        `${pathname}%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/package.json`,
        `${pathname}..%5c..%5cpackage.json`,
        `${pathname}/etc/passwd`,
        `${pathname}assets/`
      ]
      const statuses = yield* Effect.forEach(outside, (path) => statusOf(origin, path))
      assert.deepStrictEqual(statuses, outside.map(() => 404))
      assert.strictEqual((yield* ask(`${origin}/session`, { method: "POST" })).status, 404)
    }))

  it.effect("hands out one session, and another one only after somebody signed out", () =>
    Effect.gen(function*() {
      const first = yield* session
      assert.strictEqual(text(first, "userId"), "@you:homing.test")
      assert.deepStrictEqual(yield* session, first)
      yield* (yield* Homeserver).signOut("you")
      assert.notStrictEqual(text(yield* session, "id"), text(first, "id"))
    }))

  it.effect("signs out when it ends", () =>
    Effect.gen(function*() {
      const { url } = yield* Door
      const token = yield* session.pipe(
        Effect.map((found) => text(found, "accessToken")),
        Effect.provide(WebClient.layer({ homeserverUrl: url, user: "you", password: "open sesame" }))
      )
      const whoami = `${url}/_matrix/client/v3/account/whoami`
      assert.strictEqual((yield* ask(whoami, { headers: { authorization: `Bearer ${token}` } })).status, 401)
    }))

  it.effect("says so when the homeserver lets nobody in", () =>
    Effect.gen(function*() {
      const { url } = yield* Door
      const stranger = WebClient.layer({ homeserverUrl: url, user: "you", password: "wrong" })
      const { body, status } = yield* WebClient.pipe(
        Effect.flatMap(({ url }) => ask(`${url}session`, { method: "POST" })),
        Effect.provide(stranger)
      )
      assert.deepStrictEqual([status, body], [502, "The homeserver let nobody in."])
    }))
})
