import { assert, describe, it } from "@effect/vitest"
import { EventId } from "../../src/domain/Ids.ts"
import {
  type ChatOrigin,
  leftOpen,
  readOrigin,
  roomOfRequest,
  type SpaceOrigin,
  spacesListing
} from "../../src/domain/Origin.ts"
import { carryOut, decide } from "../../src/domain/Reconciliation.ts"
import { ann, bob, bot, chat, chatId, marker, room, roomId, tombstone } from "./Reconciliation/World.ts"

const about = { version: 1, owner: ann, created_at: 50 } as const
const origin: ChatOrigin = {
  ...about,
  kind: "chat",
  request: EventId.make("$request"),
  chat_id: chatId("c"),
  owner_name: "Ann",
  title: "Plans"
}
const spaceOrigin: SpaceOrigin = { ...about, kind: "space" }
const space = (name: string, ...children: ReadonlyArray<string>) =>
  room(name, { isSpace: true, origin: spaceOrigin, children: new Set(children.map(roomId)) })

describe("what a room was made for", () => {
  it("is read as it was written, and not at all when it is of another version or no origin", () => {
    assert.deepStrictEqual(readOrigin({ ...origin }), origin)
    assert.deepStrictEqual(readOrigin({ ...spaceOrigin }), spaceOrigin)
    for (const other of [undefined, null, "x", {}, { ...origin, version: 2 }, { ...origin, chat_id: "no id!" }]) {
      assert.isUndefined(readOrigin(other))
    }
  })

  it("finds the room of a request: of two the one with more in it, and none that the bot has left", () => {
    const gone = room("a", { origin, membership: "left" })
    const bare = room("b", { origin })
    const marked = room("c", { origin, marker: marker("c", "c") })
    assert.strictEqual(roomOfRequest([gone, bare, marked], "$request"), marked)
    assert.strictEqual(roomOfRequest([gone, bare], "$request"), bare)
    assert.isUndefined(roomOfRequest([gone, bare, marked], "$other"))
    const full = space("z", "c")
    assert.strictEqual(roomOfRequest([space("a"), full], `space:${ann}`), full)
  })

  it("finds the Spaces that list a room now, and what replaced one of them", () => {
    const listing = (name: string, children: ReadonlyArray<string>, options: Parameters<typeof room>[1] = {}) =>
      room(name, { isSpace: true, origin: spaceOrigin, listed: new Set(children.map(roomId)), ...options })
    const old = listing("old", ["plans"], { tombstone: tombstone("new") })
    const replaced = listing("new", ["plans", "garden"], { origin: undefined, predecessor: old.roomId })
    const once = room("once", { isSpace: true, origin: spaceOrigin, children: new Set([roomId("plans")]) })
    const others = [
      listing("theirs", ["plans"], { origin: undefined }),
      listing("gone", ["plans"], { membership: "left" })
    ]
    const rooms = [old, replaced, once, ...others]
    assert.deepStrictEqual(spacesListing(rooms, roomId("plans")), [old.roomId, replaced.roomId])
    assert.deepStrictEqual(spacesListing(rooms, roomId("garden")), [replaced.roomId])
    assert.deepStrictEqual(spacesListing(rooms, roomId("tea")), [])
  })

  it("leaves open what its owner's Space does not list, and a second Space that lists nothing", () => {
    const unlisted = room("new", { origin })
    const listed = room("old", { origin: { ...origin, request: EventId.make("$old") } })
    const upgraded = room("up", { origin, tombstone: tombstone("next") })
    const foreign = room("foreign", { origin: { ...origin, owner: bob } })
    const second = space("s2")
    const open = leftOpen([unlisted, listed, upgraded, foreign, space("s1", "old"), second])
    assert.deepStrictEqual(open.unlisted.map(({ roomId }) => roomId), [unlisted.roomId])
    assert.deepStrictEqual(open.surplusSpaces, [second])
  })

  it("leaves nothing open where the Space was replaced: what the new one lists is listed, and the old one is no second one", () => {
    const old = { ...space("s1"), tombstone: tombstone("s2") }
    const next = room("s2", { isSpace: true, predecessor: roomId("s1"), children: new Set([roomId("new")]) })
    assert.deepStrictEqual(leftOpen([room("new", { origin }), old, next]), { unlisted: [], surplusSpaces: [] })
    const { unlisted } = leftOpen([room("new", { origin }), old, { ...next, predecessor: undefined }])
    assert.deepStrictEqual(unlisted.map(({ roomId }) => roomId), [roomId("new")])
  })
})

describe("reconciliation of a room that the bot made", () => {
  const decided = (rooms: Parameters<typeof decide>[0]["rooms"], chats: Parameters<typeof decide>[0]["chats"] = []) =>
    decide({ account: bot, rooms, chats, now: 1000 })

  it("restores its chat without any marker, which is then to be written", () => {
    const rooms = [room("new", { origin }), space("s", "new")]
    const outcomes = decided(rooms)
    assert.deepStrictEqual(outcomes.map(({ _tag, reason }) => [_tag, reason]), [
      ["Restored", "no_local_chat"],
      ["Skipped", "space"]
    ])
    const [restored] = carryOut([], outcomes)
    assert.deepInclude(restored, { id: chatId("c"), title: "Plans", owner: ann, revision: 1, markerRevision: 0 })
    assert.deepStrictEqual(restored?.binding, { roomId: roomId("new"), boundAt: 50 })
    assert.deepStrictEqual(decided(rooms, restored === undefined ? [] : [restored]).map(({ reason }) => reason), [
      "marker_behind",
      "space"
    ])
  })

  it("takes the marker's word once there is one, and leaves a room alone whose marker was taken away", () => {
    const [marked] = carryOut([], decided([room("new", { origin, marker: marker("new", "c", { title: "Later" }) })]))
    assert.deepInclude(marked, { title: "Later", markerRevision: 1 })
    assert.deepStrictEqual(decided([room("new", { origin, marker: {} })]).map(({ reason }) => reason), ["no_marker"])
  })

  it("keeps what is known here of a chat whose marker is missing", () => {
    const known = chat("c", "new", { title: "Renamed", revision: 3, markerRevision: 0 })
    const [after] = carryOut([known], decided([room("new", { origin })], [known]))
    assert.deepInclude(after, { title: "Renamed", revision: 3, markerRevision: 0 })
  })
})
