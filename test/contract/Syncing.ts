import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, type Layer } from "effect"
import { bodies, dig, list, text, types } from "../layers/Homeserver/Caller.ts"
import {
  createRoom,
  joined,
  newClient,
  nextBatch,
  path,
  putState,
  refusal,
  roomWith,
  say,
  type Server,
  sync,
  typesIn
} from "./Server.ts"

const couple = Effect.gen(function*() {
  const [anna, ben] = [yield* newClient("anna"), yield* newClient("ben")]
  return { anna, ben, room: yield* roomWith(anna, ben) }
})

const limited = (limit: number) => ({ filter: JSON.stringify({ room: { timeline: { limit } } }) })

/** "Syncing", with what it brings. */
export const syncContract = <E>(name: string, server: Layer.Layer<Server, E>) =>
  layer(server, { excludeTestServices: true })(`${name}: syncing`, (it) => {
    it.effect("begins with every joined room: a timeline, and the state before it", () =>
      Effect.gen(function*() {
        const { anna, ben, room } = yield* couple
        yield* putState(anna, room, "m.room.topic", { topic: "Assam" })
        yield* say(anna, room, "hello")
        const { body } = yield* sync(ben, limited(1))
        assert.deepStrictEqual(bodies(body, room), ["hello"])
        assert.strictEqual(joined(body, room, "timeline", "limited"), true)
        assert.isString(joined(body, room, "timeline", "prev_batch"))
        assert.includeMembers([...typesIn(body, room, "state")], ["m.room.create", "m.room.topic", "m.room.member"])
      }))

    it.effect("goes on with what is new and nothing else", () =>
      Effect.gen(function*() {
        const { anna, ben, room } = yield* couple
        yield* roomWith(anna, ben)
        const since = yield* nextBatch(ben)
        yield* say(anna, room, "new")
        const { body } = yield* sync(ben, { since })
        assert.deepStrictEqual(bodies(body, room), ["new"])
        assert.deepStrictEqual(Object.keys(Object(dig(body, "rooms", "join"))), [room])
        assert.deepStrictEqual(typesIn(body, room, "state"), [])
        const quiet = yield* sync(ben, { since: text(body, "next_batch"), timeout: "0" })
        assert.isUndefined(joined(quiet.body, room))
      }))

    it.effect("holds a request until something comes, or its time is up", () =>
      Effect.gen(function*() {
        const { anna, ben, room } = yield* couple
        const since = yield* nextBatch(ben)
        const asked = yield* Deferred.make<void>()
        const poll = yield* Effect.forkChild(
          Effect.andThen(Deferred.succeed(asked, undefined), sync(ben, { since, timeout: "30000" }))
        )
        yield* Deferred.await(asked)
        yield* say(anna, room, "wake up")
        const { body } = yield* Fiber.join(poll)
        assert.deepStrictEqual(bodies(body, room), ["wake up"])
        const empty = yield* sync(ben, { since: text(body, "next_batch"), timeout: "50" })
        assert.isUndefined(joined(empty.body, room))
        assert.isString(dig(empty.body, "next_batch"))
      }))

    it.effect("gives the whole state again with full_state, and repeats no message", () =>
      Effect.gen(function*() {
        const { anna, ben, room } = yield* couple
        yield* say(anna, room, "old")
        const since = yield* nextBatch(ben)
        const { body } = yield* sync(ben, { since, full_state: "true" })
        assert.deepStrictEqual(bodies(body, room), [])
        assert.includeMembers([...typesIn(body, room, "state")], ["m.room.create", "m.room.member"])
      }))

    it.effect("brings an invite with stripped state, and drops it once it is refused", () =>
      Effect.gen(function*() {
        const { anna, ben } = yield* couple
        const since = yield* nextBatch(ben)
        const room = yield* createRoom(anna, { preset: "private_chat", name: "Secret", invite: [ben.userId] })
        const { body } = yield* sync(ben, { since })
        const shown = list(body, "rooms", "invite", room, "invite_state", "events")
        assert.includeMembers([...types(shown)], ["m.room.create", "m.room.name", "m.room.join_rules", "m.room.member"])
        const invite = shown.find((event) => dig(event, "state_key") === ben.userId)
        assert.deepStrictEqual([dig(invite, "sender"), dig(invite, "content", "membership")], [anna.userId, "invite"])
        yield* ben.ask("POST", `/rooms/${path(room)}/leave`)
        const after = yield* sync(ben, { since: text(body, "next_batch") })
        assert.isUndefined(dig(after.body, "rooms", "invite", room))
        assert.isDefined(dig(after.body, "rooms", "leave", room))
      }))

    it.effect("tells of a knock to who knocks, and to who may answer it", () =>
      Effect.gen(function*() {
        const { anna, ben } = yield* couple
        const room = yield* createRoom(anna, {
          preset: "private_chat",
          initial_state: [{ type: "m.room.join_rules", state_key: "", content: { join_rule: "knock" } }]
        })
        const [hers, his] = [yield* nextBatch(anna), yield* nextBatch(ben)]
        yield* ben.ask("POST", `/knock/${path(room)}`, { body: { reason: "please" } })
        const seen = yield* sync(ben, { since: his })
        assert.isNotEmpty(list(seen.body, "rooms", "knock", room, "knock_state", "events"))
        const heard = yield* sync(anna, { since: hers })
        assert.deepInclude(
          list(heard.body, "rooms", "join", room, "timeline", "events").map((event) => dig(event, "content")).at(-1),
          {
            membership: "knock",
            reason: "please"
          }
        )
      }))

    it.effect("tells of a kick, and of nothing after it", () =>
      Effect.gen(function*() {
        const { anna, ben, room } = yield* couple
        const since = yield* nextBatch(ben)
        yield* say(anna, room, "goodbye")
        yield* anna.ask("POST", `/rooms/${path(room)}/kick`, { body: { user_id: ben.userId } })
        yield* say(anna, room, "he is gone")
        const { body } = yield* sync(ben, { since })
        assert.deepStrictEqual(bodies(body, room, "leave"), ["goodbye"])
        const last = list(body, "rooms", "leave", room, "timeline", "events").at(-1)
        assert.deepStrictEqual([dig(last, "state_key"), dig(last, "content", "membership")], [ben.userId, "leave"])
        // Who was made to leave is told even by a first sync; who left by themselves is not.
        assert.isDefined(dig((yield* sync(ben)).body, "rooms", "leave", room))
        const other = yield* roomWith(anna, ben)
        yield* ben.ask("POST", `/rooms/${path(other)}/leave`)
        assert.isUndefined(dig((yield* sync(ben)).body, "rooms", "leave", other))
      }))

    it.effect("loads members lazily: those who speak, and oneself", () =>
      Effect.gen(function*() {
        const { anna, ben, room } = yield* couple
        const cleo = yield* newClient("cleo")
        yield* anna.ask("POST", `/rooms/${path(room)}/invite`, { body: { user_id: cleo.userId } })
        yield* cleo.ask("POST", `/join/${path(room)}`)
        yield* putState(anna, room, "m.room.name", { name: "Tea" })
        yield* say(cleo, room, "hello")
        const filter = JSON.stringify({ room: { timeline: { limit: 1 }, state: { lazy_load_members: true } } })
        const { body } = yield* sync(ben, { filter })
        const members = list(body, "rooms", "join", room, "state", "events")
          .filter((event) => dig(event, "type") === "m.room.member")
          .map((event) => dig(event, "state_key"))
        assert.include(members, cleo.userId)
        assert.include(members, ben.userId)
        assert.notInclude(members, anna.userId)
        assert.strictEqual(joined(body, room, "summary", "m.joined_member_count"), 3)
      }))

    it.effect("keeps to a stored filter, and knows which it does not have", () =>
      Effect.gen(function*() {
        const { anna, ben, room } = yield* couple
        const since = yield* nextBatch(ben)
        const stored = yield* ben.ask("POST", `/user/${path(ben.userId)}/filter`, {
          body: { room: { timeline: { not_senders: [ben.userId], types: ["m.room.message"] } } }
        })
        const id = text(stored.body, "filter_id")
        const read = yield* ben.ask("GET", `/user/${path(ben.userId)}/filter/${id}`)
        assert.deepStrictEqual(dig(read.body, "room", "timeline", "types"), ["m.room.message"])
        yield* say(ben, room, "mine")
        yield* say(anna, room, "hers")
        assert.deepStrictEqual(bodies((yield* sync(ben, { since, filter: id })).body, room), ["hers"])
        const unknown = yield* ben.ask("GET", `/user/${path(ben.userId)}/filter/4711`)
        assert.deepStrictEqual(refusal(unknown), [404, "M_NOT_FOUND"])
      }))

    it.effect("refuses a position that it never gave", () =>
      Effect.gen(function*() {
        const { ben } = yield* couple
        assert.strictEqual((yield* sync(ben, { since: "nonsense" })).status, 400)
      }))

    it.effect("brings typing, receipts and room account data", () =>
      Effect.gen(function*() {
        const { anna, ben, room } = yield* couple
        const event = yield* say(anna, room, "read me")
        const [hers, his] = [yield* nextBatch(anna), yield* nextBatch(ben)]
        yield* ben.ask("PUT", `/rooms/${path(room)}/typing/${path(ben.userId)}`, {
          body: { typing: true, timeout: 20_000 }
        })
        yield* ben.ask("POST", `/rooms/${path(room)}/receipt/m.read/${path(event)}`)
        yield* ben.ask("PUT", `/user/${path(ben.userId)}/rooms/${path(room)}/account_data/org.example.note`, {
          body: { text: "mine" }
        })
        const seen = yield* sync(anna, { since: hers })
        const ephemeral = list(seen.body, "rooms", "join", room, "ephemeral", "events")
        const typing = ephemeral.find((one) => dig(one, "type") === "m.typing")
        assert.deepStrictEqual(dig(typing, "content", "user_ids"), [ben.userId])
        const receipt = ephemeral.find((one) => dig(one, "type") === "m.receipt")
        assert.isNumber(dig(receipt, "content", event, "m.read", ben.userId, "ts"))
        assert.deepStrictEqual(list(seen.body, "rooms", "join", room, "account_data", "events"), [])
        const own = yield* sync(ben, { since: his })
        assert.deepInclude(list(own.body, "rooms", "join", room, "account_data", "events"), {
          type: "org.example.note",
          content: { text: "mine" }
        })
      }))

    it.effect("lets nobody say that somebody else is typing", () =>
      Effect.gen(function*() {
        const { anna, ben, room } = yield* couple
        const put = yield* anna.ask("PUT", `/rooms/${path(room)}/typing/${path(ben.userId)}`, {
          body: { typing: true, timeout: 20_000 }
        })
        assert.strictEqual(refusal(put)[1], "M_FORBIDDEN")
      }))

    it.effect("keeps how far one has read everything to oneself, and knows no other receipts", () =>
      Effect.gen(function*() {
        const { anna, ben, room } = yield* couple
        const event = yield* say(anna, room, "read me")
        const [hers, his] = [yield* nextBatch(anna), yield* nextBatch(ben)]
        const receipt = (type: string) => ben.ask("POST", `/rooms/${path(room)}/receipt/${type}/${path(event)}`)
        assert.strictEqual((yield* receipt("m.fully_read")).status, 200)
        assert.strictEqual((yield* receipt("org.example.skimmed")).status, 400)
        assert.deepInclude(
          list((yield* sync(ben, { since: his })).body, "rooms", "join", room, "account_data", "events"),
          {
            type: "m.fully_read",
            content: { event_id: event }
          }
        )
        assert.isUndefined(joined((yield* sync(anna, { since: hers })).body, room))
      }))

    it.effect("keeps to the rooms that a filter names for a part of the answer", () =>
      Effect.gen(function*() {
        const { anna, ben, room } = yield* couple
        const other = yield* roomWith(anna, ben)
        const since = yield* nextBatch(ben)
        for (const one of [room, other]) {
          yield* putState(anna, one, "m.room.topic", { topic: "Assam" })
          yield* say(anna, one, "hello")
        }
        const filter = JSON.stringify({
          room: { timeline: { not_rooms: [room], types: ["m.room.message"] }, state: { rooms: [room] } }
        })
        const { body } = yield* sync(ben, { since, filter })
        assert.deepStrictEqual([bodies(body, room), bodies(body, other)], [[], ["hello"]])
        const first = yield* sync(ben, { filter })
        assert.include(typesIn(first.body, room, "state"), "m.room.topic")
        assert.deepStrictEqual(typesIn(first.body, other, "state"), [])
      }))

    it.effect("keeps tags, which are room account data too", () =>
      Effect.gen(function*() {
        const { ben, room } = yield* couple
        const tags = `/user/${path(ben.userId)}/rooms/${path(room)}/tags`
        yield* ben.ask("PUT", `${tags}/m.favourite`, { body: { order: 0.5 } })
        assert.deepStrictEqual((yield* ben.ask("GET", tags)).body, { tags: { "m.favourite": { order: 0.5 } } })
        assert.deepInclude(list((yield* sync(ben)).body, "rooms", "join", room, "account_data", "events"), {
          type: "m.tag",
          content: { tags: { "m.favourite": { order: 0.5 } } }
        })
        yield* ben.ask("DELETE", `${tags}/m.favourite`)
        assert.deepStrictEqual((yield* ben.ask("GET", tags)).body, { tags: {} })
      }))

    it.effect("shows a room that is joined as new, whole", () =>
      Effect.gen(function*() {
        const { anna, ben } = yield* couple
        const room = yield* createRoom(anna, { preset: "private_chat", invite: [ben.userId] })
        yield* say(anna, room, "before you came")
        const since = yield* nextBatch(ben)
        yield* ben.ask("POST", `/join/${path(room)}`)
        const { body } = yield* sync(ben, { since, ...limited(2) })
        assert.deepStrictEqual(bodies(body, room), ["before you came"])
        assert.include(typesIn(body, room, "state"), "m.room.create")
      }))
  })
