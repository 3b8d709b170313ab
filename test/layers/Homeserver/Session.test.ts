import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Homeserver } from "../../../src/layers/Homeserver.ts"
import { caller, dig, list, text } from "./Caller.ts"

const world = Homeserver.layer({ users: [{ name: "bot", password: "open sesame" }] })

const password = (words: string, device?: string) => ({
  type: "m.login.password",
  identifier: { type: "m.id.user", user: "bot" },
  password: words,
  ...(device === undefined ? {} : { device_id: device })
})

describe("signing in", () => {
  it.effect("says what it speaks and how to sign in", () =>
    Effect.gen(function*() {
      const call = caller(yield* Homeserver)
      const versions = yield* call("GET", "/_matrix/client/versions")
      assert.include(JSON.stringify(versions.body), "v1.11")
      const flows = yield* call("GET", "/login")
      assert.deepStrictEqual(list(flows.body, "flows").map((flow) => dig(flow, "type")), [
        "m.login.password",
        "m.login.token"
      ])
      const known = yield* call("GET", "/.well-known/matrix/client")
      assert.strictEqual(dig(known.body, "m.homeserver", "base_url"), "http://homing.test")
    }).pipe(Effect.provide(world)))

  it.effect("keeps the device that asks for its own id, and ends its earlier token", () =>
    Effect.gen(function*() {
      const homeserver = yield* Homeserver
      const first = yield* caller(homeserver)("POST", "/login", password("open sesame", "HOMING"))
      const second = yield* caller(homeserver)("POST", "/login", password("open sesame", "HOMING"))
      assert.strictEqual(text(second.body, "device_id"), "HOMING")
      const stale = yield* caller(homeserver, text(first.body, "access_token"))("GET", "/account/whoami")
      assert.strictEqual(stale.status, 401)
      const fresh = yield* caller(homeserver, text(second.body, "access_token"))("GET", "/account/whoami")
      assert.deepStrictEqual(fresh.body, { user_id: "@bot:homing.test", device_id: "HOMING", is_guest: false })
    }).pipe(Effect.provide(world)))

  it.effect("refuses a wrong password and an unknown user in the same words", () =>
    Effect.gen(function*() {
      const call = caller(yield* Homeserver)
      const wrong = yield* call("POST", "/login", password("open barley"))
      const unknown = yield* call("POST", "/login", {
        ...password("open sesame"),
        identifier: { type: "m.id.user", user: "nobody" }
      })
      assert.strictEqual(wrong.status, 403)
      assert.strictEqual(dig(wrong.body, "errcode"), "M_FORBIDDEN")
      assert.deepStrictEqual(unknown, wrong)
    }).pipe(Effect.provide(world)))

  it.effect("registers whoever says m.login.dummy, each name once", () =>
    Effect.gen(function*() {
      const homeserver = yield* Homeserver
      const call = caller(homeserver)
      const asked = yield* call("POST", "/register", { username: "carol", password: "x" })
      assert.strictEqual(asked.status, 401)
      assert.deepStrictEqual(dig(asked.body, "flows"), [{ stages: ["m.login.dummy"] }])
      const done = yield* call("POST", "/register", {
        username: "carol",
        password: "x",
        auth: { type: "m.login.dummy" }
      })
      const who = yield* caller(homeserver, text(done.body, "access_token"))("GET", "/account/whoami")
      assert.strictEqual(dig(who.body, "user_id"), "@carol:homing.test")
      const again = yield* call("POST", "/register", {
        username: "carol",
        password: "x",
        auth: { type: "m.login.dummy" }
      })
      assert.strictEqual(dig(again.body, "errcode"), "M_USER_IN_USE")
      const odd = yield* call("POST", "/register", { username: "Carol X", auth: { type: "m.login.dummy" } })
      assert.strictEqual(dig(odd.body, "errcode"), "M_INVALID_USERNAME")
    }).pipe(Effect.provide(world)))

  it.effect("tells a missing, an unknown, a soft and a hard ended token apart", () =>
    Effect.gen(function*() {
      const homeserver = yield* Homeserver
      const none = yield* caller(homeserver)("GET", "/account/whoami")
      assert.strictEqual(dig(none.body, "errcode"), "M_MISSING_TOKEN")
      const unknown = yield* caller(homeserver, "made-up")("GET", "/account/whoami")
      assert.strictEqual(dig(unknown.body, "errcode"), "M_UNKNOWN_TOKEN")

      const login = yield* caller(homeserver)("POST", "/login", password("open sesame", "HOMING"))
      const bot = caller(homeserver, text(login.body, "access_token"))
      yield* homeserver.signOut("bot", { softLogout: true })
      const soft = yield* bot("GET", "/account/whoami")
      assert.deepStrictEqual([soft.status, dig(soft.body, "soft_logout")], [401, true])

      const renewed = yield* caller(homeserver)("POST", "/login", password("open sesame", "HOMING"))
      const again = caller(homeserver, text(renewed.body, "access_token"))
      yield* homeserver.signOut("@bot:homing.test")
      const hard = yield* again("GET", "/account/whoami")
      assert.deepStrictEqual([hard.status, dig(hard.body, "soft_logout")], [401, false])
    }).pipe(Effect.provide(world)))

  it.effect("forgets the device on logout", () =>
    Effect.gen(function*() {
      const homeserver = yield* Homeserver
      const one = yield* caller(homeserver)("POST", "/login", password("open sesame", "ONE"))
      const two = yield* caller(homeserver)("POST", "/login", password("open sesame", "TWO"))
      yield* caller(homeserver, text(one.body, "access_token"))("POST", "/logout")
      const devices = yield* caller(homeserver, text(two.body, "access_token"))("GET", "/devices")
      assert.deepStrictEqual(devices.body, { devices: [{ device_id: "TWO" }] })
    }).pipe(Effect.provide(world)))

  it.effect("does not know every endpoint, and refuses a body of the wrong shape", () =>
    Effect.gen(function*() {
      const homeserver = yield* Homeserver
      const bot = yield* homeserver.as("bot")
      const lost = yield* caller(homeserver)("GET", "/no/such/thing")
      assert.deepStrictEqual([lost.status, dig(lost.body, "errcode")], [404, "M_UNRECOGNIZED"])
      const bad = yield* Effect.flip(bot.request("POST", "/_matrix/client/v3/createRoom", { name: 7 }))
      assert.deepStrictEqual([bad.status, bad.errcode], [400, "M_BAD_JSON"])
      const old = yield* caller(homeserver)("GET", "/_matrix/client/r0/login")
      assert.strictEqual(old.status, 200)
    }).pipe(Effect.provide(world)))
})

describe("presence", () => {
  it.effect("is what the user said last, and nobody else says it", () =>
    Effect.gen(function*() {
      const homeserver = yield* Homeserver
      const [alice, bot] = [yield* homeserver.as("alice"), yield* homeserver.as("bot")]
      const path = `/_matrix/client/v3/presence/${alice.userId}/status`
      assert.deepStrictEqual(yield* bot.request("GET", path), { presence: "offline" })
      yield* alice.request("PUT", path, { presence: "unavailable", status_msg: "tea" })
      assert.deepStrictEqual(yield* bot.request("GET", path), { presence: "unavailable", status_msg: "tea" })
      assert.strictEqual((yield* Effect.flip(bot.request("PUT", path, { presence: "online" }))).errcode, "M_FORBIDDEN")
      assert.strictEqual((yield* Effect.flip(alice.request("PUT", path, { presence: "asleep" }))).status, 400)
    }).pipe(Effect.provide(world)))
})

describe("tokens", () => {
  it.effect("expire softly when they came with a refresh token, which brings the next pair", () =>
    Effect.gen(function*() {
      const homeserver = yield* Homeserver
      const login = yield* caller(homeserver)("POST", "/login", { ...password("open sesame"), refresh_token: true })
      const bot = caller(homeserver, text(login.body, "access_token"))
      yield* TestClock.adjust(Number(dig(login.body, "expires_in_ms")) - 1)
      assert.strictEqual((yield* bot("GET", "/account/whoami")).status, 200)
      yield* TestClock.adjust(1)
      const expired = yield* bot("GET", "/account/whoami")
      assert.deepStrictEqual([expired.status, dig(expired.body, "soft_logout")], [401, true])
      const renewed = yield* caller(homeserver)("POST", "/refresh", {
        refresh_token: text(login.body, "refresh_token")
      })
      const again = caller(homeserver, text(renewed.body, "access_token"))
      assert.strictEqual((yield* again("GET", "/account/whoami")).status, 200)
    }).pipe(Effect.provide(world)))

  it.effect("let the user in on another device, once, when they are login tokens", () =>
    Effect.gen(function*() {
      const homeserver = yield* Homeserver
      const login = yield* caller(homeserver)("POST", "/login", password("open sesame"))
      const bot = caller(homeserver, text(login.body, "access_token"))
      const offer = (auth?: object) => bot("POST", "/_matrix/client/v1/login/get_token", { auth })
      assert.strictEqual((yield* offer()).status, 401)
      const offered = yield* offer({ type: "m.login.password", password: "open sesame" })
      const enter = caller(homeserver)("POST", "/login", {
        type: "m.login.token",
        token: text(offered.body, "login_token")
      })
      assert.strictEqual(dig((yield* enter).body, "user_id"), "@bot:homing.test")
      assert.strictEqual((yield* enter).status, 403)
    }).pipe(Effect.provide(world)))
})

describe("the profile", () => {
  it.effect("shows in the rooms of the user when it changes", () =>
    Effect.gen(function*() {
      const homeserver = yield* Homeserver
      const alice = yield* homeserver.as("alice")
      const room = yield* alice.createRoom()
      yield* alice.setDisplayName("Alice L.")
      assert.deepStrictEqual(dig(yield* alice.state(room, "m.room.member", alice.userId), "displayname"), "Alice L.")
      const shown = yield* caller(homeserver)("GET", `/profile/${alice.userId}/displayname`)
      assert.deepStrictEqual(shown.body, { displayname: "Alice L." })
      const bob = yield* homeserver.as("bob")
      const other = yield* Effect.flip(
        bob.request("PUT", `/_matrix/client/v3/profile/${alice.userId}/displayname`, { displayname: "Mallory" })
      )
      assert.strictEqual(other.errcode, "M_FORBIDDEN")
    }).pipe(Effect.provide(world)))
})
