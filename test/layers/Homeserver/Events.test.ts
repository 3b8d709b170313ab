import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Homeserver } from "../../../src/layers/Homeserver.ts"
import { caller, dig, list, text } from "./Caller.ts"

const v3 = "/_matrix/client/v3"
const world = Homeserver.layer({ users: [{ name: "bot", password: "pw" }] })

/** Alice and the bot in one room; the bot as a bare token on the device HOMING. */
const roomOfTwo = Effect.gen(function*() {
  const homeserver = yield* Homeserver
  const alice = yield* homeserver.as("alice")
  const signIn = Effect.map(
    caller(homeserver)("POST", "/login", {
      type: "m.login.password",
      identifier: { type: "m.id.user", user: "bot" },
      password: "pw",
      device_id: "HOMING"
    }),
    (answer) => caller(homeserver, text(answer.body, "access_token"))
  )
  const bot = yield* signIn
  const room = yield* alice.createRoom({ invite: ["@bot:homing.test"] })
  yield* bot("POST", `/join/${room}`)
  return { alice, bot, room, signIn, homeserver }
})

const said = (body: string) => ({ msgtype: "m.text", body })

describe("sending", () => {
  it.effect("answers the same event id to the same transaction id, from a later login of the device too", () =>
    Effect.gen(function*() {
      const { alice, bot, room, signIn } = yield* roomOfTwo
      const path = `/rooms/${room}/send/m.room.message/t1`
      const first = yield* bot("PUT", path, said("once"))
      const again = yield* bot("PUT", path, said("once"))
      const later = yield* (yield* signIn)("PUT", path, said("once"))
      assert.strictEqual(first.status, 200)
      assert.deepStrictEqual([again.body, later.body], [first.body, first.body])
      const sent = (yield* alice.messages(room)).filter((event) => event.content["body"] === "once")
      assert.strictEqual(sent.length, 1)
    }).pipe(Effect.provide(world)))

  it.effect("takes the same transaction id as a new message in another room and from another device", () =>
    Effect.gen(function*() {
      const { alice, bot, homeserver, room } = yield* roomOfTwo
      const first = yield* bot("PUT", `/rooms/${room}/send/m.room.message/t1`, said("a"))
      const other = yield* alice.createRoom({ invite: ["@bot:homing.test"] })
      yield* bot("POST", `/join/${other}`)
      const elsewhere = yield* bot("PUT", `/rooms/${other}/send/m.room.message/t1`, said("a"))
      const person = yield* homeserver.as("bot")
      const device = yield* person.request("PUT", `${v3}/rooms/${room}/send/m.room.message/t1`, said("a"))
      assert.strictEqual(
        new Set([dig(first.body, "event_id"), dig(elsewhere.body, "event_id"), dig(device, "event_id")]).size,
        3
      )
    }).pipe(Effect.provide(world)))

  it.effect("tells the transaction id to the sending device alone", () =>
    Effect.gen(function*() {
      const { alice, bot, room } = yield* roomOfTwo
      const sent = yield* bot("PUT", `/rooms/${room}/send/m.room.message/t1`, said("a"))
      const path = `/rooms/${room}/event/${encodeURIComponent(text(sent.body, "event_id"))}`
      const own = yield* bot("GET", path)
      const hers = yield* alice.request("GET", `${v3}${path}`)
      assert.strictEqual(dig(own.body, "unsigned", "transaction_id"), "t1")
      assert.strictEqual(dig(hers, "unsigned", "transaction_id"), undefined)
    }).pipe(Effect.provide(world)))

  it.effect("redacts a message: own ones always, those of others by power", () =>
    Effect.gen(function*() {
      const { alice, bot, room } = yield* roomOfTwo
      const hers = yield* alice.say(room, "secret")
      const forbidden = yield* bot("PUT", `/rooms/${room}/redact/${encodeURIComponent(hers)}/r1`, {})
      assert.strictEqual(forbidden.status, 403)
      yield* alice.redact(room, hers)
      const gone = yield* bot("GET", `/rooms/${room}/event/${encodeURIComponent(hers)}`)
      assert.deepStrictEqual(dig(gone.body, "content"), {})
      assert.strictEqual(dig(gone.body, "unsigned", "redacted_because", "redacts"), hers)
    }).pipe(Effect.provide(world)))
})

describe("reading back", () => {
  it.effect("pages backwards through everything, newest first, and ends without an end", () =>
    Effect.gen(function*() {
      const { alice, bot, room } = yield* roomOfTwo
      for (let n = 1; n <= 7; n++) yield* alice.say(room, `m${n}`)
      const seen: Array<unknown> = []
      let from: string | undefined
      do {
        const page = yield* bot("GET", `/rooms/${room}/messages`, undefined, {
          dir: "b",
          limit: "3",
          ...(from === undefined ? {} : { from })
        })
        seen.push(...list(page.body, "chunk"))
        const end = dig(page.body, "end")
        from = typeof end === "string" ? end : undefined
      } while (from !== undefined)
      const bodies = seen.map((event) => dig(event, "content", "body")).filter((body) => body !== undefined)
      assert.deepStrictEqual(bodies, ["m7", "m6", "m5", "m4", "m3", "m2", "m1"])
      assert.strictEqual(dig(seen.at(-1), "type"), "m.room.create")
    }).pipe(Effect.provide(world)))

  it.effect("stops at `to`, which may be a sync token", () =>
    Effect.gen(function*() {
      const { alice, bot, room } = yield* roomOfTwo
      yield* alice.say(room, "old")
      const to = text((yield* bot("GET", "/sync")).body, "next_batch")
      yield* alice.say(room, "new 1")
      yield* alice.say(room, "new 2")
      const page = yield* bot("GET", `/rooms/${room}/messages`, undefined, { dir: "b", to, limit: "50" })
      assert.deepStrictEqual(list(page.body, "chunk").map((event) => dig(event, "content", "body")), ["new 2", "new 1"])
      const beyond = yield* bot("GET", `/rooms/${room}/messages`, undefined, {
        dir: "b",
        to,
        from: text(page.body, "end")
      })
      assert.deepStrictEqual([dig(beyond.body, "chunk"), dig(beyond.body, "end")], [[], undefined])
    }).pipe(Effect.provide(world)))

  it.effect("filters what it gives, and never gives more than a hundred", () =>
    Effect.gen(function*() {
      const { alice, bot, room } = yield* roomOfTwo
      for (let n = 1; n <= 120; n++) yield* alice.say(room, `m${n}`)
      const page = yield* bot("GET", `/rooms/${room}/messages`, undefined, { dir: "f", limit: "1000" })
      assert.strictEqual(list(page.body, "chunk").length, 100)
      const filter = JSON.stringify({ types: ["m.room.cre*"] })
      const created = yield* bot("GET", `/rooms/${room}/messages`, undefined, { dir: "b", limit: "5", filter })
      assert.deepStrictEqual(list(created.body, "chunk").map((event) => dig(event, "type")), ["m.room.create"])
    }).pipe(Effect.provide(world)))

  it.effect("gives the surroundings of an event", () =>
    Effect.gen(function*() {
      const { alice, bot, room } = yield* roomOfTwo
      yield* alice.say(room, "before")
      const middle = yield* alice.say(room, "middle")
      yield* alice.say(room, "after")
      const found = yield* bot("GET", `/rooms/${room}/context/${encodeURIComponent(middle)}`, undefined, { limit: "2" })
      assert.strictEqual(dig(found.body, "events_before", 0, "content", "body"), "before")
      assert.strictEqual(dig(found.body, "event", "event_id"), middle)
      assert.strictEqual(dig(found.body, "events_after", 0, "content", "body"), "after")
    }).pipe(Effect.provide(world)))
})

describe("account data", () => {
  it.effect("of a room is kept for its owner alone", () =>
    Effect.gen(function*() {
      const { alice, bot, room } = yield* roomOfTwo
      const path = `/user/@bot:homing.test/rooms/${room}/account_data/dev.homing.chat`
      assert.strictEqual((yield* bot("GET", path)).status, 404)
      yield* bot("PUT", path, { chat_id: "c1" })
      assert.deepStrictEqual((yield* bot("GET", path)).body, { chat_id: "c1" })
      assert.strictEqual((yield* Effect.flip(alice.request("GET", `${v3}${path}`))).status, 403)
      assert.strictEqual(yield* alice.roomAccountData(room, "dev.homing.chat"), undefined)
    }).pipe(Effect.provide(world)))

  it.effect("of the account can be written and read", () =>
    Effect.gen(function*() {
      const { bot } = yield* roomOfTwo
      yield* bot("PUT", "/user/@bot:homing.test/account_data/m.direct", { "@alice:homing.test": [] })
      const read = yield* bot("GET", "/user/@bot:homing.test/account_data/m.direct")
      assert.deepStrictEqual(read.body, { "@alice:homing.test": [] })
    }).pipe(Effect.provide(world)))
})

const keysOf = (body: unknown) => Object.keys(Object(dig(body, "one_time_keys", "@bot:homing.test", "HOMING")))

describe("device keys", () => {
  it.effect("are uploaded, asked for and claimed, each one-time key once, then the fallback key", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* roomOfTwo
      const uploaded = yield* bot("POST", "/keys/upload", {
        device_keys: { user_id: "@bot:homing.test", device_id: "HOMING", keys: { "ed25519:HOMING": "k" } },
        one_time_keys: { "signed_curve25519:A": { key: "a" } },
        fallback_keys: { "signed_curve25519:F": { key: "f", fallback: true } }
      })
      assert.deepStrictEqual(uploaded.body, { one_time_key_counts: { signed_curve25519: 1 } })
      const found = yield* alice.request("POST", `${v3}/keys/query`, { device_keys: { "@bot:homing.test": [] } })
      assert.strictEqual(dig(found, "device_keys", "@bot:homing.test", "HOMING", "keys", "ed25519:HOMING"), "k")
      const claim = alice.request("POST", `${v3}/keys/claim`, {
        one_time_keys: { "@bot:homing.test": { HOMING: "signed_curve25519" } }
      })
      assert.deepStrictEqual(keysOf(yield* claim), ["signed_curve25519:A"])
      assert.deepStrictEqual(keysOf(yield* claim), ["signed_curve25519:F"])
      assert.deepStrictEqual(keysOf(yield* claim), ["signed_curve25519:F"])
    }).pipe(Effect.provide(world)))

  it.effect("to-device messages come until they are acknowledged", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* roomOfTwo
      const since = text((yield* bot("GET", "/sync")).body, "next_batch")
      yield* alice.request("PUT", `${v3}/sendToDevice/m.test/x1`, {
        messages: { "@bot:homing.test": { "*": { n: 1 } } }
      })
      yield* alice.request("PUT", `${v3}/sendToDevice/m.test/x1`, {
        messages: { "@bot:homing.test": { "*": { n: 1 } } }
      })
      const first = yield* bot("GET", "/sync", undefined, { since })
      const repeated = yield* bot("GET", "/sync", undefined, { since })
      const expected = [{ sender: alice.userId, type: "m.test", content: { n: 1 } }]
      assert.deepStrictEqual(list(first.body, "to_device", "events"), expected)
      assert.deepStrictEqual(list(repeated.body, "to_device", "events"), expected)
      const next = yield* bot("GET", "/sync", undefined, { since: text(first.body, "next_batch") })
      assert.deepStrictEqual(list(next.body, "to_device", "events"), [])
    }).pipe(Effect.provide(world)))
})
