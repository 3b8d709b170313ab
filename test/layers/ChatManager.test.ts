import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Chat, foreignMarker, maximumTitleLength } from "../../src/domain/Chat.ts"
import type { ChatNotFound, StoreUnavailable } from "../../src/domain/Errors.ts"
import { ChatId, RoomId, UserId } from "../../src/domain/Ids.ts"
import type { Outcome } from "../../src/domain/Reconciliation.ts"
import { ChatManager } from "../../src/layers/ChatManager.ts"
import { Store } from "../../src/layers/Store.ts"

const layer = ChatManager.layer.pipe(Layer.provideMerge(Store.layerMemory))

const test = <E>(name: string, body: (chats: ChatManager["Service"]) => Effect.Effect<void, E, Store>) =>
  it.effect(name, () => Effect.provide(Effect.flatMap(ChatManager, body), layer))

const roomA = RoomId.make("!a:example.org")
const roomB = RoomId.make("!b:example.org")
const roomC = RoomId.make("!c:example.org")
const ada = UserId.make("@ada:example.org")
const bob = UserId.make("@bob:example.org")
const nobody = ChatId.make("nobody")

const register = (chats: ChatManager["Service"], room: RoomId, owner = ada) =>
  chats.register({ room, owner, ownerName: "Ada", title: "Plans", roomName: undefined })

/** The chat as a reconciliation wants it: shown in `roomId`. */
const shownIn = (chat: Chat, roomId: RoomId, fields: Partial<Chat> = {}) =>
  new Chat({ ...chat, binding: { roomId, boundAt: 9 }, detached: null, ...fields })

const moved = (chat: Chat, fromRoomId: RoomId, roomId: RoomId): Outcome => ({
  _tag: "Moved",
  chatId: chat.id,
  fromRoomId,
  roomId,
  chat: shownIn(chat, roomId),
  reason: "room_upgraded"
})

describe("registering", () => {
  test(
    "makes a chat of the first revision without a marker",
    Effect.fnUntraced(function*(chats) {
      yield* TestClock.setTime(5000)
      const chat = yield* register(chats, roomA)
      assert.match(chat.id, /^[a-z0-9]{16}$/)
      assert.deepStrictEqual(
        chat,
        new Chat({
          id: chat.id,
          owner: ada,
          ownerName: "Ada",
          title: "Plans",
          archived: false,
          revision: 1,
          createdAt: 5000,
          binding: { roomId: roomA, boundAt: 5000 },
          detached: null,
          markerRevision: 0,
          roomName: "",
          fresh: true
        })
      )
      assert.deepStrictEqual(yield* chats.get(chat.id), chat)
      assert.strictEqual(yield* chats.resolve(roomA, ada), chat.id)
    })
  )

  test(
    "refuses a room that shows a chat, and names the chat",
    Effect.fnUntraced(function*(chats) {
      const first = yield* register(chats, roomA)
      const error = yield* Effect.flip(register(chats, roomA, bob))
      assert.deepInclude(error, { _tag: "RoomTaken", room: roomA, chat: first.id })
      assert.lengthOf(yield* chats.list(), 1)
    })
  )

  test(
    "gives a room to one of two that ask at the same moment",
    Effect.fnUntraced(function*(chats) {
      const results = yield* Effect.all([register(chats, roomA), register(chats, roomA)].map(Effect.result), {
        concurrency: 2
      })
      assert.deepStrictEqual(results.map((_) => _._tag).sort(), ["Failure", "Success"])
      assert.lengthOf(yield* chats.list(), 1)
    })
  )

  test(
    "never makes the same id twice",
    Effect.fnUntraced(function*(chats) {
      const rooms = Array.from({ length: 200 }, (_, n) => RoomId.make(`!r${n}:example.org`))
      const made = yield* Effect.forEach(rooms, (room) => register(chats, room))
      assert.strictEqual(new Set(made.map((_) => _.id)).size, 200)
    })
  )

  test(
    "cleans title and name, and falls back to the user id",
    Effect.fnUntraced(function*(chats) {
      const chat = yield* chats.register({
        room: roomA,
        owner: ada,
        ownerName: "\u202e\n",
        roomName: undefined,
        title: ` a\n\tb\u202e ${"x".repeat(500)}`
      })
      assert.strictEqual(chat.ownerName, ada)
      assert.isTrue(chat.title.startsWith("a b x"))
      assert.lengthOf(chat.title, maximumTitleLength)
    })
  )
})

describe("resolving", () => {
  test(
    "never makes up a chat for a room that shows none",
    Effect.fnUntraced(function*(chats) {
      const error = yield* Effect.flip(chats.resolve(roomA, ada))
      assert.deepInclude(error, { _tag: "UnregisteredRoom", room: roomA, user: ada })
      assert.lengthOf(yield* chats.list(), 0)
    })
  )

  test(
    "forgets a binding that was rolled back",
    Effect.fnUntraced(function*(chats) {
      const store = yield* Store
      const rolledBack = register(chats, roomA).pipe(
        Effect.tap(() => chats.resolve(roomA, ada)),
        Effect.andThen(Effect.fail("enough")),
        store.transaction
      )
      yield* Effect.flip(rolledBack)
      assert.strictEqual((yield* Effect.flip(chats.resolve(roomA, ada)))._tag, "UnregisteredRoom")
    })
  )
})

describe("changing", () => {
  test(
    "renames to a clean title of a new revision",
    Effect.fnUntraced(function*(chats) {
      const chat = yield* register(chats, roomA)
      const renamed = yield* chats.rename(chat.id, "  New\n title ")
      assert.deepStrictEqual(renamed, new Chat({ ...chat, title: "New title", revision: 2 }))
      assert.deepStrictEqual(yield* chats.get(chat.id), renamed)
    })
  )

  test(
    "archives once",
    Effect.fnUntraced(function*(chats) {
      const chat = yield* register(chats, roomA)
      assert.deepInclude(yield* chats.setArchived(chat.id, true), { archived: true, revision: 2 })
      assert.deepInclude(yield* chats.setArchived(chat.id, true), { archived: true, revision: 2 })
      assert.deepInclude(yield* chats.setArchived(chat.id, false), { archived: false, revision: 3 })
    })
  )

  test(
    "sets what its owner wants, each change a new revision",
    Effect.fnUntraced(function*(chats) {
      const { id } = yield* register(chats, roomA)
      const set = (value: string | undefined) =>
        Effect.map(chats.set(id, "backlog", value), ({ revision, settings }) => [revision, settings])
      assert.deepStrictEqual(yield* set("skip"), [2, { backlog: "skip", kept: {} }])
      assert.deepStrictEqual(yield* set("skip"), [2, { backlog: "skip", kept: {} }])
      assert.deepStrictEqual(yield* set(undefined), [3, { kept: {} }])
      assert.deepStrictEqual(yield* set(undefined), [3, { kept: {} }])
      assert.deepStrictEqual((yield* chats.unmarked).map((_) => _.revision), [3])
    })
  )

  test(
    "detaches and keeps the revision and the first reason",
    Effect.fnUntraced(function*(chats) {
      const chat = yield* register(chats, roomA)
      const detached = new Chat({ ...chat, binding: null, detached: "kicked", formerRoom: roomA })
      assert.deepStrictEqual(yield* chats.detach(chat.id, "kicked"), detached)
      assert.deepStrictEqual(yield* chats.detach(chat.id, "left"), detached)
      assert.strictEqual((yield* Effect.flip(chats.resolve(roomA, ada)))._tag, "UnregisteredRoom")
      assert.notStrictEqual((yield* register(chats, roomA)).id, chat.id)
    })
  )

  test(
    "says which chat there is not",
    Effect.fnUntraced(function*(chats) {
      const failures: ReadonlyArray<Effect.Effect<unknown, ChatNotFound | StoreUnavailable>> = [
        chats.get(nobody),
        chats.rename(nobody, "x"),
        chats.setArchived(nobody, true),
        chats.set(nobody, "backlog", "skip"),
        chats.detach(nobody, "left"),
        chats.markerWritten(nobody, 1)
      ]
      for (const failure of failures) {
        const error = yield* Effect.flip(failure)
        assert.deepInclude(error, { _tag: "ChatNotFound", chat: nobody })
      }
    })
  )
})

describe("moving", () => {
  const to = (room: RoomId) => ({ room, roomName: "Lounge" })

  test(
    "shows the chat in the other room, in a new revision, and notes where it was until that is cleared",
    Effect.fnUntraced(function*(chats) {
      const chat = yield* register(chats, roomA)
      yield* TestClock.setTime(9000)
      const moved = yield* chats.move(chat.id, to(roomB))
      const binding = { roomId: roomB, boundAt: 9000 }
      assert.deepStrictEqual(
        moved,
        new Chat({ ...chat, binding, revision: 2, roomName: "Lounge", formerRoom: roomA, fresh: false })
      )
      assert.strictEqual((yield* Effect.flip(chats.resolve(roomA, ada)))._tag, "UnregisteredRoom")
      assert.deepStrictEqual(yield* chats.move(chat.id, to(roomB)), moved, "twice is once")
      yield* chats.markerWritten(chat.id, 2)
      assert.lengthOf(yield* chats.unmarked, 1)
      yield* chats.leftBehind(chat.id, roomC)
      assert.strictEqual((yield* chats.get(chat.id)).formerRoom, roomA)
      yield* chats.leftBehind(chat.id, roomA)
      assert.deepStrictEqual(yield* chats.unmarked, [])
    })
  )

  test(
    "takes the place of a fresh chat of the same owner, which is forgotten, and of no other",
    Effect.fnUntraced(function*(chats) {
      const chat = yield* register(chats, roomA)
      const [born, theirs] = [yield* register(chats, roomB), yield* register(chats, roomC, bob)]
      const refused = yield* Effect.flip(chats.move(chat.id, to(roomC)))
      assert.deepInclude(refused, { _tag: "RoomTaken", room: roomC, chat: theirs.id })
      yield* chats.move(chat.id, to(roomB))
      assert.deepInclude(yield* Effect.flip(chats.get(born.id)), { _tag: "ChatNotFound" })
      const used = yield* register(chats, roomA)
      yield* chats.used(used.id)
      assert.deepInclude(yield* Effect.flip(chats.move(chat.id, to(roomA))), { _tag: "RoomTaken", chat: used.id })
      assert.strictEqual(yield* chats.resolve(roomB, ada), chat.id)
    })
  )
})

describe("listing", () => {
  test(
    "shows the newest first, of one owner or of all",
    Effect.fnUntraced(function*(chats) {
      const one = yield* register(chats, roomA)
      yield* TestClock.adjust("1 second")
      const two = yield* register(chats, roomB, bob)
      yield* TestClock.adjust("1 second")
      const three = yield* register(chats, roomC)
      assert.deepStrictEqual(yield* chats.list(), [three, two, one])
      assert.deepStrictEqual(yield* chats.list(ada), [three, one])
    })
  )
})

describe("markers", () => {
  test(
    "are wanting for bound chats until the revision was written",
    Effect.fnUntraced(function*(chats) {
      const chat = yield* register(chats, roomA)
      const gone = yield* register(chats, roomB)
      yield* chats.detach(gone.id, "left")
      assert.deepStrictEqual(yield* chats.unmarked, [chat])
      yield* chats.markerWritten(chat.id, 1)
      assert.deepStrictEqual(yield* chats.unmarked, [])
      yield* chats.rename(chat.id, "New")
      assert.deepStrictEqual((yield* chats.unmarked).map((_) => _.id), [chat.id])
    })
  )

  test(
    "never lower a newer note",
    Effect.fnUntraced(function*(chats) {
      const chat = yield* register(chats, roomA)
      yield* chats.rename(chat.id, "New")
      yield* chats.markerWritten(chat.id, 2)
      yield* chats.markerWritten(chat.id, 1)
      assert.strictEqual((yield* chats.get(chat.id)).markerRevision, 2)
    })
  )
})

describe("applying a reconciliation", () => {
  test(
    "carries out every outcome, and leaves skips and conflicts alone",
    Effect.fnUntraced(function*(chats) {
      const one = yield* register(chats, roomA)
      const two = yield* register(chats, roomB)
      const back = shownIn(new Chat({ ...one, id: ChatId.make("back") }), roomC)
      const updated = shownIn(two, roomB, { title: "From the marker", revision: 7, markerRevision: 7 })
      yield* chats.apply([
        { _tag: "Detached", chatId: one.id, roomId: roomA, reason: "banned" },
        { _tag: "Updated", chatId: two.id, roomId: roomB, chat: updated, reason: "marker_newer" },
        { _tag: "Restored", chatId: back.id, roomId: roomC, chat: back, reason: "no_local_chat" },
        { _tag: "Skipped", roomId: RoomId.make("!d:example.org"), reason: "no_marker" },
        { _tag: "Conflict", roomId: roomC, chatId: back.id, claimed: two.id, reason: "two_rooms_one_chat" }
      ])
      assert.deepStrictEqual(
        yield* chats.get(one.id),
        new Chat({ ...one, binding: null, detached: "banned", formerRoom: roomA })
      )
      assert.deepStrictEqual(yield* chats.get(two.id), updated)
      assert.deepStrictEqual(yield* chats.get(back.id), back)
      assert.lengthOf(yield* chats.list(), 3)
    })
  )

  test(
    "lets two chats change places, in either order",
    Effect.fnUntraced(function*(chats) {
      const one = yield* register(chats, roomA)
      const two = yield* register(chats, roomB)
      yield* chats.apply([moved(one, roomA, roomB), moved(two, roomB, roomA)])
      assert.strictEqual(yield* chats.resolve(roomB, ada), one.id)
      assert.strictEqual(yield* chats.resolve(roomA, ada), two.id)
      yield* chats.apply([moved(two, roomA, roomB), moved(one, roomB, roomA)])
      assert.strictEqual(yield* chats.resolve(roomA, ada), one.id)
      assert.strictEqual(yield* chats.resolve(roomB, ada), two.id)
    })
  )

  test(
    "notes what was seen of an unchanged chat's marker",
    Effect.fnUntraced(function*(chats) {
      const chat = yield* register(chats, roomA)
      const unchanged = { _tag: "Unchanged", chatId: chat.id, roomId: roomA } as const
      yield* chats.apply([{ ...unchanged, reason: "agrees" }])
      assert.deepStrictEqual(yield* chats.unmarked, [])
      yield* chats.apply([{ ...unchanged, reason: "marker_missing" }])
      assert.lengthOf(yield* chats.unmarked, 1)
      yield* chats.apply([{ ...unchanged, reason: "marker_not_ours" }])
      assert.strictEqual((yield* chats.get(chat.id)).markerRevision, foreignMarker)
      assert.deepStrictEqual(yield* chats.unmarked, [])
    })
  )

  test(
    "changes nothing when one outcome cannot be carried out",
    Effect.fnUntraced(function*(chats) {
      const one = yield* register(chats, roomA)
      const two = yield* register(chats, roomB)
      const three = yield* register(chats, roomC)
      const before = yield* chats.list()
      const error = yield* Effect.flip(chats.apply([
        { _tag: "Detached", chatId: one.id, roomId: roomA, reason: "left" },
        moved(two, roomB, roomC)
      ]))
      assert.strictEqual(error._tag, "StoreUnavailable")
      assert.deepStrictEqual(yield* chats.list(), before)
      assert.strictEqual(yield* chats.resolve(roomC, ada), three.id)
    })
  )
})
