import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Homeserver } from "../../../src/layers/Homeserver.ts"
import type { Person } from "../../../src/layers/Homeserver/Person.ts"
import { bodies, dig, list, text, types } from "./Caller.ts"

const people = Effect.gen(function*() {
  const homeserver = yield* Homeserver
  return { homeserver, alice: yield* homeserver.as("alice"), bot: yield* homeserver.as("bot") }
})

const sync = (person: Person, query: Readonly<Record<string, string>> = {}) =>
  person.request("GET", "/_matrix/client/v3/sync", undefined, query)
const now = (person: Person) => Effect.map(sync(person), (body) => text(body, "next_batch"))
const sections = (body: unknown, section: string) => Object.keys(Object(dig(body, "rooms", section) ?? {}))
const limit = (n: number) => ({ filter: JSON.stringify({ room: { timeline: { limit: n } } }) })

/** A room of Alice and the bot, both joined. */
const together = Effect.fnUntraced(function*(alice: Person, bot: Person) {
  const room = yield* alice.createRoom({ name: "Tea", invite: [bot.userId] })
  yield* bot.join(room)
  return room
})

const type = (person: Person, room: string, timeout: number) =>
  person.request("PUT", `/_matrix/client/v3/rooms/${room}/typing/${person.userId}`, { typing: timeout > 0, timeout })
const typing = (body: unknown, room: string) =>
  list(body, "rooms", "join", room, "ephemeral", "events").map((event) => dig(event, "content", "user_ids"))

describe("a first sync", () => {
  it.effect("gives ten events a room by default, says that there are more, and the state that goes before them", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* people
      const room = yield* together(alice, bot)
      for (let n = 1; n <= 15; n++) yield* alice.say(room, `m${n}`)
      const body = yield* sync(bot)
      const timeline = dig(body, "rooms", "join", room, "timeline")
      assert.deepStrictEqual([list(timeline, "events").length, dig(timeline, "limited")], [10, true])
      const state = types(list(body, "rooms", "join", room, "state", "events"))
      assert.includeMembers([...state], ["m.room.create", "m.room.power_levels", "m.room.name"])
      const page = yield* bot.request("GET", `/_matrix/client/v3/rooms/${room}/messages`, undefined, {
        dir: "b",
        from: text(timeline, "prev_batch"),
        limit: "2"
      })
      assert.deepStrictEqual(list(page, "chunk").map((event) => dig(event, "content", "body")), ["m5", "m4"])
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("leaves out what stands in the timeline from the state that goes before it", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* people
      const room = yield* together(alice, bot)
      yield* alice.setState(room, "m.room.name", { name: "Coffee" })
      const body = yield* sync(bot, limit(1))
      const names = (key: string) =>
        list(body, "rooms", "join", room, key, "events").filter((event) => dig(event, "type") === "m.room.name")
          .map((event) => dig(event, "content", "name"))
      assert.deepStrictEqual(names("timeline"), ["Coffee"])
      assert.deepStrictEqual(names("state"), ["Tea"])
      const after = yield* sync(bot, { ...limit(1), "org.matrix.msc4222.use_state_after": "true" })
      const stateAfter = list(after, "rooms", "join", room, "org.matrix.msc4222.state_after", "events")
      const name = stateAfter.find((event) => dig(event, "type") === "m.room.name")
      assert.strictEqual(dig(name, "content", "name"), "Coffee")
      assert.strictEqual(dig(after, "rooms", "join", room, "state"), undefined)
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("omits rooms that were left, unless the filter asks for them", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* people
      const room = yield* together(alice, bot)
      yield* bot.leave(room)
      assert.deepStrictEqual(sections(yield* sync(bot), "leave"), [])
      const asked = yield* sync(bot, { filter: JSON.stringify({ room: { include_leave: true } }) })
      assert.deepStrictEqual(sections(asked, "leave"), [room])
    }).pipe(Effect.provide(Homeserver.layer())))
})

describe("a later sync", () => {
  it.effect("gives what is new and nothing else", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* people
      const room = yield* together(alice, bot)
      yield* together(alice, bot)
      yield* alice.say(room, "old")
      const since = yield* now(bot)
      yield* alice.say(room, "new")
      const body = yield* sync(bot, { since })
      assert.deepStrictEqual(sections(body, "join"), [room])
      assert.deepStrictEqual(bodies(body, room), ["new"])
      assert.strictEqual(dig(body, "rooms", "join", room, "timeline", "limited"), false)
      assert.deepStrictEqual(list(body, "rooms", "join", room, "state", "events"), [])
      assert.strictEqual(dig(yield* sync(bot, { since: text(body, "next_batch") }), "rooms"), undefined)
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("limits the timeline and tells the state changes that fell into the gap", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* people
      const room = yield* together(alice, bot)
      const since = yield* now(bot)
      yield* alice.setState(room, "m.room.topic", { topic: "in the gap" })
      for (let n = 1; n <= 4; n++) yield* alice.say(room, `m${n}`)
      const body = yield* sync(bot, { since, ...limit(2) })
      assert.deepStrictEqual(bodies(body, room), ["m3", "m4"])
      assert.strictEqual(dig(body, "rooms", "join", room, "timeline", "limited"), true)
      assert.deepStrictEqual(types(list(body, "rooms", "join", room, "state", "events")), ["m.room.topic"])
      const gap = yield* bot.request("GET", `/_matrix/client/v3/rooms/${room}/messages`, undefined, {
        dir: "b",
        from: text(body, "rooms", "join", room, "timeline", "prev_batch"),
        to: since
      })
      assert.deepStrictEqual(list(gap, "chunk").map((event) => dig(event, "content", "body")), ["m2", "m1", undefined])
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("with full_state gives every joined room with its whole state and account data", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* people
      const quiet = yield* together(alice, bot)
      const busy = yield* together(alice, bot)
      yield* bot.setRoomAccountData(quiet, "dev.homing.chat", { chat_id: "c1" })
      const since = yield* now(bot)
      yield* alice.say(busy, "missed")
      const body = yield* sync(bot, { since, full_state: "true", timeout: "30000" })
      assert.sameMembers(sections(body, "join"), [quiet, busy])
      assert.deepStrictEqual(list(body, "rooms", "join", quiet, "timeline", "events"), [])
      assert.include(types(list(body, "rooms", "join", quiet, "state", "events")), "m.room.create")
      assert.deepStrictEqual(list(body, "rooms", "join", quiet, "account_data", "events"), [
        { type: "dev.homing.chat", content: { chat_id: "c1" } }
      ])
      assert.deepStrictEqual(bodies(body, busy), ["missed"])
      const names = list(body, "rooms", "join", busy, "state", "events").filter((event) =>
        dig(event, "type") === "m.room.name"
      )
      assert.strictEqual(names.length, 1)
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("with full_state repeats no invite and no leave that an earlier one told", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* people
      yield* alice.createRoom({ invite: [bot.userId] })
      yield* bot.leave(yield* together(alice, bot))
      const body = yield* sync(bot, { since: yield* now(bot), full_state: "true" })
      assert.strictEqual(dig(body, "rooms"), undefined)
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("brings an invite with stripped state, once", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* people
      const since = yield* now(bot)
      const room = yield* alice.createRoom({ name: "Secret", encrypted: true, invite: [bot.userId] })
      yield* alice.setState(room, "m.room.name", { name: "Renamed later" })
      const body = yield* sync(bot, { since })
      const state = list(body, "rooms", "invite", room, "invite_state", "events")
      assert.includeMembers([...types(state)], ["m.room.create", "m.room.encryption", "m.room.name"])
      assert.deepStrictEqual(dig(state.find((event) => dig(event, "type") === "m.room.name"), "content"), {
        name: "Secret"
      })
      assert.deepStrictEqual([dig(state.at(-1), "state_key"), dig(state.at(-1), "sender")], [bot.userId, alice.userId])
      assert.strictEqual(dig(yield* sync(bot, { since: text(body, "next_batch") }), "rooms"), undefined)
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("shows a newly joined room as a new one, and so a room joined again", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* people
      const room = yield* alice.createRoom({ invite: [bot.userId] })
      yield* alice.say(room, "before you came")
      const invited = yield* now(bot)
      yield* bot.join(room)
      const joined = yield* sync(bot, { since: invited, ...limit(3) })
      assert.deepStrictEqual(bodies(joined, room), ["before you came"])
      assert.include(types(list(joined, "rooms", "join", room, "state", "events")), "m.room.create")
      yield* bot.leave(room)
      yield* alice.invite(room, bot.userId)
      yield* bot.join(room)
      const again = yield* sync(bot, { since: text(joined, "next_batch"), ...limit(1) })
      assert.include(types(list(again, "rooms", "join", room, "state", "events")), "m.room.create")
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("tells of a leave, a kick, a ban and a refused invite, and of nothing that came after", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* people
      const [left, kicked, banned] = yield* Effect.all([
        together(alice, bot),
        together(alice, bot),
        together(alice, bot)
      ])
      const refused = yield* alice.createRoom({ invite: [bot.userId] })
      const since = yield* now(bot)
      yield* alice.say(kicked, "goodbye")
      yield* alice.say(refused, "not for you")
      yield* bot.leave(left)
      yield* alice.kick(kicked, bot.userId)
      yield* alice.ban(banned, bot.userId)
      yield* bot.leave(refused)
      yield* alice.say(kicked, "he is gone")
      const body = yield* sync(bot, { since })
      assert.sameMembers(sections(body, "leave"), [left, kicked, banned, refused])
      assert.deepStrictEqual(bodies(body, kicked, "leave"), ["goodbye"])
      const last = (room: string) => list(body, "rooms", "leave", room, "timeline", "events").at(-1)
      assert.deepStrictEqual([dig(last(kicked), "sender"), dig(last(kicked), "content", "membership")], [
        alice.userId,
        "leave"
      ])
      assert.strictEqual(dig(last(banned), "content", "membership"), "ban")
      assert.deepStrictEqual(bodies(body, refused, "leave"), [])
      assert.strictEqual(dig(yield* sync(bot, { since: text(body, "next_batch") }), "rooms"), undefined)
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("brings account data, typing and receipts when they change", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* people
      const room = yield* together(alice, bot)
      const message = yield* alice.say(room, "read me")
      const since = yield* now(alice)
      yield* bot.request("PUT", `/_matrix/client/v3/rooms/${room}/typing/${bot.userId}`, {
        typing: true,
        timeout: 5000
      })
      yield* bot.request("POST", `/_matrix/client/v3/rooms/${room}/receipt/m.read/${encodeURIComponent(message)}`, {})
      yield* bot.setRoomAccountData(room, "dev.homing.chat", { private: true })
      const hers = yield* sync(alice, { since })
      assert.deepStrictEqual(list(hers, "rooms", "join", room, "ephemeral", "events"), [
        { type: "m.typing", content: { user_ids: [bot.userId] } },
        { type: "m.receipt", content: { [message]: { "m.read": { [bot.userId]: { ts: 0 } } } } }
      ])
      assert.deepStrictEqual(list(hers, "rooms", "join", room, "account_data", "events"), [])
      const own = yield* sync(bot, { since })
      assert.deepStrictEqual(list(own, "rooms", "join", room, "account_data", "events"), [
        { type: "dev.homing.chat", content: { private: true } }
      ])
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("leaves out what the filter does not want, stored or inline", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* people
      const room = yield* together(alice, bot)
      const since = yield* now(bot)
      yield* bot.say(room, "mine")
      const filter = { room: { timeline: { not_senders: [bot.userId], types: ["m.room.message"] } } }
      const inline = yield* sync(bot, { since, filter: JSON.stringify(filter) })
      assert.strictEqual(dig(inline, "rooms"), undefined)
      yield* alice.say(room, "hers")
      const stored = yield* bot.request("POST", `/_matrix/client/v3/user/${bot.userId}/filter`, filter)
      const body = yield* sync(bot, { since, filter: text(stored, "filter_id") })
      assert.deepStrictEqual(bodies(body, room), ["hers"])
      assert.strictEqual((yield* Effect.flip(sync(bot, { filter: "77" }))).errcode, "M_INVALID_PARAM")
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("keeps to the rooms of a filter for what passes and for account data", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* people
      const [one, two] = [yield* together(alice, bot), yield* together(alice, bot)]
      const since = yield* now(bot)
      for (const room of [one, two]) {
        yield* type(alice, room, 5000)
        yield* bot.setRoomAccountData(room, "dev.homing.chat", { private: true })
      }
      const filter = JSON.stringify({ room: { ephemeral: { rooms: [one] }, account_data: { not_rooms: [one] } } })
      const body = yield* sync(bot, { since, filter })
      const parts = (room: string) =>
        ["ephemeral", "account_data"].map((part) => types(list(body, "rooms", "join", room, part, "events")))
      assert.deepStrictEqual([parts(one), parts(two)], [[["m.typing"], []], [[], ["dev.homing.chat"]]])
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("refuses a position that it does not know", () =>
    Effect.gen(function*() {
      const { bot, homeserver } = yield* people
      const since = yield* now(bot)
      yield* homeserver.forgetPositions
      const forgotten = yield* Effect.flip(sync(bot, { since }))
      assert.deepStrictEqual([forgotten.status, forgotten.errcode], [400, "M_UNKNOWN"])
      assert.strictEqual((yield* Effect.flip(sync(bot, { since: "nonsense" }))).status, 400)
      yield* sync(bot, { since: yield* now(bot) })
    }).pipe(Effect.provide(Homeserver.layer())))
})

describe("a long poll", () => {
  it.effect("ends as soon as something happens", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* people
      const room = yield* together(alice, bot)
      const poll = yield* Effect.forkChild(sync(bot, { since: yield* now(bot), timeout: "30000" }))
      yield* TestClock.adjust("29 seconds")
      assert.strictEqual(poll.pollUnsafe(), undefined)
      yield* alice.say(room, "wake up")
      assert.deepStrictEqual(bodies(yield* Fiber.join(poll), room), ["wake up"])
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("is shown a new room whole, although its events come one by one", () =>
    Effect.gen(function*() {
      const { alice } = yield* people
      const poll = yield* Effect.forkChild(sync(alice, { since: yield* now(alice), timeout: "30000" }))
      yield* TestClock.adjust("1 seconds")
      const room = yield* alice.createRoom({ name: "Tea", encrypted: true })
      const events = types(list(yield* Fiber.join(poll), "rooms", "join", room, "timeline", "events"))
      assert.deepStrictEqual([events.at(0), events.at(-1)], ["m.room.create", "m.room.name"])
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("ends empty when its time is up", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* people
      yield* together(alice, bot)
      const since = yield* now(bot)
      const poll = yield* Effect.forkChild(sync(bot, { since, timeout: "30000" }))
      yield* TestClock.adjust("29999 millis")
      assert.strictEqual(poll.pollUnsafe(), undefined)
      yield* TestClock.adjust("1 millis")
      const body = yield* Fiber.join(poll)
      assert.deepStrictEqual([dig(body, "next_batch"), dig(body, "rooms")], [since, undefined])
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("ends when somebody has stopped typing without a word, and says so once", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* people
      const room = yield* together(alice, bot)
      const start = yield* now(bot)
      yield* type(alice, room, 5000)
      const begun = yield* sync(bot, { since: start })
      assert.deepStrictEqual(typing(begun, room), [[alice.userId]])
      const since = text(begun, "next_batch")
      const poll = yield* Effect.forkChild(sync(bot, { since, timeout: "30000" }))
      yield* TestClock.adjust("4999 millis")
      assert.strictEqual(poll.pollUnsafe(), undefined)
      yield* TestClock.adjust("1 millis")
      const ended = yield* Fiber.join(poll)
      assert.deepStrictEqual(typing(ended, room), [[]])
      yield* type(alice, room, 0)
      const rest = yield* Effect.forkChild(sync(bot, { since: text(ended, "next_batch"), timeout: "30000" }))
      yield* TestClock.adjust("29 seconds")
      assert.strictEqual(rest.pollUnsafe(), undefined)
      yield* Fiber.interrupt(rest)
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("ends when somebody who types leaves, and lasts an hour at most", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* people
      const room = yield* together(alice, bot)
      yield* type(alice, room, 100_000)
      const left = yield* now(bot)
      yield* alice.leave(room)
      assert.deepStrictEqual(typing(yield* sync(bot, { since: left }), room), [[]])
      const poll = yield* Effect.forkChild(sync(bot, { since: yield* now(bot), timeout: "1e300" }))
      yield* TestClock.adjust("59 minutes")
      assert.strictEqual(poll.pollUnsafe(), undefined)
      yield* TestClock.adjust("1 minutes")
      yield* Fiber.join(poll)
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("sleeps through what is none of its user's business", () =>
    Effect.gen(function*() {
      const { alice, bot } = yield* people
      yield* together(alice, bot)
      const other = yield* alice.createRoom()
      const poll = yield* Effect.forkChild(sync(bot, { since: yield* now(bot), timeout: "30000" }))
      yield* TestClock.adjust("1 seconds")
      yield* alice.say(other, "to myself")
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(poll.pollUnsafe(), undefined)
      yield* Fiber.interrupt(poll)
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("ends with 401 when the token ends", () =>
    Effect.gen(function*() {
      const { bot, homeserver } = yield* people
      const poll = yield* Effect.forkChild(Effect.flip(sync(bot, { since: yield* now(bot), timeout: "30000" })))
      yield* TestClock.adjust("1 seconds")
      yield* homeserver.signOut("bot")
      assert.strictEqual((yield* Fiber.join(poll)).errcode, "M_UNKNOWN_TOKEN")
    }).pipe(Effect.provide(Homeserver.layer())))
})
