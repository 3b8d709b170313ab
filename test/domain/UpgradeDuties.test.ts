import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import type { RoomId } from "../../src/domain/Ids.ts"
import type { SpaceOrigin } from "../../src/domain/Origin.ts"
import type { ServerRoom } from "../../src/domain/ServerRoom.ts"
import { upgradeDuties, type UpgradeDuty } from "../../src/domain/UpgradeDuties.ts"
import { ann, oneOf, room, roomId, tombstone } from "./Reconciliation/World.ts"

const origin: SpaceOrigin = { version: 1, kind: "space", owner: ann, created_at: 1 }
const names = ["r1", "r2", "r3", "r4", "r5"] as const
const aName = oneOf(...names)

const aRoom = Arbitrary.all({
  membership: oneOf("join", "join", "join", "left", "invite", "none"),
  isSpace: oneOf(false, false, true),
  made: oneOf(true, false),
  successor: Arbitrary.all([oneOf(true, true, false), aName]),
  permitted: oneOf(true, true, false),
  predecessor: Arbitrary.all([oneOf(true, true, false), aName]),
  lists: aName,
  listed: oneOf(true, false)
})
type Seed = typeof aRoom extends Arbitrary.Arbitrary<infer A> ? A : never

const worldOf = (seeds: ReadonlyArray<Seed>): ReadonlyMap<RoomId, ServerRoom> =>
  new Map(seeds.flatMap((seed, index) => {
    const name = names[index]
    if (name === undefined || seed.membership === "none") return []
    const children = new Set(seed.isSpace ? [roomId(seed.lists)] : [])
    return [[
      roomId(name),
      room(name, {
        membership: seed.membership,
        isSpace: seed.isSpace,
        origin: seed.isSpace && seed.made ? origin : undefined,
        tombstone: seed.successor[0] ? tombstone(seed.successor[1], seed.permitted) : undefined,
        predecessor: seed.predecessor[0] ? roomId(seed.predecessor[1]) : undefined,
        children,
        listed: seed.listed ? children : new Set<RoomId>()
      })
    ]]
  }))

/** The rooms as the next sync answer tells of them. A successor that the bot goes into turns out to be one, or is left again. */
const carryOut = (rooms: ReadonlyMap<RoomId, ServerRoom>, duty: UpgradeDuty): ReadonlyMap<RoomId, ServerRoom> => {
  const next = new Map(rooms)
  const space = rooms.get(duty._tag === "Relist" ? duty.space : duty.successor)
  switch (duty._tag) {
    case "Join": {
      const agrees = space === undefined || space.predecessor === duty.room
      const before = space ?? { ...room("new", { predecessor: duty.room }), roomId: duty.successor }
      return next.set(duty.successor, { ...before, membership: agrees ? "join" : "left" })
    }
    case "Relist": {
      if (space === undefined) return next
      const listed = new Set(space.listed)
      if (duty.add) listed.add(duty.successor)
      listed.delete(duty.room)
      const children = new Set([...space.children, ...listed])
      return next.set(space.roomId, { ...space, children, listed })
    }
    case "MoveSpace": {
      if (space === undefined) return next
      const children = new Set([...space.children, ...duty.add])
      return next.set(space.roomId, { ...space, children, listed: new Set([...space.listed, ...duty.add]) })
    }
  }
}

const isOpen = (duty: UpgradeDuty) => duty._tag !== "MoveSpace" || duty.add.length > 0

describe("what upgrades leave to do", () => {
  const worlds = Arbitrary.all({ rooms: Arbitrary.all([aRoom, aRoom, aRoom, aRoom, aRoom]), shown: aName })

  it.prop("comes to an end, and never leads into a room that nobody may send the bot to", [worlds], ([world]) => {
    let rooms = worldOf(world.rooms)
    const showing = new Set([roomId(world.shown)])
    const open = () => upgradeDuties(rooms, showing).filter(isOpen)
    let rounds = 0
    for (let duties = open(); duties.length > 0; duties = open()) {
      assert.isBelow(rounds++, 20)
      for (const duty of duties) {
        const from = rooms.get(duty.room)
        assert.isTrue(from?.tombstone?.permitted)
        if (duty._tag !== "Join") continue
        assert.isTrue(showing.has(duty.room) || from?.isSpace)
        assert.strictEqual(from?.membership, "join")
        assert.notInclude(["join", "left", "kicked", "banned"], rooms.get(duty.successor)?.membership)
      }
      for (const duty of duties.slice(0, 1)) rooms = carryOut(rooms, duty)
    }
  }, { arbitrary: { runs: 2000 } })
})
