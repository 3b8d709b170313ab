import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import type { Chat } from "../../../src/domain/Chat.ts"
import { carryOut, decide, Outcome } from "../../../src/domain/Reconciliation.ts"
import { type World, worlds } from "./World.ts"

const arbitrary = { runs: 400 }
// A machine that does much else needs longer than vitest allows.
const timeout = 20_000

const after = (world: World): World => ({ ...world, chats: carryOut(world.chats, decide(world)) })

const isChange = ({ _tag }: Outcome) =>
  _tag === "Restored" || _tag === "Updated" || _tag === "Moved" || _tag === "Detached"
const isFinding = ({ _tag }: Outcome) => _tag === "Skipped" || _tag === "Conflict"
const roomsOf = (outcome: Outcome) => outcome._tag === "Moved" ? [outcome.fromRoomId, outcome.roomId] : [outcome.roomId]
const sorted = (ids: Iterable<string | null>) => [...ids].toSorted()
const roomsShown = (chats: ReadonlyArray<Chat>) => chats.flatMap((chat) => chat.binding?.roomId ?? [])

describe("decide, in any world", () => {
  it.prop("finds nothing more to change once its outcomes are carried out", [worlds], ([world]) => {
    const first = decide(world)
    const second = decide(after(world))
    assert.deepStrictEqual(second.filter(isChange), [])
    // What was found stays found; a room that a chat has left behind is a skip from now on.
    const leftBehind = new Set(first.filter(isChange).flatMap(roomsOf))
    assert.deepStrictEqual(
      second.filter((outcome) => isFinding(outcome) && !(outcome._tag === "Skipped" && leftBehind.has(outcome.roomId))),
      first.filter(isFinding)
    )
    assert.deepStrictEqual(decide(after(after(world))), second)
  }, { arbitrary, timeout })

  it.prop("decides the same in any order", [worlds], ([world]) => {
    const outcomes = decide(world)
    const backwards = { ...world, rooms: world.rooms.toReversed(), chats: world.chats.toReversed() }
    const turned = {
      ...world,
      rooms: [...world.rooms.slice(2), ...world.rooms.slice(0, 2)],
      chats: [...world.chats.slice(1), ...world.chats.slice(0, 1)]
    }
    assert.deepStrictEqual(decide(backwards), outcomes)
    assert.deepStrictEqual(decide(turned), outcomes)
  }, { arbitrary, timeout })

  it.prop(
    "leaves one chat a room and one room a chat, and only in rooms that the bot has joined",
    [worlds],
    ([world]) => {
      const { chats, rooms } = after(world)
      const shown = roomsShown(chats)
      assert.strictEqual(new Set(shown).size, shown.length)
      assert.strictEqual(new Set(chats.map((chat) => chat.id)).size, chats.length)
      const joined = new Set(rooms.filter((room) => room.membership === "join").map((room) => room.roomId))
      assert.deepStrictEqual(shown.filter((room) => !joined.has(room)), [])
    },
    { arbitrary, timeout }
  )

  it.prop("loses no chat, and keeps id, owner and age of each", [worlds], ([world]) => {
    const later = new Map(after(world).chats.map((chat) => [chat.id, chat]))
    for (const chat of world.chats) {
      const now = later.get(chat.id)
      assert.deepStrictEqual([now?.owner, now?.createdAt], [chat.owner, chat.createdAt])
      assert.isAtLeast(now?.revision ?? 0, chat.revision)
    }
  }, { arbitrary, timeout })

  it.prop("accounts for every room and every chat exactly once", [worlds], ([world]) => {
    const outcomes = decide(world)
    const onServer = new Set<string | null>(world.rooms.map((room) => room.roomId))
    assert.deepStrictEqual(sorted(outcomes.flatMap(roomsOf).filter((room) => onServer.has(room))), sorted(onServer))

    const local = new Set<string>(world.chats.map((chat) => chat.id))
    const told = outcomes.flatMap((outcome) => outcome._tag === "Skipped" ? [] : outcome.chatId ?? [])
    assert.deepStrictEqual(sorted(told.filter((chat) => local.has(chat))), sorted(local))
    // What is not local can only be restored, and only once.
    const fresh = outcomes.filter((outcome) => outcome._tag === "Restored" && outcome.reason === "no_local_chat")
    assert.strictEqual(
      new Set(fresh.map((outcome) => outcome._tag === "Restored" && outcome.chatId)).size,
      fresh.length
    )
    assert.strictEqual(told.length, local.size + fresh.length)
  }, { arbitrary, timeout })

  it.prop("brings no chat back that was deleted", [worlds], ([world]) => {
    assert.deepStrictEqual(after(world).chats.filter(({ id }) => world.deleted.has(id)), [])
  }, { arbitrary, timeout })

  it.prop("names only rooms and chats that it was shown, so nothing has to be created", [worlds], ([world]) => {
    const known = new Set<string>([
      ...world.rooms.map((room) => room.roomId),
      ...roomsShown(world.chats)
    ])
    const named = decide(world).flatMap(roomsOf).filter((room) => room !== null)
    assert.deepStrictEqual(named.filter((room) => !known.has(room)), [])
  }, { arbitrary, timeout })

  it.prop("can be kept and read again", [worlds], ([world]) => {
    const outcomes = decide(world)
    const codec = Schema.toCodecJson(Schema.Array(Outcome))
    const kept = JSON.stringify(Schema.encodeSync(codec)(outcomes))
    assert.deepStrictEqual(Schema.decodeUnknownSync(codec)(JSON.parse(kept)), outcomes)
  }, { arbitrary: { runs: 200 }, timeout })

  it.effect(
    "meets every outcome and every reason in these worlds, so that the properties mean something",
    () =>
      Effect.gen(function*() {
        const samples = yield* Arbitrary.sampleEffect(worlds, { count: 1500, seed: "worlds" })
        const seen = new Map<string, number>()
        for (const outcome of samples.flatMap(decide)) {
          const key = outcome._tag === "Detached" ? "Detached" : `${outcome._tag}.${outcome.reason}`
          seen.set(key, (seen.get(key) ?? 0) + 1)
        }
        const members = Object.values(Outcome.cases).flatMap((member) =>
          member.fields.reason.literals.map((reason: string) => {
            const tag = member.fields._tag.schema.literal
            return tag === "Detached" ? tag : `${tag}.${reason}`
          })
        )
        assert.deepStrictEqual(members.filter((key) => (seen.get(key) ?? 0) < 2), [])
      }),
    timeout
  )
})
