import { assert, describe, it } from "@effect/vitest"
import { RoomId, UserId } from "../../../src/domain/Ids.ts"
import { markerType } from "../../../src/domain/Marker.ts"
import type { RoomMember, ServerRoom } from "../../../src/domain/ServerRoom.ts"
import { applySync, emptyView, readRoom } from "../../../src/layers/MatrixClient/RoomView.ts"
import { after, alice, bot, event, joined, member, room, said, state, sync } from "./Events.ts"

/** The room after these answers, the first one on an empty view. */
const seen = (...answers: ReadonlyArray<unknown>): ServerRoom | undefined =>
  answers.reduce<typeof emptyView>((view, raw) => applySync(view, raw, bot), emptyView).get(room)?.room

const timeline = (...events: ReadonlyArray<unknown>) => ({ timeline: { events } })
const accountData = (content: unknown) => ({ account_data: { events: [{ type: markerType, content }] } })

const whole = joined({
  ...after(
    state("m.room.create", { type: "m.space", predecessor: { room_id: "!old:hs" }, room_version: "11" }),
    state("m.room.name", { name: "Talk" }),
    state("m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" }),
    member(alice, "join", { displayname: "Alice" }),
    member(bot, "join"),
    member("@carol:hs", "invite"),
    member("@gone:hs", "leave")
  ),
  ...accountData({ version: 1 })
})

describe("the view of a room", () => {
  it("is read from a whole answer", () => {
    assert.deepStrictEqual(seen(whole), {
      roomId: room,
      membership: "join",
      isSpace: true,
      name: "Talk",
      encrypted: true,
      marker: { version: 1 },
      tombstone: undefined,
      predecessor: RoomId.make("!old:hs"),
      origin: undefined,
      children: new Set<RoomId>(),
      listed: new Set<RoomId>(),
      members: new Map<UserId, RoomMember>([
        [alice, { membership: "join", displayName: "Alice" }],
        [bot, { membership: "join", displayName: undefined }],
        [UserId.make("@carol:hs"), { membership: "invite", displayName: undefined }]
      ])
    })
  })

  it("tells what this account made it for, and believes nobody else's", () => {
    const origin = { version: 1, kind: "space", owner: alice, created_at: 1 }
    const created = { ...state("m.room.create", { type: "m.space", "dev.homing.origin": origin }), sender: bot }
    assert.deepEqual(seen(joined(after(created)))?.origin, origin)
    assert.isUndefined(seen(joined(after({ ...created, sender: alice })))?.origin)
  })

  it("lists the rooms of a Space as they come, and keeps those that were taken out", () => {
    const child = (id: string, content: object) => state("m.space.child", { ...content }, id)
    const one = joined(after(child("!one:hs", { via: ["hs"] }), child("nonsense", { via: ["hs"] })))
    const two = joined(after(child("!two:hs", { via: ["hs"] }), child("!one:hs", {})))
    assert.sameMembers([...(seen(one, two)?.children ?? [])], [RoomId.make("!one:hs"), RoomId.make("!two:hs")])
    assert.sameMembers([...(seen(one, two)?.listed ?? [])], [RoomId.make("!two:hs")])
  })

  it("changes with the state that a later answer brings, and keeps the rest", () => {
    const view = applySync(emptyView, whole, bot)
    const before = view.get(room)?.room
    const change = joined(after(state("m.room.name", { name: "Renamed" }), member(alice, "leave")))
    const now = applySync(view, change, bot).get(room)?.room
    assert.deepStrictEqual({ ...now, members: undefined }, { ...before, name: "Renamed", members: undefined })
    assert.isFalse(now?.members.has(alice))
    // A value: what was read before the answer still says what it said.
    assert.isTrue(before?.members.has(alice))
  })

  it("is the same view when an answer brings only messages", () => {
    const view = applySync(emptyView, whole, bot)
    assert.strictEqual(applySync(view, joined({ ...after(), ...timeline(said("hi")) }), bot), view)
    assert.strictEqual(applySync(view, { next_batch: "s3" }, bot), view)
  })

  it("follows state events of the timeline only where there is no state_after", () => {
    const renamed = timeline(state("m.room.name", { name: "Later" }))
    assert.strictEqual(seen(whole, joined(renamed))?.name, "Later")
    assert.strictEqual(
      seen(joined({ state: { events: [state("m.room.name", { name: "First" })] }, ...renamed }))?.name,
      "Later"
    )
    assert.strictEqual(seen(whole, joined({ ...after(), ...renamed }))?.name, "Talk")
  })

  it("takes no message for state, whatever its type says", () => {
    assert.strictEqual(seen(whole, joined(timeline(event("m.room.name", { name: "Faked" }))))?.name, "Talk")
    assert.strictEqual(seen(whole, joined(after(state("m.room.name", { name: "Faked" }, "other"))))?.name, "Talk")
  })

  it("takes the marker from an answer that holds nothing else", () => {
    assert.deepStrictEqual(seen(whole, joined(accountData({ version: 2 })))?.marker, { version: 2 })
    assert.deepStrictEqual(
      seen(whole, joined({ account_data: { events: [{ type: "m.tag", content: {} }] } }))?.marker,
      { version: 1 }
    )
  })

  it("never takes encryption back", () => {
    assert.isTrue(seen(whole, joined(after(state("m.room.encryption", {}))))?.encrypted)
  })

  it("keeps it that it was encrypted when the bot leaves and comes back, whatever the server tells then", () => {
    const left = sync({ leave: { [room]: timeline(member(bot, "leave")) } })
    const invited = sync({ invite: { [room]: { invite_state: { events: [member(bot, "invite")] } } } })
    const back = joined(after(member(bot, "join")))
    assert.isTrue(seen(whole, left)?.encrypted)
    assert.isTrue(seen(whole, left, invited)?.encrypted)
    assert.isTrue(seen(whole, left, back)?.encrypted)
    assert.isTrue(seen(whole, left, invited, back)?.encrypted)
  })

  it("does not take it from an invite, whose state is anybody's word, that a room is encrypted for good", () => {
    const claims = [member(bot, "invite"), state("m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" })]
    const invited = sync({ invite: { [room]: { invite_state: { events: claims } } } })
    assert.isTrue(seen(invited)?.encrypted)
    assert.isFalse(seen(invited, joined(after(member(bot, "join"))))?.encrypted)
    const refused = sync({ leave: { [room]: timeline(member(bot, "leave")) } })
    assert.isFalse(seen(invited, refused, joined(after(member(bot, "join"))))?.encrypted)
  })

  it("has no members once the bot is out, and says how it went", () => {
    const gone = seen(whole, sync({ leave: { [room]: timeline(member(bot, "leave")) } }))
    assert.strictEqual(gone?.membership, "kicked")
    assert.strictEqual(gone?.members.size, 0)
    assert.deepStrictEqual(gone?.marker, { version: 1 })
  })

  it("begins anew when the bot comes back, with nothing of before but the marker", () => {
    const gone = sync({ leave: { [room]: timeline(member(bot, "leave")) } })
    const back = seen(whole, gone, joined(after(member(bot, "join"))))
    assert.strictEqual(back?.membership, "join")
    assert.isUndefined(back?.name)
    assert.deepStrictEqual(back?.marker, { version: 1 })
    assert.deepStrictEqual([...back?.members.keys() ?? []], [bot])
  })

  it("believes of an invite only what it shows", () => {
    const invited = seen(whole, sync({ invite: { [room]: { invite_state: { events: [member(bot, "invite")] } } } }))
    assert.strictEqual(invited?.membership, "invite")
    assert.isFalse(invited?.isSpace)
    assert.isUndefined(invited?.name)
  })
})

describe("a tombstone", () => {
  const levels = (content: unknown) => state("m.room.power_levels", content)
  const tombstone = (id: string, create: unknown, powerLevels: ReadonlyArray<unknown>, sender: string = alice) => {
    const roomId = RoomId.make(id)
    const raw = sync({
      join: {
        [roomId]: after(
          create,
          ...powerLevels,
          state("m.room.tombstone", { replacement_room: "!new:hs" }, "", { sender })
        )
      }
    })
    return applySync(emptyView, raw, bot).get(roomId)?.room.tombstone
  }
  const v11 = state("m.room.create", { room_version: "11" }, "", { sender: "@creator:hs" })
  const permitted = (powerLevels: ReadonlyArray<unknown>, sender?: string) =>
    tombstone("!room:hs", v11, powerLevels, sender)?.permitted

  it("is permitted by the level for it, by state_default, by 50", () => {
    assert.isTrue(permitted([levels({ users: { [alice]: 50 } })]))
    assert.isFalse(permitted([levels({ users: { [alice]: 49 } })]))
    assert.isTrue(permitted([levels({ users: { [alice]: 10 }, state_default: 10 })]))
    assert.isFalse(permitted([levels({ users: { [alice]: 99 }, events: { "m.room.tombstone": 100 } })]))
    assert.isTrue(permitted([levels({ users_default: 50 })]))
    assert.isTrue(permitted([levels({ users: { [alice]: "100" } })]))
    assert.isFalse(permitted([levels({ users: { [alice]: "1e9" } })]))
  })

  it("without power levels is the creator's alone", () => {
    assert.isTrue(permitted([], "@creator:hs"))
    assert.isFalse(permitted([], alice))
  })

  it("says whether the bot may speak in the room still", () => {
    const maySpeak = (...before: ReadonlyArray<unknown>) => tombstone("!room:hs", v11, before)?.maySpeak
    assert.isTrue(maySpeak(levels({ users: { [alice]: 100 } })))
    assert.isFalse(maySpeak(levels({ events_default: 50 })))
    assert.isTrue(maySpeak(levels({ events_default: 50, users: { [bot]: 50 } })))
    assert.isTrue(maySpeak(levels({ events_default: 50, events: { "m.room.message": 0 } })))
    const encryption = state("m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" })
    assert.isFalse(maySpeak(levels({ events_default: 50, events: { "m.room.message": 0 } }), encryption))
  })

  it("is permitted to every creator from room version 12 on", () => {
    const id = `!${"a".repeat(43)}`
    const v12 = state("m.room.create", { room_version: "12", additional_creators: ["@second:hs"] }, "", {
      sender: "@creator:hs"
    })
    const strict = [levels({ events: { "m.room.tombstone": 150 } })]
    assert.isTrue(tombstone(id, v12, strict, "@creator:hs")?.permitted)
    assert.isTrue(tombstone(id, v12, strict, "@second:hs")?.permitted)
    assert.isFalse(tombstone(id, v12, strict, alice)?.permitted)
    // Before, creators had only the level that they were given.
    assert.isFalse(tombstone("!room:hs", v11, strict, "@creator:hs")?.permitted)
  })

  it("counts the levels that came after it", () => {
    const answers = [
      joined(after(v11, state("m.room.tombstone", { replacement_room: "!new:hs" }))),
      joined(after(levels({ users: { [alice]: 100 } })))
    ]
    assert.isFalse(seen(...answers.slice(0, 1))?.tombstone?.permitted)
    assert.isTrue(seen(...answers)?.tombstone?.permitted)
  })

  it("is none when it names no room", () => {
    assert.isUndefined(seen(joined(after(v11, state("m.room.tombstone", { replacement_room: "nowhere" }))))?.tombstone)
    assert.isUndefined(seen(joined(after(state("m.room.tombstone", { body: "closed" }))))?.tombstone)
  })
})

describe("a room that is read from the server", () => {
  it("stands as the sync would show it", () => {
    const listed = [
      state("m.room.name", { name: "Talk" }),
      member(alice, "join", { displayname: "Alice" }),
      member(bot, "join")
    ]
    assert.deepStrictEqual(
      readRoom(room, listed, { version: 1 }, bot),
      seen(joined({ ...after(...listed), ...accountData({ version: 1 }) }))
    )
  })

  it("tells that the bot was banned", () => {
    const read = readRoom(room, [member(alice, "join"), member(bot, "ban")], undefined, bot)
    assert.strictEqual(read.membership, "banned")
    assert.strictEqual(read.members.size, 0)
  })
})
