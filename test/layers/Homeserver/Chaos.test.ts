import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Homeserver } from "../../../src/layers/Homeserver.ts"
import { badDay, chaos } from "../../../src/layers/Homeserver/Chaos.ts"
import { FaultEffect, rateLimited } from "../../../src/layers/Homeserver/Faults.ts"
import { bodies, type Call, caller, dig, list, text } from "./Caller.ts"

const world = Homeserver.layer({ users: [{ name: "bot", password: "pw" }] })

const signIn = (homeserver: Homeserver["Service"], device = "HOMING") =>
  Effect.map(
    caller(homeserver)("POST", "/login", {
      type: "m.login.password",
      identifier: { type: "m.id.user", user: "bot" },
      password: "pw",
      device_id: device
    }),
    (answer) => caller(homeserver, text(answer.body, "access_token"))
  )

/** Alice and the bot in a room, the bot about to ask what came after `since`. */
const waiting = Effect.gen(function*() {
  const homeserver = yield* Homeserver
  const bot = yield* signIn(homeserver)
  const alice = yield* homeserver.as("alice")
  const room = yield* alice.createRoom({ invite: ["@bot:homing.test"] })
  yield* bot("POST", `/join/${room}`)
  const since = text((yield* bot("GET", "/sync")).body, "next_batch")
  return { homeserver, alice, bot, room, since }
})

const news = (bot: Call, since: string) => Effect.map(bot("GET", "/sync", undefined, { since }), ({ body }) => body)

describe("an answer of /sync on a bad day", () => {
  it.effect("leaves a gap that can be filled", () =>
    Effect.gen(function*() {
      const { alice, bot, homeserver, room, since } = yield* waiting
      yield* alice.setState(room, "m.room.topic", { topic: "in the gap" })
      for (const word of ["one", "two", "three"]) yield* alice.say(room, word)
      yield* homeserver.inject({ path: "/sync", effect: FaultEffect.Gap() })
      const body = yield* news(bot, since)
      assert.deepStrictEqual(bodies(body, room), ["three"])
      assert.strictEqual(dig(body, "rooms", "join", room, "timeline", "limited"), true)
      assert.strictEqual(dig(list(body, "rooms", "join", room, "state", "events")[0], "type"), "m.room.topic")
      const from = text(body, "rooms", "join", room, "timeline", "prev_batch")
      const gap = yield* bot("GET", `/rooms/${room}/messages`, undefined, { dir: "b", from, to: since })
      const missed = list(gap.body, "chunk").map((event) => dig(event, "content", "body"))
      assert.deepStrictEqual(missed, ["two", "one", undefined])
    }).pipe(Effect.provide(world)))

  it.effect("tells every event twice, or the rooms in the opposite order", () =>
    Effect.gen(function*() {
      const { alice, bot, homeserver, room, since } = yield* waiting
      const other = yield* alice.createRoom({ invite: ["@bot:homing.test"] })
      yield* bot("POST", `/join/${other}`)
      yield* alice.say(room, "once")
      yield* homeserver.inject({ path: "/sync", effect: FaultEffect.Duplicated() })
      assert.deepStrictEqual(bodies(yield* news(bot, since), room), ["once", "once"])
      const order = Object.keys(Object(dig(yield* news(bot, since), "rooms", "join")))
      assert.strictEqual(order.length, 2)
      yield* homeserver.inject({ path: "/sync", effect: FaultEffect.Reordered() })
      const turned = Object.keys(Object(dig(yield* news(bot, since), "rooms", "join")))
      assert.deepStrictEqual(turned, order.toReversed())
    }).pipe(Effect.provide(world)))

  it.effect("does not know a position that was given before", () =>
    Effect.gen(function*() {
      const { bot, homeserver, since } = yield* waiting
      yield* homeserver.inject({ path: "/sync", effect: FaultEffect.ForgottenPositions() })
      assert.deepStrictEqual(dig(yield* news(bot, since), "errcode"), "M_UNKNOWN")
      assert.strictEqual((yield* bot("GET", "/sync")).status, 200)
    }).pipe(Effect.provide(world)))
})

describe("any request on a bad day", () => {
  it.effect("finds its token ended: softly, so that the device goes on, or with the device", () =>
    Effect.gen(function*() {
      const { alice, bot, homeserver, room } = yield* waiting
      const send = (who: Call) => who("PUT", `/rooms/${room}/send/m.room.message/t1`, { body: "once" })
      const first = yield* send(bot)
      yield* homeserver.inject({ effect: FaultEffect.SignedOut({ softLogout: true }) })
      const soft = yield* bot("GET", "/account/whoami")
      assert.deepStrictEqual([soft.status, dig(soft.body, "soft_logout")], [401, true])
      const again = yield* signIn(homeserver)
      assert.deepStrictEqual((yield* send(again)).body, first.body)
      yield* homeserver.inject({ effect: FaultEffect.SignedOut({ softLogout: false }) })
      const hard = yield* again("GET", "/account/whoami")
      assert.deepStrictEqual([hard.status, dig(hard.body, "soft_logout")], [401, false])
      const anew = yield* signIn(homeserver)
      assert.notDeepEqual((yield* send(anew)).body, first.body)
      assert.strictEqual((yield* alice.messages(room)).filter(({ content }) => content["body"] === "once").length, 2)
    }).pipe(Effect.provide(world)))

  it.effect("meets a server whose clock is wrong", () =>
    Effect.gen(function*() {
      const { alice, bot, homeserver, room } = yield* waiting
      yield* homeserver.inject({ effect: FaultEffect.ClockSkew({ by: "1 hour", behind: true }) })
      yield* bot("PUT", `/rooms/${room}/send/m.room.message/t1`, { body: "late" })
      yield* homeserver.inject({ effect: FaultEffect.ClockSkew({ by: "1 minute" }) })
      yield* bot("PUT", `/rooms/${room}/send/m.room.message/t2`, { body: "early" })
      const times = (yield* alice.messages(room)).slice(-2).map((event) => event.origin_server_ts)
      assert.deepStrictEqual(times, [-3_600_000, 60_000])
    }).pipe(Effect.provide(world)))

  it.effect("is not told how long to wait", () =>
    Effect.gen(function*() {
      const { bot, homeserver } = yield* waiting
      yield* homeserver.inject({ effect: rateLimited() })
      const limited = yield* bot("GET", "/account/whoami")
      assert.deepStrictEqual([limited.status, limited.headers, dig(limited.body, "retry_after_ms")], [
        429,
        undefined,
        undefined
      ])
    }).pipe(Effect.provide(world)))
})

describe("chance", () => {
  const request = (path: string) => ({ method: "PUT", path, query: {}, body: {}, accessToken: undefined })
  const send = (room: number) => request(`/_matrix/client/v3/rooms/!${room}%3Ah/send/m.room.message/t${room}`)
  const sync = { ...request("/_matrix/client/v3/sync"), method: "GET" }
  const fates = (seed: number, rates = badDay) => {
    const weather = chaos(seed, rates)
    return Array.from({ length: 400 }, (_, n) => weather(send(n), "@bot:h"))
  }

  it("has the same fate for the same seed, and another for another", () => {
    assert.deepStrictEqual(fates(1), fates(1))
    assert.notDeepEqual(fates(1), fates(2))
  })

  it("does not mind what requests to other endpoints come in between", () => {
    const weather = chaos(1)
    const mixed = Array.from({ length: 400 }, (_, n) => {
      weather(sync, "@bot:h")
      weather(send(n), "@somebody:h")
      return weather(send(n), "@bot:h")
    })
    assert.deepStrictEqual(mixed, fates(1))
  })

  it("keeps to the rates, and what is of /sync befalls nothing else", () => {
    const share = (seed: number, rates: Parameters<typeof chaos>[1]) =>
      fates(seed, rates).filter((fate) => fate !== undefined).length / 400
    assert.strictEqual(share(1, { gap: 1 }), 0)
    assert.strictEqual(share(1, { reset: 1 }), 1)
    assert.approximately(share(1, { lostAnswer: 0.25 }), 0.25, 0.07)
    const weather = chaos(1, { gap: 1 })
    assert.strictEqual(weather(sync, "@bot:h")?._tag, "Gap")
  })

  it.effect("rules where no fault is injected, until the faults are cleared", () =>
    Effect.gen(function*() {
      const { bot, homeserver } = yield* waiting
      yield* homeserver.expose(chaos("seed", { serverError: 1 }))
      assert.oneOf((yield* bot("GET", "/account/whoami")).status, [500, 502, 504])
      yield* homeserver.clearFaults
      assert.strictEqual((yield* bot("GET", "/account/whoami")).status, 200)
    }).pipe(Effect.provide(world)))
})
