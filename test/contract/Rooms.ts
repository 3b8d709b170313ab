import { assert, layer } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { dig, list, text } from "../layers/Homeserver/Caller.ts"
import {
  type Client,
  createRoom,
  newClient,
  path,
  putState,
  refusal,
  roomWith,
  say,
  send,
  type Server
} from "./Server.ts"

const membership = (room: string, kind: string) => (client: Client, body: object = {}) =>
  client.ask("POST", `/rooms/${path(room)}/${kind}`, { body })

const stateOf = (client: Client, room: string, type: string, key = "") =>
  client.ask("GET", `/rooms/${path(room)}/state/${type}/${path(key)}`)

const people = Effect.gen(function*() {
  return { anna: yield* newClient("anna"), ben: yield* newClient("ben"), cleo: yield* newClient("cleo") }
})

/** "Rooms": how they are made, who is in them, and who may do what. */
export const roomsContract = <E>(name: string, server: Layer.Layer<Server, E>) =>
  layer(server, { excludeTestServices: true })(`${name}: rooms`, (it) => {
    it.effect("makes a room with its events in the order of the specification", () =>
      Effect.gen(function*() {
        const { anna, ben } = yield* people
        const room = yield* createRoom(anna, {
          preset: "private_chat",
          name: "Tea",
          topic: "Assam",
          invite: [ben.userId],
          room_version: "11",
          creation_content: { type: "org.example.kind" },
          initial_state: [{
            type: "m.room.encryption",
            state_key: "",
            content: { algorithm: "m.megolm.v1.aes-sha2" }
          }]
        })
        const page = yield* anna.ask("GET", `/rooms/${path(room)}/messages`, { query: { dir: "f", limit: "50" } })
        const types = list(page.body, "chunk").map((event) => dig(event, "type"))
        const expected = ["m.room.create", "m.room.member", "m.room.power_levels", "m.room.join_rules"]
        assert.deepStrictEqual(types.slice(0, 4), expected)
        assert.deepStrictEqual(types.slice(-4), [
          "m.room.encryption",
          "m.room.name",
          "m.room.topic",
          "m.room.member"
        ])
        assert.deepInclude((yield* stateOf(anna, room, "m.room.create")).body, {
          room_version: "11",
          type: "org.example.kind"
        })
        assert.deepStrictEqual((yield* stateOf(anna, room, "m.room.join_rules")).body, { join_rule: "invite" })
        assert.strictEqual(dig((yield* stateOf(anna, room, "m.room.power_levels")).body, "users", anna.userId), 100)
        assert.deepStrictEqual(
          dig((yield* stateOf(anna, room, "m.room.member", ben.userId)).body, "membership"),
          "invite"
        )
      }))

    it.effect("makes equals of those who are invited by trusted_private_chat, and opens a public_chat to all", () =>
      Effect.gen(function*() {
        const { anna, ben } = yield* people
        const trusted = yield* createRoom(anna, { preset: "trusted_private_chat", invite: [ben.userId] })
        assert.strictEqual(dig((yield* stateOf(anna, trusted, "m.room.power_levels")).body, "users", ben.userId), 100)
        const open = yield* createRoom(anna, { preset: "public_chat" })
        assert.strictEqual((yield* ben.ask("POST", `/join/${path(open)}`)).status, 200)
      }))

    it.effect("refuses a room version that it does not know, and an invite to a name that is none", () =>
      Effect.gen(function*() {
        const { anna } = yield* people
        const version = yield* anna.ask("POST", "/createRoom", { body: { room_version: "made-up" } })
        assert.deepStrictEqual(refusal(version), [400, "M_UNSUPPORTED_ROOM_VERSION"])
        const invite = yield* anna.ask("POST", "/createRoom", { body: { invite: ["not a user id"] } })
        assert.strictEqual(invite.status, 400)
        assert.deepStrictEqual((yield* anna.ask("GET", "/joined_rooms")).body, { joined_rooms: [] })
      }))

    it.effect("lets in who is invited, and nobody else", () =>
      Effect.gen(function*() {
        const { anna, ben, cleo } = yield* people
        const room = yield* createRoom(anna, { preset: "private_chat", invite: [ben.userId] })
        assert.deepStrictEqual(refusal(yield* cleo.ask("POST", `/join/${path(room)}`)), [403, "M_FORBIDDEN"])
        const came = yield* ben.ask("POST", `/join/${path(room)}`)
        assert.deepStrictEqual(came.body, { room_id: room })
        assert.include(list((yield* ben.ask("GET", "/joined_rooms")).body, "joined_rooms"), room)
        const members = yield* anna.ask("GET", `/rooms/${path(room)}/joined_members`)
        assert.sameMembers(Object.keys(Object(dig(members.body, "joined"))), [anna.userId, ben.userId])
        const outside = yield* cleo.ask("GET", `/rooms/${path(room)}/state`)
        assert.deepStrictEqual(refusal(outside), [403, "M_FORBIDDEN"])
      }))

    it.effect("lets people leave, refuse an invite, and forget a room that they have left", () =>
      Effect.gen(function*() {
        const { anna, ben } = yield* people
        const room = yield* roomWith(anna, ben)
        assert.strictEqual((yield* membership(room, "forget")(ben)).status, 400)
        assert.strictEqual((yield* membership(room, "leave")(ben)).status, 200)
        assert.deepStrictEqual(refusal(yield* send(ben, room, "m.room.message", { body: "x" })), [403, "M_FORBIDDEN"])
        assert.strictEqual((yield* membership(room, "forget")(ben)).status, 200)
        assert.strictEqual(
          (yield* ben.ask("GET", `/rooms/${path(room)}/messages`, { query: { dir: "b" } })).status,
          403
        )
      }))

    it.effect("kicks and bans by power alone, and lets nobody back before the ban is lifted", () =>
      Effect.gen(function*() {
        const { anna, ben, cleo } = yield* people
        const room = yield* roomWith(anna, ben, cleo)
        const weak = yield* membership(room, "kick")(ben, { user_id: cleo.userId })
        assert.deepStrictEqual(refusal(weak), [403, "M_FORBIDDEN"])
        yield* membership(room, "kick")(anna, { user_id: cleo.userId, reason: "noise" })
        const kicked = yield* stateOf(anna, room, "m.room.member", cleo.userId)
        assert.deepInclude(kicked.body, { membership: "leave", reason: "noise" })
        yield* membership(room, "ban")(anna, { user_id: ben.userId })
        assert.strictEqual((yield* membership(room, "invite")(anna, { user_id: ben.userId })).status, 403)
        assert.strictEqual((yield* ben.ask("POST", `/join/${path(room)}`)).status, 403)
        yield* membership(room, "unban")(anna, { user_id: ben.userId })
        yield* membership(room, "invite")(anna, { user_id: ben.userId })
        assert.strictEqual((yield* ben.ask("POST", `/join/${path(room)}`)).status, 200)
      }))

    it.effect("asks for power to change state, and for more to change power", () =>
      Effect.gen(function*() {
        const { anna, ben } = yield* people
        const room = yield* roomWith(anna, ben)
        assert.deepStrictEqual(refusal(yield* putState(ben, room, "m.room.name", { name: "Mine" })), [
          403,
          "M_FORBIDDEN"
        ])
        const { body: levels } = yield* stateOf(anna, room, "m.room.power_levels")
        const users = { [anna.userId]: 100, [ben.userId]: 50 }
        const raised = yield* putState(anna, room, "m.room.power_levels", { ...Object(levels), users })
        assert.isString(dig(raised.body, "event_id"))
        assert.strictEqual((yield* putState(ben, room, "m.room.name", { name: "Ours" })).status, 200)
        assert.deepStrictEqual((yield* stateOf(anna, room, "m.room.name")).body, { name: "Ours" })
        const above = { ...Object(levels), users: { ...users, [ben.userId]: 100 } }
        assert.strictEqual((yield* putState(ben, room, "m.room.power_levels", above)).status, 403)
        assert.deepStrictEqual(refusal(yield* stateOf(anna, room, "org.example.none")), [404, "M_NOT_FOUND"])
      }))

    it.effect("lets somebody knock where the rules allow it, and be let in", () =>
      Effect.gen(function*() {
        const { anna, ben } = yield* people
        const closed = yield* createRoom(anna, { preset: "private_chat" })
        assert.strictEqual((yield* ben.ask("POST", `/knock/${path(closed)}`)).status, 403)
        const room = yield* createRoom(anna, {
          preset: "private_chat",
          initial_state: [{ type: "m.room.join_rules", state_key: "", content: { join_rule: "knock" } }]
        })
        assert.deepStrictEqual((yield* ben.ask("POST", `/knock/${path(room)}`)).body, { room_id: room })
        const standing = yield* stateOf(anna, room, "m.room.member", ben.userId)
        assert.strictEqual(dig(standing.body, "membership"), "knock")
        assert.strictEqual((yield* ben.ask("POST", `/join/${path(room)}`)).status, 403)
        yield* membership(room, "invite")(anna, { user_id: ben.userId })
        assert.strictEqual((yield* ben.ask("POST", `/join/${path(room)}`)).status, 200)
      }))

    it.effect("lets the members of one room into another that is restricted to them", () =>
      Effect.gen(function*() {
        const { anna, ben, cleo } = yield* people
        const club = yield* roomWith(anna, ben)
        const room = yield* createRoom(anna, {
          preset: "private_chat",
          initial_state: [{
            type: "m.room.join_rules",
            state_key: "",
            content: { join_rule: "restricted", allow: [{ type: "m.room_membership", room_id: club }] }
          }]
        })
        assert.strictEqual((yield* cleo.ask("POST", `/join/${path(room)}`)).status, 403)
        assert.strictEqual((yield* ben.ask("POST", `/join/${path(room)}`)).status, 200)
      }))

    it.effect("finds a room by its alias, until the alias is taken back", () =>
      Effect.gen(function*() {
        const { anna, ben } = yield* people
        const [, serverName] = anna.userId.split(/:(.*)/s)
        const local = `tea-${anna.localpart}`
        const alias = `#${local}:${serverName}`
        const room = yield* createRoom(anna, { preset: "public_chat", room_alias_name: local })
        assert.strictEqual(dig((yield* ben.ask("GET", `/directory/room/${path(alias)}`)).body, "room_id"), room)
        assert.deepStrictEqual((yield* ben.ask("POST", `/join/${path(alias)}`)).body, { room_id: room })
        const taken = yield* anna.ask("POST", "/createRoom", { body: { room_alias_name: local } })
        assert.deepStrictEqual(refusal(taken), [400, "M_ROOM_IN_USE"])
        const second = `#more-${local}:${serverName}`
        yield* anna.ask("PUT", `/directory/room/${path(second)}`, { body: { room_id: room } })
        const aliases = yield* anna.ask("GET", `/rooms/${path(room)}/aliases`)
        assert.sameMembers([...list(aliases.body, "aliases")], [alias, second])
        yield* anna.ask("DELETE", `/directory/room/${path(second)}`)
        const gone = yield* ben.ask("GET", `/directory/room/${path(second)}`)
        assert.deepStrictEqual(refusal(gone), [404, "M_NOT_FOUND"])
      }))

    it.effect("upgrades a room: a tombstone in the old one, a predecessor in the new one", () =>
      Effect.gen(function*() {
        const { anna, ben } = yield* people
        const room = yield* roomWith(anna, ben)
        yield* putState(anna, room, "m.room.name", { name: "Tea" })
        const weak = yield* ben.ask("POST", `/rooms/${path(room)}/upgrade`, { body: { new_version: "11" } })
        assert.strictEqual(weak.status, 403)
        const done = yield* anna.ask("POST", `/rooms/${path(room)}/upgrade`, { body: { new_version: "11" } })
        const next = text(done.body, "replacement_room")
        const tombstone = yield* stateOf(ben, room, "m.room.tombstone")
        assert.strictEqual(dig(tombstone.body, "replacement_room"), next)
        assert.strictEqual(dig((yield* stateOf(anna, next, "m.room.create")).body, "predecessor", "room_id"), room)
        assert.deepStrictEqual((yield* stateOf(anna, next, "m.room.name")).body, { name: "Tea" })
        const levels = yield* stateOf(ben, room, "m.room.power_levels")
        assert.isAtLeast(Number(dig(levels.body, "events_default")), 50)
        assert.strictEqual((yield* send(ben, room, "m.room.message", { msgtype: "m.text", body: "late" })).status, 403)
      }))

    it.effect("lists members by membership, and as they were", () =>
      Effect.gen(function*() {
        const { anna, ben, cleo } = yield* people
        const room = yield* roomWith(anna, ben)
        yield* say(anna, room, "hello")
        yield* membership(room, "invite")(anna, { user_id: cleo.userId })
        const members = (query: Readonly<Record<string, string>>) =>
          Effect.map(anna.ask("GET", `/rooms/${path(room)}/members`, { query }), ({ body }) =>
            list(body, "chunk").map((event) => dig(event, "state_key")))
        assert.sameMembers([...(yield* members({ membership: "join" }))], [anna.userId, ben.userId])
        assert.sameMembers([...(yield* members({ not_membership: "join" }))], [cleo.userId])
      }))
  })
