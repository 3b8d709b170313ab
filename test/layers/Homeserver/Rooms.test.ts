import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Homeserver } from "../../../src/layers/Homeserver.ts"
import { dig, list, types } from "./Caller.ts"

const people = Effect.gen(function*() {
  const homeserver = yield* Homeserver
  return {
    alice: yield* homeserver.as("alice"),
    bob: yield* homeserver.as("bob"),
    carol: yield* homeserver.as("carol")
  }
})

const v3 = "/_matrix/client/v3"

describe("making rooms", () => {
  it.effect("writes the events of a new room in the order of the specification", () =>
    Effect.gen(function*() {
      const { alice, bob } = yield* people
      const room = yield* alice.createRoom({ name: "Tea", topic: "Leaves", invite: [bob.userId], encrypted: true })
      assert.deepStrictEqual(types(yield* alice.messages(room)), [
        "m.room.create",
        "m.room.member",
        "m.room.power_levels",
        "m.room.join_rules",
        "m.room.history_visibility",
        "m.room.guest_access",
        "m.room.encryption",
        "m.room.name",
        "m.room.topic",
        "m.room.member"
      ])
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("makes Spaces, public rooms and trusted private ones", () =>
    Effect.gen(function*() {
      const { alice, bob, carol } = yield* people
      const space = yield* alice.createRoom({ isSpace: true })
      assert.strictEqual(dig(yield* alice.state(space, "m.room.create"), "type"), "m.space")
      const open = yield* alice.createRoom({ preset: "public_chat" })
      yield* carol.join(open)
      const trusted = yield* alice.createRoom({ preset: "trusted_private_chat", invite: [bob.userId], isDirect: true })
      assert.strictEqual(dig(yield* alice.state(trusted, "m.room.power_levels"), "users", bob.userId), 100)
      assert.strictEqual(dig(yield* alice.state(trusted, "m.room.member", bob.userId), "is_direct"), true)
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("finds a room by its alias", () =>
    Effect.gen(function*() {
      const { alice, bob } = yield* people
      const made = yield* alice.request("POST", `${v3}/createRoom`, { preset: "public_chat", room_alias_name: "tea" })
      const alias = encodeURIComponent("#tea:homing.test")
      assert.strictEqual(
        dig(yield* bob.request("GET", `${v3}/directory/room/${alias}`), "room_id"),
        dig(made, "room_id")
      )
      assert.deepStrictEqual(yield* bob.request("POST", `${v3}/join/${alias}`), made)
      const taken = yield* Effect.flip(alice.request("POST", `${v3}/createRoom`, { room_alias_name: "tea" }))
      assert.strictEqual(taken.errcode, "M_ROOM_IN_USE")
    }).pipe(Effect.provide(Homeserver.layer())))
})

describe("coming and going", () => {
  it.effect("lets in who was invited, and nobody else", () =>
    Effect.gen(function*() {
      const { alice, bob, carol } = yield* people
      const room = yield* alice.createRoom({ invite: [bob.userId] })
      yield* bob.join(room)
      assert.strictEqual((yield* Effect.flip(carol.join(room))).status, 403)
      assert.strictEqual((yield* Effect.flip(carol.invite(room, carol.userId))).status, 403)
      assert.strictEqual((yield* Effect.flip(carol.messages(room))).status, 403)
      assert.strictEqual((yield* Effect.flip(alice.invite(room, bob.userId))).status, 403)
      assert.strictEqual((yield* Effect.flip(bob.join("!gone:homing.test"))).status, 404)
      const members = yield* bob.request("GET", `${v3}/rooms/${room}/joined_members`)
      assert.sameMembers(Object.keys(Object(dig(members, "joined"))), [alice.userId, bob.userId])
      assert.deepStrictEqual(yield* bob.request("GET", `${v3}/joined_rooms`), { joined_rooms: [room] })
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("kicks and bans by power level, and keeps the banned out until they are unbanned", () =>
    Effect.gen(function*() {
      const { alice, bob, carol } = yield* people
      const room = yield* alice.createRoom({ preset: "public_chat" })
      yield* bob.join(room)
      yield* carol.join(room)
      assert.strictEqual((yield* Effect.flip(bob.kick(room, carol.userId))).status, 403)
      assert.strictEqual((yield* Effect.flip(bob.ban(room, alice.userId))).status, 403)
      yield* alice.kick(room, bob.userId, "be nice")
      assert.deepInclude(yield* alice.state(room, "m.room.member", bob.userId), {
        membership: "leave",
        reason: "be nice"
      })
      yield* bob.join(room)
      yield* alice.ban(room, bob.userId)
      assert.strictEqual((yield* Effect.flip(bob.join(room))).errcode, "M_FORBIDDEN")
      assert.strictEqual((yield* Effect.flip(alice.invite(room, bob.userId))).errcode, "M_FORBIDDEN")
      assert.strictEqual((yield* Effect.flip(bob.say(room, "let me in"))).errcode, "M_FORBIDDEN")
      yield* alice.unban(room, bob.userId)
      yield* bob.join(room)
      yield* bob.say(room, "hello again")
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("lets nobody kick, ban or demote an equal", () =>
    Effect.gen(function*() {
      const { alice, bob, carol } = yield* people
      const users = { [alice.userId]: 100, [bob.userId]: 50, [carol.userId]: 50 }
      const levels = { users, events: { "m.room.power_levels": 50 } }
      const room = yield* alice.createRoom({ preset: "public_chat", powerLevels: levels })
      yield* bob.join(room)
      yield* carol.join(room)
      assert.strictEqual((yield* Effect.flip(bob.kick(room, carol.userId))).status, 403)
      assert.strictEqual((yield* Effect.flip(bob.ban(room, carol.userId))).status, 403)
      const demoted = { ...levels, users: { ...users, [carol.userId]: 49 } }
      assert.strictEqual((yield* Effect.flip(bob.setState(room, "m.room.power_levels", demoted))).status, 403)
      yield* alice.setState(room, "m.room.power_levels", demoted)
      yield* bob.kick(room, carol.userId)
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("takes a member event that a client writes for the act that it is", () =>
    Effect.gen(function*() {
      const { alice, bob } = yield* people
      const room = yield* alice.createRoom({ invite: [bob.userId] })
      assert.strictEqual(
        (yield* Effect.flip(alice.setState(room, "m.room.member", { membership: "join" }, bob.userId))).errcode,
        "M_FORBIDDEN"
      )
      yield* bob.setState(room, "m.room.member", { membership: "join", displayname: "Bobby" }, bob.userId)
      assert.deepInclude(yield* alice.state(room, "m.room.member", bob.userId), {
        membership: "join",
        displayname: "Bobby"
      })
      yield* alice.setState(room, "m.room.member", { membership: "leave" }, bob.userId)
      assert.strictEqual((yield* Effect.flip(bob.say(room, "still here?"))).status, 403)
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("shows who has left the room as it was when they left", () =>
    Effect.gen(function*() {
      const { alice, bob } = yield* people
      const room = yield* alice.createRoom({ name: "before", invite: [bob.userId] })
      yield* bob.join(room)
      yield* bob.leave(room)
      yield* alice.setState(room, "m.room.name", { name: "after" })
      const late = yield* alice.say(room, "they are gone")
      assert.deepStrictEqual(yield* bob.state(room, "m.room.name"), { name: "before" })
      assert.strictEqual((yield* bob.messages(room)).at(-1)?.type, "m.room.member")
      const event = encodeURIComponent(late)
      assert.strictEqual((yield* Effect.flip(bob.request("GET", `${v3}/rooms/${room}/event/${event}`))).status, 404)
    }).pipe(Effect.provide(Homeserver.layer())))
})

describe("state", () => {
  it.effect("is read by type, by type and key, and as a whole", () =>
    Effect.gen(function*() {
      const { alice } = yield* people
      const room = yield* alice.createRoom({ name: "Tea" })
      yield* alice.setState(room, "dev.homing.test", { cups: 2 }, "kitchen")
      assert.deepStrictEqual(yield* alice.request("GET", `${v3}/rooms/${room}/state/m.room.name`), { name: "Tea" })
      assert.deepStrictEqual(yield* alice.state(room, "dev.homing.test", "kitchen"), { cups: 2 })
      assert.strictEqual((yield* Effect.flip(alice.state(room, "dev.homing.test", "attic"))).errcode, "M_NOT_FOUND")
      const all = yield* alice.request("GET", `${v3}/rooms/${room}/state`)
      assert.includeMembers([...types(list(all))], ["m.room.create", "m.room.name", "dev.homing.test"])
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("changes by power level only, and nobody gives more power than they have", () =>
    Effect.gen(function*() {
      const { alice, bob } = yield* people
      const levels = {
        users: { [alice.userId]: 100, [bob.userId]: 50 },
        events: { "m.room.power_levels": 50 },
        events_default: 60
      }
      const room = yield* alice.createRoom({ invite: [bob.userId], powerLevels: levels })
      yield* bob.join(room)
      assert.strictEqual((yield* Effect.flip(bob.say(room, "too low"))).errcode, "M_FORBIDDEN")
      yield* bob.setState(room, "m.room.name", { name: "high enough" })
      const before = Object(yield* bob.state(room, "m.room.power_levels"))
      const crown = { ...before, users: { ...levels.users, [bob.userId]: 100 } }
      assert.strictEqual((yield* Effect.flip(bob.setState(room, "m.room.power_levels", crown))).errcode, "M_FORBIDDEN")
      const dethrone = { ...before, users: { [bob.userId]: 50 } }
      assert.strictEqual(
        (yield* Effect.flip(bob.setState(room, "m.room.power_levels", dethrone))).errcode,
        "M_FORBIDDEN"
      )
      yield* bob.setState(room, "m.room.power_levels", { ...before, invite: 50 })
      yield* alice.setState(room, "m.room.power_levels", { ...before, events_default: 50 })
      yield* bob.say(room, "now I may")
    }).pipe(Effect.provide(Homeserver.layer())))
})

describe("an upgrade", () => {
  it.effect("leaves a tombstone, and a successor that names its predecessor and keeps the power levels", () =>
    Effect.gen(function*() {
      const { alice, bob } = yield* people
      const room = yield* alice.createRoom({
        name: "Tea",
        invite: [bob.userId],
        encrypted: true,
        powerLevels: { invite: 30 }
      })
      yield* bob.join(room)
      const next = yield* alice.upgrade(room)
      assert.notStrictEqual(next, room)
      assert.strictEqual(dig(yield* bob.state(room, "m.room.tombstone"), "replacement_room"), next)
      assert.strictEqual(dig(yield* alice.state(next, "m.room.create"), "predecessor", "room_id"), room)
      assert.strictEqual(dig(yield* alice.state(next, "m.room.power_levels"), "invite"), 30)
      assert.deepStrictEqual(yield* alice.state(next, "m.room.name"), { name: "Tea" })
      assert.strictEqual(dig(yield* alice.state(next, "m.room.encryption"), "algorithm"), "m.megolm.v1.aes-sha2")
    }).pipe(Effect.provide(Homeserver.layer())))

  it.effect("takes the power for a tombstone, and makes no room without it", () =>
    Effect.gen(function*() {
      const { alice, bob } = yield* people
      const room = yield* alice.createRoom({ invite: [bob.userId] })
      yield* bob.join(room)
      assert.strictEqual((yield* Effect.flip(bob.upgrade(room))).errcode, "M_FORBIDDEN")
      assert.deepStrictEqual(yield* bob.request("GET", `${v3}/joined_rooms`), { joined_rooms: [room] })
    }).pipe(Effect.provide(Homeserver.layer())))
})
