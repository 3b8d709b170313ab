import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { SyncToken } from "../../../src/domain/Ids.ts"
import { markerType } from "../../../src/domain/Marker.ts"
import { applySync, emptyView } from "../../../src/layers/MatrixClient/RoomView.ts"
import { readSyncResponse } from "../../../src/layers/MatrixClient/SyncResponse.ts"
import { after, alice, bot, event, joined, member, room, said, state, sync } from "./Events.ts"

const since = SyncToken.make("s1")
const read = (raw: unknown) => readSyncResponse(raw, { self: bot, since, initial: false })

const timeline = (...events: ReadonlyArray<unknown>) => ({ timeline: { events, limited: false, prev_batch: "p1" } })

describe("a sync answer", () => {
  it("is none without a next_batch", () => {
    for (const raw of [undefined, null, [], "", { next_batch: 3 }, { next_batch: "" }, { rooms: {} }]) {
      assert.isUndefined(read(raw))
    }
  })

  it("may hold nothing but its token", () => {
    assert.deepStrictEqual(read({ next_batch: "s2" }), {
      since,
      nextBatch: SyncToken.make("s2"),
      initial: false,
      timelines: [],
      invites: [],
      departures: [],
      reshaped: [],
      encrypted: [],
      unreadable: 0
    })
  })

  it("gives the events that it can read, in order, and counts the others", () => {
    const [first, last] = [said("first"), said("last")]
    const bad = [null, 7, "text", [], {}, { ...said("x"), sender: "nobody" }, { ...said("x"), content: [] }]
    const batch = read(joined(timeline(first, ...bad, last)))
    assert.deepStrictEqual(batch?.timelines.map((_) => _.events.map((_) => _.content["body"])), [["first", "last"]])
    assert.strictEqual(batch?.unreadable, bad.length)
  })

  it("keeps what the server says of the sender's own send", () => {
    const echo = { ...said("mine"), unsigned: { transaction_id: "txn-1", age: 3 } }
    assert.strictEqual(read(joined(timeline(echo)))?.timelines[0]?.events[0]?.unsigned?.["transaction_id"], "txn-1")
  })

  it("tells of a gap even when every event in it was left out", () => {
    const gap = { timeline: { events: [], limited: true, prev_batch: "p9" } }
    assert.deepStrictEqual(read(joined(gap))?.timelines, [{ roomId: room, events: [], limited: true, prevBatch: "p9" }])
    assert.deepStrictEqual(read(joined({ timeline: { events: [], limited: "yes" } }))?.timelines, [])
  })

  it("names the rooms whose state says that they are encrypted, and not those whose timeline alone does", () => {
    const encryption = state("m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" })
    assert.deepStrictEqual(read(joined(after(encryption)))?.encrypted, [room])
    assert.deepStrictEqual(read(joined(timeline(encryption)))?.encrypted, [room])
    assert.deepStrictEqual(read(joined({ ...after(), ...timeline(encryption) }))?.encrypted, [])
    assert.deepStrictEqual(read(joined(timeline(event("m.room.encryption", {}))))?.encrypted, [])
    assert.deepStrictEqual(read(sync({ leave: { [room]: after(encryption) } }))?.encrypted, [room])
  })

  it("passes over rooms whose id is none", () => {
    const batch = read(sync({ join: { "no-room": timeline(said("x")), [room]: timeline(said("y")) } }))
    assert.deepStrictEqual(batch?.timelines.map((_) => _.roomId), [room])
    assert.strictEqual(batch?.unreadable, 1)
  })

  it("names who invites, and takes an invite that nobody sent for unreadable", () => {
    const invited = member(bot, "invite")
    const batch = read(sync({
      invite: {
        "!a:hs": { invite_state: { events: [invited] } },
        "!b:hs": {
          invite_state: {
            events: [state("m.room.create", { type: "m.space" }), state("m.room.encryption", {}), invited]
          }
        },
        "!c:hs": { invite_state: { events: [member(alice, "join")] } },
        "!d:hs": {}
      }
    }))
    assert.deepStrictEqual(batch?.invites.map((_) => [_.roomId, _.sender, _.encrypted, _.isSpace]), [
      ["!a:hs", alice, false, false],
      ["!b:hs", alice, true, true]
    ])
    assert.strictEqual(batch?.unreadable, 2)
  })

  it("tells a kick from a ban and from leaving", () => {
    const left = (...events: ReadonlyArray<unknown>) => ({ timeline: { events } })
    const batch = read(sync({
      leave: {
        "!kicked:hs": left(member(bot, "leave")),
        "!banned:hs": left(member(bot, "ban")),
        "!left:hs": left(state("m.room.member", { membership: "leave" }, bot, { sender: bot })),
        "!silent:hs": {},
        "!after:hs": { ...after(member(bot, "leave")), timeline: { events: [said("bye")] } }
      }
    }))
    assert.deepStrictEqual(batch?.departures.map((_) => [_.roomId, _.membership]), [
      ["!kicked:hs", "kicked"],
      ["!banned:hs", "banned"],
      ["!left:hs", "left"],
      ["!silent:hs", "left"],
      ["!after:hs", "kicked"]
    ])
    // Nobody can answer there any more.
    assert.deepStrictEqual(batch?.timelines, [])
  })

  it("names the rooms whose tombstone, marker or create event came with it, in whichever part", () => {
    const batch = read(sync({
      join: {
        "!tombstone:hs": timeline(state("m.room.tombstone", {})),
        "!create:hs": after(state("m.room.create", {})),
        "!before:hs": { state: { events: [state("m.room.tombstone", {})] } },
        "!marker:hs": { account_data: { events: [{ type: markerType, content: {} }] } },
        "!message:hs": timeline(said("m.room.tombstone"), event("m.room.tombstone", {})),
        "!other:hs": { account_data: { events: [{ type: "m.tag", content: {} }] } }
      }
    }))
    assert.deepStrictEqual<ReadonlyArray<string> | undefined>(batch?.reshaped, [
      "!tombstone:hs",
      "!create:hs",
      "!before:hs",
      "!marker:hs"
    ])
  })
})

/** Every place of a JSON value, the value itself first. */
const places = (value: unknown, at: ReadonlyArray<string> = []): ReadonlyArray<ReadonlyArray<string>> =>
  typeof value === "object" && value !== null
    ? [at, ...Object.entries(value).flatMap(([key, inner]) => places(inner, [...at, key]))]
    : [at]

const put = (value: unknown, [key, ...rest]: ReadonlyArray<string>, junk: unknown): unknown => {
  if (key === undefined) return junk
  if (Array.isArray(value)) return value.map((inner, index) => String(index) === key ? put(inner, rest, junk) : inner)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, name === key ? put(inner, rest, junk) : inner])
  )
}

const whole = sync({
  join: {
    [room]: {
      ...after(
        state("m.room.create", { predecessor: { room_id: "!old:hs" } }, "", {}),
        state("m.room.power_levels", { users: { [alice]: 100 }, events: { "m.room.tombstone": 100 } }),
        state("m.room.tombstone", { replacement_room: "!new:hs" }),
        state("m.room.name", { name: "Room" }),
        member(bot, "join", { displayname: "Bot" })
      ),
      ...timeline(said("hello")),
      account_data: { events: [{ type: markerType, content: { version: 1 } }] }
    }
  },
  invite: { "!invite:hs": { invite_state: { events: [member(bot, "invite")] } } },
  leave: { "!leave:hs": timeline(member(bot, "leave")) }
})
const untouched = joined(timeline(said("of another room")))

describe("a hostile homeserver", () => {
  it.prop(
    "can put anything anywhere: nothing throws",
    [Arbitrary.schema(Schema.Int), Arbitrary.schema(Schema.Json)],
    ([index, junk]) => {
      const all = places(whole)
      const raw = put(whole, all[Math.abs(index) % all.length] ?? [], junk)
      read(raw)
      applySync(applySync(emptyView, whole, bot), raw, bot)
      applySync(emptyView, raw, bot)
    },
    { arbitrary: { runs: 500 } }
  )

  it.prop(
    "cannot hide one room behind the rubbish in another",
    [Arbitrary.schema(Schema.Int), Arbitrary.schema(Schema.Json)],
    ([index, junk]) => {
      const bad = whole.rooms.join?.[room]
      const all = places(bad)
      const raw = sync({
        join: { "!bad:hs": put(bad, all[Math.abs(index) % all.length] ?? [], junk), ...untouched.rooms.join }
      })
      const good = read(raw)?.timelines.find((_) => _.roomId === room)
      assert.strictEqual(good?.events[0]?.content["body"], "of another room")
      assert.strictEqual(applySync(emptyView, raw, bot).get(room)?.room.membership, "join")
    },
    { arbitrary: { runs: 300 } }
  )

  it("cannot reach a prototype", () => {
    const raw: unknown = JSON.parse(
      `{"next_batch":"s2","__proto__":{"x":1},"rooms":{"join":{"!room:hs":{"__proto__":{"timeline":{"events":[1]}},"timeline":{"events":[]}},"__proto__":{}}}}`
    )
    assert.strictEqual(read(raw)?.unreadable, 1)
    assert.isUndefined(Object.getOwnPropertyDescriptor(Object.prototype, "x"))
    assert.deepStrictEqual(
      read({ next_batch: "s2", rooms: Object.create({ join: { [room]: timeline(said("x")) } }) })?.timelines,
      []
    )
  })
})
