import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { placesOf } from "../../chaos/Places.ts"
import { makePlan, ownerOf } from "../../chaos/Plan.ts"

const options = { kills: 200, messages: 2000, rooms: 20, seed: 1, encrypted: false }

describe("The plan of a chaos run", () => {
  it.effect("is the same for the same seed, and another for another", () =>
    Effect.gen(function*() {
      const plan = yield* makePlan(options)
      assert.deepStrictEqual(yield* makePlan(options), plan)
      assert.notDeepEqual(yield* makePlan({ ...options, seed: 2 }), plan)
    }))

  it.effect("writes as many messages as it was asked for, numbered in each room", () =>
    Effect.gen(function*() {
      const { rounds } = yield* makePlan(options)
      const messages = rounds.flatMap((round) => round.messages)
      assert.strictEqual(rounds.length, options.kills)
      assert.strictEqual(messages.length, options.messages)
      for (let room = 0; room < options.rooms; room++) {
        const numbers = messages.filter((message) => message.room === room).map(({ number }) => number)
        assert.deepStrictEqual(numbers, numbers.map((_, index) => index + 1))
      }
    }))

  it.effect("writes nothing in a room before the bot was invited", () =>
    Effect.gen(function*() {
      const { rooms, rounds } = yield* makePlan(options)
      for (const [index, { messages }] of rounds.entries()) {
        for (const { room } of messages) assert.isBelow(rooms[room]?.invitedIn ?? index, index)
      }
    }))

  it.effect("ends a life at every named place", () =>
    Effect.gen(function*() {
      const { rounds } = yield* makePlan(options)
      const planned = new Set(rounds.flatMap(({ kill }) => kill._tag === "At" ? [kill.place] : []))
      assert.deepStrictEqual([...planned].sort(), [...placesOf({ ...options, faults: true })].sort())
    }))

  it.effect("archives a chat once, and makes a Space for everybody where it has to die at that", () =>
    Effect.gen(function*() {
      const { rounds } = yield* makePlan(options)
      const archives = rounds.flatMap(({ messages }) => messages).filter(({ said }) => said === "archive")
      assert.isAbove(archives.length, 0)
      assert.strictEqual(new Set(archives.map(({ room }) => room)).size, archives.length)
      const ofSpaces = rounds.filter(({ kill }) => kill._tag === "At" && kill.place.startsWith("create space"))
      const owners = ofSpaces.flatMap(({ messages }) => messages.slice(0, 1).map(({ room }) => ownerOf(room)))
      assert.strictEqual(new Set(owners).size, owners.length)
    }))

  it.effect("of encrypted rooms ends lives at the commits of keys, too", () =>
    Effect.gen(function*() {
      const { rounds } = yield* makePlan({ ...options, encrypted: true })
      const atCommits = rounds.filter(({ kill }) => kill._tag === "At" && kill.place.startsWith("crypto commit:"))
      assert.isAtLeast(atCommits.length, options.kills / 10)
    }))
})
