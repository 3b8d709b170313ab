import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Homeserver } from "../../../src/layers/Homeserver.ts"
import { FaultEffect, rateLimited, serverError } from "../../../src/layers/Homeserver/Faults.ts"
import { caller, dig, text } from "./Caller.ts"

const world = Homeserver.layer({ users: [{ name: "bot", password: "open sesame" }] })

const signIn = Effect.gen(function*() {
  const homeserver = yield* Homeserver
  const login = yield* caller(homeserver)("POST", "/login", {
    type: "m.login.password",
    identifier: { type: "m.id.user", user: "bot" },
    password: "open sesame"
  })
  return {
    homeserver,
    token: text(login.body, "access_token"),
    bot: caller(homeserver, text(login.body, "access_token"))
  }
})

const whoami = "/account/whoami"

describe("a fault", () => {
  it.effect("befalls as many matching requests as it says, after those it lets pass", () =>
    Effect.gen(function*() {
      const { bot, homeserver } = yield* signIn
      yield* homeserver.inject({ path: /whoami$/, skip: 1, count: 2, effect: serverError(502) })
      const statuses: Array<number> = []
      for (let n = 0; n < 4; n++) statuses.push((yield* bot("GET", whoami)).status)
      assert.deepStrictEqual(statuses, [200, 502, 502, 200])
    }).pipe(Effect.provide(world)))

  it.effect("befalls only the method, path and user it names", () =>
    Effect.gen(function*() {
      const { bot, homeserver } = yield* signIn
      yield* homeserver.inject({ method: "PUT", effect: serverError() })
      yield* homeserver.inject({ path: "/devices", effect: serverError() })
      yield* homeserver.inject({ user: "@alice:homing.test", effect: serverError() })
      assert.strictEqual((yield* bot("GET", whoami)).status, 200)
      assert.strictEqual((yield* bot("GET", "/devices")).status, 500)
      yield* homeserver.clearFaults
      assert.strictEqual((yield* bot("PUT", "/user/@bot:homing.test/account_data/x", {})).status, 200)
    }).pipe(Effect.provide(world)))

  it.effect("never befalls a person, whose requests are not logged either", () =>
    Effect.gen(function*() {
      const { homeserver } = yield* signIn
      yield* homeserver.inject({ count: 99, effect: serverError() })
      const before = (yield* homeserver.requests).length
      const alice = yield* homeserver.as("alice")
      yield* alice.createRoom()
      assert.strictEqual((yield* homeserver.requests).length, before)
    }).pipe(Effect.provide(world)))

  it.effect("can be a rate limit that says how long to wait", () =>
    Effect.gen(function*() {
      const { bot, homeserver } = yield* signIn
      yield* homeserver.inject({ effect: rateLimited(4500) })
      const limited = yield* bot("GET", whoami)
      assert.deepStrictEqual([limited.status, limited.headers], [429, { "retry-after": "5" }])
      assert.strictEqual(dig(limited.body, "retry_after_ms"), 4500)
    }).pipe(Effect.provide(world)))

  it.effect("can be a web page in the place of an answer", () =>
    Effect.gen(function*() {
      const { bot, homeserver } = yield* signIn
      yield* homeserver.inject({ effect: FaultEffect.Html({ status: 502, html: "<h1>Bad gateway</h1>" }) })
      const page = yield* bot("GET", whoami)
      assert.deepStrictEqual(page, {
        status: 502,
        body: "<h1>Bad gateway</h1>",
        headers: { "content-type": "text/html" }
      })
    }).pipe(Effect.provide(world)))

  it.effect("resets before the request is carried out, or after it", () =>
    Effect.gen(function*() {
      const { bot, homeserver } = yield* signIn
      const data = "/user/@bot:homing.test/account_data/x"
      yield* homeserver.inject({ effect: FaultEffect.Reset() })
      const reset = yield* bot("PUT", data, { n: 1 })
      assert.deepStrictEqual([reset.status, reset.broken], [0, "reset"])
      assert.strictEqual((yield* bot("GET", data)).status, 404)
      yield* homeserver.inject({ effect: FaultEffect.LostAnswer() })
      const lost = yield* bot("PUT", data, { n: 2 })
      assert.deepStrictEqual([lost.status, lost.broken], [0, "reset"])
      assert.deepStrictEqual((yield* bot("GET", data)).body, { n: 2 })
      yield* homeserver.inject({ effect: FaultEffect.Stalled() })
      assert.strictEqual((yield* bot("PUT", data, { n: 3 })).broken, "stalled")
      assert.deepStrictEqual((yield* bot("GET", data)).body, { n: 3 })
    }).pipe(Effect.provide(world)))

  it.effect("delays by the clock of the program", () =>
    Effect.gen(function*() {
      const { bot, homeserver } = yield* signIn
      yield* homeserver.inject({ effect: FaultEffect.Delay({ time: "3 seconds" }) })
      const slow = yield* Effect.forkChild(bot("GET", whoami))
      yield* TestClock.adjust("2999 millis")
      assert.strictEqual(slow.pollUnsafe(), undefined)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* Fiber.join(slow)).status, 200)
    }).pipe(Effect.provide(world)))
})

describe("the request log", () => {
  it.effect("tells who asked for what, and in which order requests began and ended", () =>
    Effect.gen(function*() {
      const { bot, homeserver } = yield* signIn
      const since = text((yield* bot("GET", "/sync", undefined, { timeout: "0" })).body, "next_batch")
      const poll = yield* Effect.forkChild(bot("GET", "/sync", undefined, { since, timeout: "30000" }))
      yield* TestClock.adjust("1 seconds")
      yield* bot("GET", whoami)
      yield* TestClock.adjust("29 seconds")
      yield* Fiber.join(poll)
      const [login, initial, long, who] = yield* homeserver.requests
      assert.deepInclude(login, { method: "POST", path: "/_matrix/client/v3/login", user: undefined, status: 200 })
      assert.deepInclude(initial, { user: "@bot:homing.test", query: { timeout: "0" }, startedAt: 3, endedAt: 4 })
      assert.deepInclude(long, { query: { since, timeout: "30000" }, startedAt: 5, endedAt: 8 })
      assert.deepInclude(who, { time: 1000, startedAt: 6, endedAt: 7 })
    }).pipe(Effect.provide(world)))

  it.effect("holds neither a token nor a password", () =>
    Effect.gen(function*() {
      const { homeserver, token } = yield* signIn
      yield* caller(homeserver, token)("GET", whoami, undefined, { access_token: token })
      const log = JSON.stringify(yield* homeserver.requests)
      assert.include(log, "whoami")
      assert.notInclude(log, token)
      assert.notInclude(log, "open sesame")
    }).pipe(Effect.provide(world)))
})
