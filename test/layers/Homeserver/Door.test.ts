import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { connect } from "node:net"
import { Homeserver } from "../../../src/layers/Homeserver.ts"
import { Door, knock } from "../../../src/layers/Homeserver/Door.ts"
import { FaultEffect, rateLimited } from "../../../src/layers/Homeserver/Faults.ts"
import { bodies, dig, text } from "./Caller.ts"

const world = Door.layer().pipe(
  Layer.provideMerge(Homeserver.layer({ users: [{ name: "bot", password: "open sesame" }] }))
)

const ask = Effect.fnUntraced(function*(path: string, init: RequestInit = {}) {
  const { url } = yield* Door
  return yield* Effect.tryPromise(async () => {
    const response = await fetch(`${url}${path}`, init)
    const body: unknown = await response.json()
    return { status: response.status, headers: response.headers, body }
  })
})

const login = Effect.gen(function*() {
  const { body } = yield* ask("/_matrix/client/v3/login", {
    method: "POST",
    body: JSON.stringify({
      type: "m.login.password",
      identifier: { type: "m.id.user", user: "bot" },
      password: "open sesame"
    })
  })
  return { authorization: `Bearer ${text(body, "access_token")}` }
})

const whoami = "/_matrix/client/v3/account/whoami"

/** Sends these bytes as they are; all that comes back until the server, or with `leave` the client, ends it. */
const sendRaw = Effect.fnUntraced(function*(bytes: string, { leave = false } = {}) {
  const { url } = yield* Door
  return yield* Effect.callback<string>((resume) => {
    let said = ""
    const socket = connect(Number(new URL(url).port), "127.0.0.1", () => {
      socket.write(bytes, () => leave && socket.destroy())
    })
    socket.on("data", (chunk) => said += String(chunk))
    socket.on("error", () => {})
    socket.on("close", () => resume(Effect.succeed(said)))
  })
})

const line = (target: string, method = "GET") => `${method} ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n`

/** The status of an answer and its error code. */
const refusalIn = (answer: string) => [
  Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]),
  /"errcode":"(\w+)"/.exec(answer)?.[1]
]

// The real clock: a socket does not wait for a test's.
layer(world, { excludeTestServices: true })("the door", (it) => {
  describe("over a socket", () => {
    it.effect("answers as the model does, and tells its own address", () =>
      Effect.gen(function*() {
        const headers = yield* login
        const who = yield* ask(whoami, { headers })
        assert.strictEqual(dig(who.body, "user_id"), "@bot:homing.test")
        assert.strictEqual(who.headers.get("access-control-allow-origin"), "*")
        const { url } = yield* Door
        assert.deepStrictEqual((yield* ask("/.well-known/matrix/client")).body, { "m.homeserver": { base_url: url } })
        const refused = yield* ask("/_matrix/client/v3/login", { method: "POST", body: "{" })
        assert.deepStrictEqual([refused.status, dig(refused.body, "errcode")], [400, "M_NOT_JSON"])
        assert.strictEqual((yield* ask(whoami)).status, 401)
      }))

    it.effect("wakes a long poll when a message comes", () =>
      Effect.gen(function*() {
        const homeserver = yield* Homeserver
        const alice = yield* homeserver.as("alice")
        const bot = yield* homeserver.as("bot")
        const room = yield* alice.createRoom({ invite: [bot.userId] })
        yield* bot.join(room)
        const headers = yield* login
        const since = text((yield* ask("/_matrix/client/v3/sync", { headers })).body, "next_batch")
        const poll = ask(`/_matrix/client/v3/sync?since=${since}&timeout=30000`, { headers })
        const speak = pollUnderWay.pipe(Effect.andThen(alice.say(room, "over the wire")))
        const [answer] = yield* Effect.all([poll, speak], { concurrency: "unbounded" })
        assert.deepStrictEqual(bodies(answer.body, room), ["over the wire"])
      }))

    it.effect("ends a long poll when its client goes away", () =>
      Effect.gen(function*() {
        const homeserver = yield* Homeserver
        const headers = yield* login
        const since = text((yield* ask("/_matrix/client/v3/sync", { headers })).body, "next_batch")
        const gone = new AbortController()
        const poll = ask(`/_matrix/client/v3/sync?since=${since}&timeout=30000`, { headers, signal: gone.signal })
        const leave = pollUnderWay.pipe(Effect.andThen(Effect.sync(() => gone.abort())))
        yield* Effect.all([Effect.flip(poll), leave], { concurrency: "unbounded" })
        const ended = Effect.map(homeserver.requests, (log) => log.findLast(({ path }) => path.endsWith("/sync")))
        const last = yield* Effect.repeat(Effect.andThen(nextTurn, ended), {
          until: (request) => request?.endedAt !== undefined
        })
        assert.strictEqual(last?.status, undefined)
      }))

    it.effect("acts faults out: a header, a page, a reset, a body that never ends", () =>
      Effect.gen(function*() {
        const homeserver = yield* Homeserver
        const { url } = yield* Door
        const headers = yield* login
        yield* homeserver.inject({ path: "whoami", effect: rateLimited(1500) })
        const limited = yield* ask(whoami, { headers })
        assert.deepStrictEqual([limited.status, limited.headers.get("retry-after")], [429, "2"])

        yield* homeserver.inject({ path: "whoami", effect: FaultEffect.Html({ status: 502, html: "<h1>502</h1>" }) })
        const page = yield* Effect.promise(() => fetch(`${url}${whoami}`, { headers }))
        assert.deepStrictEqual([page.status, page.headers.get("content-type")], [502, "text/html"])
        assert.strictEqual(yield* Effect.promise(() => page.text()), "<h1>502</h1>")

        yield* homeserver.inject({ path: "whoami", effect: FaultEffect.Reset() })
        yield* Effect.flip(ask(whoami, { headers }))

        yield* homeserver.inject({ path: "whoami", effect: FaultEffect.Stalled() })
        const stop = new AbortController()
        const stalled = yield* Effect.promise(() => fetch(`${url}${whoami}`, { headers, signal: stop.signal }))
        const read = Effect.promise(() => stalled.text().then(() => "whole", () => "cut off"))
        const waited = yield* Effect.raceFirst(read, Effect.as(Effect.sleep("100 millis"), "still waiting"))
        assert.deepStrictEqual([stalled.status, waited], [200, "still waiting"])
        stop.abort()
      }))

    for (
      const [target, answer] of [
        ["//", [404, "M_UNRECOGNIZED"]],
        ["//foo/_matrix/client/versions", [404, "M_UNRECOGNIZED"]],
        ["http://[/_matrix/client/versions", [404, "M_UNRECOGNIZED"]],
        ["/%ff%zz?%zz=%", [404, "M_UNRECOGNIZED"]],
        ["/_matrix/client/v3/rooms/%zz%/state", [404, "M_UNRECOGNIZED"]],
        [`/_matrix/client/v3/rooms/${"x".repeat(9_000)}/state`, [401, "M_MISSING_TOKEN"]],
        ["/_matrix/client/versions?access_token=%E0%A4%A", [200, undefined]],
        ["http://elsewhere.example/_matrix/client/versions", [200, undefined]]
      ] as const
    ) {
      it.effect(`answers a request for ${target.slice(0, 60)}`, () =>
        Effect.gen(function*() {
          assert.deepStrictEqual(refusalIn(yield* sendRaw(`${line(target)}\r\n`)), [...answer])
        }))
    }

    it.effect("outlives whatever a peer sends, and whenever it leaves", () =>
      Effect.gen(function*() {
        const login = line("/_matrix/client/v3/login", "POST")
        const json = (body: string) => `${login}Content-Length: ${body.length}\r\n\r\n${body}`
        assert.deepStrictEqual(refusalIn(yield* sendRaw("\u0000\u0001 nonsense\r\n\r\n")), [400, undefined])
        const hugeHead = yield* sendRaw(`${line("/")}X-Huge: ${"x".repeat(100_000)}\r\n\r\n`)
        assert.deepStrictEqual(refusalIn(hugeHead), [431, undefined])
        const deep = `{"user":${"[".repeat(100_000)}${"]".repeat(100_000)}}`
        assert.deepStrictEqual(refusalIn(yield* sendRaw(json(deep))), [400, "M_BAD_JSON"])
        assert.deepStrictEqual(refusalIn(yield* sendRaw(json("\u0000"))), [400, "M_NOT_JSON"])
        const tooLarge = yield* sendRaw(`${login}Content-Length: 99999999\r\n\r\n{`)
        assert.deepStrictEqual(refusalIn(tooLarge), [413, "M_TOO_LARGE"])
        yield* sendRaw(`${login}Content-Length: 1000\r\n\r\n{`, { leave: true })
        yield* sendRaw(`${login}Transfer-Encoding: chunked\r\n\r\nzz`, { leave: true })
        const versions = yield* ask("/_matrix/client/versions")
        assert.strictEqual(versions.status, 200)
      }))

    it.effect("hands out an upload whatever its name and type are", () =>
      Effect.gen(function*() {
        const { authorization } = yield* login
        const uploaded = yield* ask(`/_matrix/media/v3/upload?filename=${encodeURIComponent("a\r\nb\u0000\"é")}`, {
          method: "POST",
          headers: { authorization, "content-type": "text/plain; charset=\u00ff" },
          body: "hello"
        })
        const [, media] = text(uploaded.body, "content_uri").split("mxc://")
        const { url } = yield* Door
        const response = yield* Effect.promise(() => fetch(`${url}/_matrix/media/v3/download/${media}`))
        assert.strictEqual(yield* Effect.promise(() => response.text()), "hello")
      }))
  })
})

describe("a door", () => {
  it.live("closes although somebody has sent half a request, and somebody waits", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(world, scope)
      const { url } = Context.get(context, Door)
      const half = yield* Effect.forkChild(Effect.provide(sendRaw(line("/_matrix/client/versions")), context))
      const bot = yield* Context.get(context, Homeserver).as("bot")
      const token = yield* bot.request("POST", "/_matrix/client/v3/register", { auth: { type: "m.login.dummy" } })
      const poll = yield* Effect.forkChild(Effect.promise(() =>
        fetch(`${url}/_matrix/client/v3/sync?timeout=30000&since=s1_0`, {
          headers: { authorization: `Bearer ${text(token, "access_token")}` }
        }).then(({ status }) => status, () => 0)
      ))
      yield* Effect.provide(pollUnderWay, context)
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(half)
      assert.notStrictEqual(yield* Fiber.join(poll), 200)
    }))

  it.live("is not open where nothing gets through to it", () =>
    Effect.gen(function*() {
      const { url } = yield* Effect.scoped(Effect.map(Layer.build(world), Context.get(Door)))
      const shut = yield* Effect.flip(knock(Number(new URL(url).port)))
      assert.match(shut.detail, /ECONNREFUSED/)
    }))
})

/** Gives the event loop a turn, so that sockets move. */
const nextTurn = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))

/** Returns when the last `/sync` has begun and not ended. */
const pollUnderWay = Effect.gen(function*() {
  const homeserver = yield* Homeserver
  const poll = nextTurn.pipe(
    Effect.andThen(homeserver.requests),
    Effect.map((log) => log.findLast(({ path }) => path.endsWith("/sync")))
  )
  yield* Effect.repeat(poll, {
    until: (request) => request?.query["timeout"] === "30000" && request.endedAt === undefined
  })
})
