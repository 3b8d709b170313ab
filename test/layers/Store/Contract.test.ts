import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { Chat } from "../../../src/domain/Chat.ts"
import { referenceCodeOf } from "../../../src/domain/Diagnostic.ts"
import {
  ChatId,
  DeviceId,
  EventId,
  ReferenceCode,
  RoomId,
  SyncToken,
  TransactionId,
  UserId
} from "../../../src/domain/Ids.ts"
import { answered, ignored } from "../../../src/domain/Settlement.ts"
import { AppConfig } from "../../../src/layers/AppConfig.ts"
import { Store } from "../../../src/layers/Store.ts"
import {
  ada,
  batch,
  bot,
  bound,
  chat,
  invite,
  message,
  reply,
  report,
  roomA,
  roomB,
  session,
  temporaryDirectory
} from "./Samples.ts"

const onDisk = Layer.unwrap(
  Effect.map(temporaryDirectory, (dataDir) => Store.layer.pipe(Layer.provide(AppConfig.layerTest({ dataDir }))))
)

const problemOf = <A, E extends { readonly problem: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => error.problem)

describe.each([["in memory", Store.layerMemory], ["on disk", onDisk]] as const)("the store %s", (_, layer) => {
  const test = <E>(name: string, body: (store: Store["Service"]) => Effect.Effect<void, E>) =>
    it.effect(name, () => Effect.provide(Effect.flatMap(Store, body), layer))

  describe("session", () => {
    test(
      "knows nothing at first",
      Effect.fnUntraced(function*(store) {
        assert.isUndefined(yield* store.session.load)
        assert.isUndefined(yield* store.session.deviceId)
        assert.isUndefined(yield* store.cursor)
      })
    )

    test(
      "loads what was saved last",
      Effect.fnUntraced(function*(store) {
        yield* store.session.save(session)
        yield* store.session.save({ ...session, accessToken: Redacted.make("syt_new") })
        const loaded = yield* store.session.load
        assert.strictEqual(loaded && Redacted.value(loaded.accessToken), "syt_new")
        assert.strictEqual(loaded?.userId, bot)
        assert.strictEqual(loaded?.homeserverUrl, session.homeserverUrl)
      })
    )

    test(
      "keeps the device when it forgets the token",
      Effect.fnUntraced(function*(store) {
        yield* store.session.save(session)
        yield* store.session.forgetToken
        assert.isUndefined(yield* store.session.load)
        assert.strictEqual(yield* store.session.deviceId, session.deviceId)
      })
    )

    test(
      "forgets the device and takes a new one",
      Effect.fnUntraced(function*(store) {
        yield* store.session.save(session)
        yield* store.session.forgetDevice
        assert.isUndefined(yield* store.session.load)
        assert.isUndefined(yield* store.session.deviceId)
        yield* store.session.save({ ...session, deviceId: DeviceId.make("HOMING2") })
        assert.strictEqual(yield* store.session.deviceId, "HOMING2")
      })
    )

    test(
      "refuses another account and keeps the first",
      Effect.fnUntraced(function*(store) {
        yield* store.session.save(session)
        yield* store.session.forgetDevice
        const other = { ...session, userId: UserId.make("@other:example.org") }
        assert.strictEqual(yield* problemOf(store.session.save(other)), "other_account")
        yield* store.session.save(session)
      })
    )
  })

  describe("chats", () => {
    test(
      "gives a chat back as it was put, bound or not",
      Effect.fnUntraced(function*(store) {
        const shown = bound("shown", roomA, { archived: true, createdAt: 1.5, markerRevision: 3, revision: 4 })
        const hidden = chat("hidden", { detached: "room_gone", createdAt: 1e18 })
        yield* store.chats.put(shown)
        yield* store.chats.put(hidden)
        assert.deepStrictEqual(yield* store.chats.byId(shown.id), shown)
        assert.deepStrictEqual(yield* store.chats.byId(hidden.id), hidden)
        assert.deepStrictEqual(yield* store.chats.byRoom(roomA), shown)
        assert.isUndefined(yield* store.chats.byRoom(roomB))
        assert.isUndefined(yield* store.chats.byId(ChatId.make("nobody")))
        assert.deepStrictEqual((yield* store.chats.all).map((_) => _.id).sort(), [hidden.id, shown.id])
      })
    )

    test(
      "replaces a chat of the same id",
      Effect.fnUntraced(function*(store) {
        yield* store.chats.put(bound("one", roomA))
        yield* store.chats.put(bound("one", roomB, { title: "New", revision: 2 }))
        assert.isUndefined(yield* store.chats.byRoom(roomA))
        assert.strictEqual((yield* store.chats.byRoom(roomB))?.title, "New")
        assert.lengthOf(yield* store.chats.all, 1)
      })
    )

    test(
      "shows one chat in a room at most",
      Effect.fnUntraced(function*(store) {
        yield* store.chats.put(bound("one", roomA))
        assert.strictEqual(yield* problemOf(store.chats.put(bound("two", roomA))), "failed")
        assert.strictEqual((yield* store.chats.byRoom(roomA))?.id, "one")
        assert.lengthOf(yield* store.chats.all, 1)
      })
    )

    test(
      "keeps what was set in a chat, also what is not understood",
      Effect.fnUntraced(function*(store) {
        const set = bound("one", roomA, { settings: { backlog: "skip", kept: { backlog2: "x", colour: "\"b'lue" } } })
        yield* store.chats.put(set)
        assert.deepStrictEqual(yield* store.chats.byRoom(roomA), set)
        yield* store.chats.put(new Chat({ ...set, settings: { kept: {} } }))
        assert.deepStrictEqual((yield* store.chats.byId(set.id))?.settings, { kept: {} })
      })
    )

    test(
      "finds the chats of many rooms in one look",
      Effect.fnUntraced(function*(store) {
        yield* store.chats.put(bound("one", roomA))
        yield* store.chats.put(bound("two", roomB))
        yield* store.chats.put(chat("hidden"))
        const elsewhere = Array.from({ length: 40_000 }, (_, n) => RoomId.make(`!${n}:example.org`))
        const found = yield* store.chats.byRooms([roomB, ...elsewhere, roomA, roomA])
        assert.deepStrictEqual(found, new Map([[roomA, bound("one", roomA)], [roomB, bound("two", roomB)]]))
        assert.deepStrictEqual(yield* store.chats.byRooms([]), new Map())
      })
    )

    test(
      "knows when the newest message of a room came, settled or not",
      Effect.fnUntraced(function*(store) {
        yield* TestClock.setTime(1000)
        yield* store.inbox.ingest(batch([message("$1"), message("$b", roomB)]))
        yield* TestClock.setTime(2000)
        yield* store.inbox.ingest(batch([message("$2")]))
        yield* store.inbox.settle("$2", ignored("notice"))
        yield* TestClock.setTime(3000)
        yield* store.inbox.ingest(batch([invite(roomA)]))
        const roomC = RoomId.make("!c:example.org")
        assert.deepStrictEqual(yield* store.chats.lastHeard([roomA, roomC]), new Map([[roomA, 2000]]))
        assert.deepStrictEqual(yield* store.chats.lastHeard([]), new Map())
      })
    )
  })

  describe("reports", () => {
    test(
      "keeps the last hundred, the newest first",
      Effect.fnUntraced(function*(store) {
        yield* Effect.forEach(Array.from({ length: 103 }, (_, n) => report(n)), store.reports.append, { discard: true })
        assert.deepStrictEqual(yield* store.reports.latest(2), [report(102), report(101)])
        const all = yield* store.reports.latest(1000)
        assert.lengthOf(all, 100)
        assert.strictEqual(all.at(-1)?.startedAt, 3)
      })
    )
  })

  describe("inbox", () => {
    test(
      "keeps rows, and the cursor with them",
      Effect.fnUntraced(function*(store) {
        yield* TestClock.setTime(7000)
        yield* store.inbox.ingest(batch([message("$1"), message("$2", roomB)], { cursor: SyncToken.make("s7") }))
        assert.strictEqual(yield* store.cursor, "s7")
        assert.deepStrictEqual(yield* store.inbox.find("$1"), {
          key: "$1",
          roomId: roomA,
          sender: ada,
          state: "pending",
          reason: undefined,
          code: referenceCodeOf("$1"),
          receivedAt: 7000,
          settledAt: undefined
        })
        assert.isUndefined(yield* store.inbox.find("$3"))
      })
    )

    test(
      "takes more rows than one statement holds",
      Effect.fnUntraced(function*(store) {
        yield* store.inbox.ingest(batch(Array.from({ length: 1234 }, (_, n) => message(`$${n}`))))
        assert.strictEqual((yield* store.inbox.counts).pending, 1234)
      })
    )

    test(
      "lists rooms by who waits the longest",
      Effect.fnUntraced(function*(store) {
        yield* store.inbox.ingest(batch([message("$1", roomB), message("$2"), message("$3", roomB)]))
        assert.deepStrictEqual(yield* store.inbox.pendingRooms, [roomB, roomA])
        yield* store.inbox.settle("$1", answered([]))
        assert.deepStrictEqual(yield* store.inbox.pendingRooms, [roomA, roomB])
      })
    )

    test(
      "begins with the oldest row and counts every attempt",
      Effect.fnUntraced(function*(store) {
        yield* store.inbox.ingest(batch([message("$1"), message("$2")]))
        assert.deepStrictEqual(yield* store.inbox.begin(roomA), {
          ...message("$1"),
          attempts: 1,
          takenUp: false,
          receivedAt: 0
        })
        assert.strictEqual((yield* store.inbox.begin(roomA))?.attempts, 2)
        yield* store.inbox.settle("$1", answered([]))
        assert.deepStrictEqual(yield* store.inbox.begin(roomA), {
          ...message("$2"),
          attempts: 1,
          takenUp: false,
          receivedAt: 0
        })
        assert.isUndefined(yield* store.inbox.begin(roomB))
      })
    )

    test(
      "names the rooms last whose oldest row was begun most often, and tells which were begun so often",
      Effect.fnUntraced(function*(store) {
        yield* store.inbox.ingest(batch([message("$1"), message("$2"), message("$3", roomB)]))
        yield* store.inbox.begin(roomA)
        yield* store.inbox.begin(roomA)
        yield* store.inbox.begin(roomB)
        assert.deepStrictEqual(yield* store.inbox.pendingRooms, [roomB, roomA])
        assert.deepStrictEqual(yield* store.inbox.begunRooms(2), [roomA])
        assert.deepStrictEqual(yield* store.inbox.begunRooms(3), [])
        yield* store.inbox.settle("$1", answered([]))
        assert.deepStrictEqual(yield* store.inbox.begunRooms(2), [])
      })
    )

    test(
      "takes back the attempt of a row that is left in order, and of no other",
      Effect.fnUntraced(function*(store) {
        yield* store.inbox.ingest(batch([message("$1"), message("$2", roomB)]))
        yield* store.inbox.begin(roomA)
        yield* store.inbox.begin(roomA)
        yield* store.inbox.begin(roomB)
        yield* store.inbox.giveBack(["$1"])
        assert.strictEqual((yield* store.inbox.begin(roomA))?.attempts, 2)
        assert.strictEqual((yield* store.inbox.begin(roomB))?.attempts, 2)
      })
    )

    test(
      "inserts nothing for a message that it knows, settled or not",
      Effect.fnUntraced(function*(store) {
        yield* store.inbox.ingest(batch([message("$1"), message("$2"), message("$2")]))
        yield* store.inbox.settle("$1", answered([reply("t1")]))
        yield* store.inbox.ingest(batch([message("$1"), message("$2")], {
          ignored: [{ row: message("$1"), reason: "edit", tell: true }],
          cursor: SyncToken.make("s2")
        }))
        assert.deepStrictEqual(yield* store.inbox.counts, { pending: 1, answered: 1, ignored: 0, failed: 0 })
        assert.strictEqual(yield* store.cursor, "s2")
      })
    )

    test(
      "settles on arrival what nests too deep to be written, and keeps the rest",
      Effect.fnUntraced(function*(store) {
        const deep: unknown = JSON.parse("[".repeat(20_000) + "]".repeat(20_000))
        const { event } = message("$1")
        if (event === undefined) return assert.fail("it has no event")
        const row = { ...message("$1"), event: { ...event, content: { ...event.content, deep } } }
        yield* store.inbox.ingest(batch([row, message("$2")]))
        assert.deepInclude(yield* store.inbox.find("$1"), { state: "ignored", reason: "malformed" })
        assert.strictEqual((yield* store.inbox.begin(roomA))?.key, "$2")
      })
    )

    test(
      "settles on arrival what is ignored, and keeps the reason",
      Effect.fnUntraced(function*(store) {
        yield* TestClock.setTime(50)
        yield* store.inbox.ingest(batch([], { ignored: [{ row: message("$1"), reason: "notice", tell: true }] }))
        const found = yield* store.inbox.find("$1")
        assert.deepInclude(found, { state: "ignored", reason: "notice", receivedAt: 50, settledAt: 50 })
        assert.isUndefined(yield* store.inbox.begin(roomA))
      })
    )

    test(
      "settles with reason, code and time",
      Effect.fnUntraced(function*(store) {
        yield* store.inbox.ingest(batch([message("$1"), message("$2"), message("$3")]))
        yield* TestClock.setTime(90)
        const code = ReferenceCode.make("ABCDEFGH")
        yield* store.inbox.settle("$1", ignored("edit"))
        yield* store.inbox.settle("$2", { _tag: "Failed", code, problem: "it broke", replies: [reply("t2")] })
        yield* store.inbox.settle("$3", answered([reply("t3")]))
        assert.deepInclude(yield* store.inbox.find("$1"), { state: "ignored", reason: "edit", settledAt: 90 })
        assert.deepInclude(yield* store.inbox.find("$2"), { state: "failed", reason: "it broke", code, settledAt: 90 })
        assert.deepInclude(yield* store.inbox.find("$3"), {
          state: "answered",
          reason: undefined,
          code: referenceCodeOf("$3")
        })
        assert.deepStrictEqual(yield* store.inbox.counts, { pending: 0, answered: 1, ignored: 1, failed: 1 })
        assert.strictEqual((yield* store.outbox.counts).pending, 2)
      })
    )

    test(
      "changes nothing when a key is settled twice",
      Effect.fnUntraced(function*(store) {
        yield* store.inbox.ingest(batch([message("$1")]))
        yield* store.inbox.settle("$1", answered([reply("t1")]))
        yield* store.inbox.settle("$1", answered([reply("t1"), reply("t2")]))
        yield* store.inbox.settle("$1", ignored("edit"))
        yield* store.inbox.settle("$unknown", answered([reply("t3")]))
        assert.strictEqual((yield* store.inbox.find("$1"))?.state, "answered")
        assert.deepStrictEqual(yield* store.outbox.counts, { pending: 1, sent: 0, dead: 0 })
      })
    )

    test(
      "opens an invite again that comes again, unless it still waits",
      Effect.fnUntraced(function*(store) {
        yield* store.inbox.ingest(batch([invite(roomA)]))
        assert.deepStrictEqual(yield* store.inbox.begin(roomA), {
          ...invite(roomA),
          attempts: 1,
          takenUp: false,
          receivedAt: 0
        })
        yield* store.inbox.ingest(batch([invite(roomA)]))
        assert.strictEqual((yield* store.inbox.begin(roomA))?.attempts, 2)
        yield* store.inbox.settle(invite(roomA).key, answered([]))
        yield* store.inbox.ingest(batch([invite(roomA, bot)]))
        const again = yield* store.inbox.begin(roomA)
        assert.deepInclude(again, { sender: bot, attempts: 1, takenUp: false })
        assert.deepStrictEqual(yield* store.inbox.counts, { pending: 1, answered: 0, ignored: 0, failed: 0 })
      })
    )

    test(
      "records a repeated invite that is now ignored",
      Effect.fnUntraced(function*(store) {
        yield* store.inbox.ingest(batch([invite(roomA)]))
        yield* store.inbox.settle(invite(roomA).key, answered([]))
        yield* store.inbox.ingest(
          batch([], { ignored: [{ row: invite(roomA, bot), reason: "invite_not_allowed", tell: true }] })
        )
        assert.deepInclude(yield* store.inbox.find(invite(roomA).key), {
          state: "ignored",
          reason: "invite_not_allowed"
        })
      })
    )
  })

  describe("what a sync answer says about messages that wait", () => {
    const content = { msgtype: "m.text", body: "in other words" }
    const e = (id: string) => EventId.make(id)
    const edit = (target: string, sender = ada, roomId = roomA) => ({
      edit: e("$edit"),
      target: e(target),
      roomId,
      sender,
      content
    })
    const redaction = (target: string, roomId = roomA, follow = false) => ({
      redaction: e("$redaction"),
      roomId,
      target: e(target),
      follow
    })

    test(
      "gives a message its sender's new words, and keeps the rest",
      Effect.fnUntraced(function*(store) {
        yield* store.inbox.ingest(batch([message("$1")], { edits: [edit("$1")] }))
        const row = yield* store.inbox.begin(roomA)
        assert.deepStrictEqual<unknown>(row?.event, { ...message("$1").event, content })
        assert.strictEqual(row?.key, "$1")
      })
    )

    test(
      "changes nothing for an edit by another, of a settled message, or of nothing",
      Effect.fnUntraced(function*(store) {
        yield* store.inbox.ingest(batch([message("$1"), message("$2", roomB)]))
        yield* store.inbox.settle("$2", answered([]))
        yield* store.inbox.ingest(batch([], {
          edits: [
            edit("$1", bot),
            edit("$1", ada, roomB),
            edit("$2", ada, roomB),
            edit("$3")
          ]
        }))
        assert.deepStrictEqual(yield* store.inbox.begin(roomA), {
          ...message("$1"),
          attempts: 1,
          takenUp: false,
          receivedAt: 0
        })
        assert.strictEqual((yield* store.inbox.find("$2"))?.state, "answered")
        assert.isUndefined(yield* store.inbox.find("$3"))
      })
    )

    test(
      "ignores what was redacted before it was handled",
      Effect.fnUntraced(function*(store) {
        yield* TestClock.setTime(40)
        yield* store.inbox.ingest(batch([message("$1"), message("$2"), message("$3")]))
        yield* store.inbox.settle("$1", answered([]))
        yield* store.inbox.ingest(
          batch([], { redactions: [redaction("$1"), redaction("$2"), redaction("$3", roomB), redaction("$9")] })
        )
        assert.strictEqual((yield* store.inbox.find("$1"))?.state, "answered")
        assert.deepInclude(yield* store.inbox.find("$2"), { state: "ignored", reason: "redacted", settledAt: 40 })
        assert.strictEqual((yield* store.inbox.begin(roomA))?.key, "$3")
      })
    )

    test(
      "counts as answered what the room has an answer to, also when it is redacted",
      Effect.fnUntraced(function*(store) {
        yield* store.inbox.ingest(batch([message("$1"), message("$2")], {
          answered: [e("$1"), e("$9")],
          redactions: [redaction("$1")]
        }))
        assert.deepInclude(yield* store.inbox.find("$1"), { state: "answered", reason: "answered_before" })
        assert.strictEqual((yield* store.inbox.begin(roomA))?.key, "$2")
        yield* store.inbox.settle("$2", ignored("notice"))
        yield* store.inbox.ingest(batch([], { answered: [e("$2")] }))
        assert.deepInclude(yield* store.inbox.find("$2"), { state: "ignored", reason: "notice" })
      })
    )

    test(
      "notes what catching up left out, the newest first",
      Effect.fnUntraced(function*(store) {
        const first = { roomId: roomA, from: "p9", to: "s1", events: 2000 }
        const second = { roomId: roomB, from: "p5", to: undefined, events: 7 }
        yield* store.inbox.ingest(batch([], { gaps: [first] }))
        yield* TestClock.setTime(60)
        yield* store.inbox.ingest(batch([], { gaps: [second] }))
        assert.deepStrictEqual(yield* store.inbox.gaps(5), [{ ...second, noticedAt: 60 }, { ...first, noticedAt: 0 }])
        assert.lengthOf(yield* store.inbox.gaps(1), 1)
      })
    )
  })

  describe("settling and going on", () => {
    test(
      "begins the next of the room in the transaction that settles",
      Effect.fnUntraced(function*(store) {
        yield* store.inbox.ingest(batch([message("$1"), message("$b", roomB), message("$2")]))
        yield* store.inbox.begin(roomA)
        assert.deepStrictEqual(
          yield* store.inbox.settleAndBegin("$1", answered([reply("t1")])),
          { ...message("$2"), attempts: 1, takenUp: false, receivedAt: 0 }
        )
        assert.strictEqual((yield* store.inbox.find("$1"))?.state, "answered")
        assert.strictEqual((yield* store.outbox.next(roomA))?.message.transactionId, "t1")
        assert.isUndefined(yield* store.inbox.settleAndBegin("$2", ignored("notice")))
        assert.strictEqual((yield* store.inbox.begin(roomB))?.attempts, 1)
      })
    )

    test(
      "goes on after a message that was settled already, and says nothing for one that is unknown",
      Effect.fnUntraced(function*(store) {
        yield* store.inbox.ingest(batch([message("$1"), message("$2")]))
        yield* store.inbox.settle("$1", ignored("notice"))
        assert.strictEqual((yield* store.inbox.settleAndBegin("$1", answered([reply("t1")])))?.key, "$2")
        assert.isUndefined(yield* store.inbox.settleAndBegin("$9", answered([reply("t9")])))
        assert.strictEqual((yield* store.outbox.counts).pending, 0)
      })
    )
  })

  describe("records", () => {
    test(
      "come newest first, by state and room",
      Effect.fnUntraced(function*(store) {
        yield* store.inbox.ingest(batch([message("$1"), message("$2", roomB), message("$3")]))
        const code = ReferenceCode.make("ABCDEFGH")
        yield* store.inbox.settle("$1", { _tag: "Failed", code, problem: "it broke", replies: [] })
        yield* store.inbox.settle("$2", ignored("notice"))
        const keys = (filter: Parameters<Store["Service"]["inbox"]["records"]>[0]) =>
          Effect.map(store.inbox.records(filter), (records) => records.map(({ key }) => key))
        assert.deepStrictEqual(yield* keys({ limit: 9 }), ["$3", "$2", "$1"])
        assert.deepStrictEqual(yield* keys({ limit: 2 }), ["$3", "$2"])
        assert.deepStrictEqual(yield* keys({ room: roomA, limit: 9 }), ["$3", "$1"])
        assert.deepStrictEqual(yield* keys({ room: roomA, state: "failed", limit: 9 }), ["$1"])
        assert.strictEqual((yield* store.inbox.findByCode(code))?.key, "$1")
        assert.isUndefined(yield* store.inbox.findByCode(ReferenceCode.make("ABCDEFGJ")))
      })
    )
  })

  describe("outbox", () => {
    const settled = Effect.fnUntraced(function*(store: Store["Service"]) {
      yield* store.inbox.ingest(batch([message("$1"), message("$2", roomB), message("$3")]))
      yield* store.inbox.settle("$2", answered([reply("b1", roomB)]))
      yield* store.inbox.settle("$1", answered([reply("a1"), reply("a2")]))
      yield* store.inbox.settle("$3", answered([reply("a3")]))
    })
    const t = (id: string) => TransactionId.make(id)
    const e = (id: string) => EventId.make(id)
    const echo = (transaction: string, event: string) => ({
      transactionId: t(transaction),
      eventId: e(event),
      roomId: roomA,
      question: undefined
    })

    test(
      "gives messages in the order in which they were settled",
      Effect.fnUntraced(function*(store) {
        yield* settled(store)
        assert.deepStrictEqual(yield* store.outbox.pendingRooms, [roomB, roomA])
        assert.deepInclude(yield* store.outbox.next(roomA), { message: reply("a1") })
        assert.deepInclude(yield* store.outbox.next(roomA), { message: reply("a1") })
        yield* store.outbox.sent(t("a1"), e("$a1"))
        assert.deepInclude(yield* store.outbox.next(roomA), { message: reply("a2") })
        yield* store.outbox.dead(t("a2"), "forbidden")
        assert.strictEqual((yield* store.outbox.next(roomA))?.message.transactionId, "a3")
        yield* store.outbox.sent(t("a3"), e("$a3"))
        assert.isUndefined(yield* store.outbox.next(roomA))
        assert.deepStrictEqual(yield* store.outbox.pendingRooms, [roomB])
        assert.deepStrictEqual(yield* store.outbox.counts, { pending: 1, sent: 2, dead: 1 })
      })
    )

    test(
      "puts what is said instead of a message behind what waits, once",
      Effect.fnUntraced(function*(store) {
        yield* settled(store)
        yield* store.outbox.dead(t("a1"), "too_large", reply("a1.refused"))
        yield* store.outbox.dead(t("a1"), "too_large", reply("a1.again"))
        const waiting = yield* store.outbox.list({ states: ["pending"], limit: 10 })
        assert.deepStrictEqual(waiting.map(({ transactionId }) => transactionId).toSorted(), [
          "a1.refused",
          "a2",
          "a3",
          "b1"
        ])
        assert.strictEqual((yield* store.outbox.next(roomA))?.message.transactionId, "a2")
      })
    )

    test(
      "knows the events that it sent",
      Effect.fnUntraced(function*(store) {
        yield* settled(store)
        assert.isFalse(yield* store.outbox.hasSent(e("$a1")))
        yield* store.outbox.sent(t("a1"), e("$a1"))
        assert.isTrue(yield* store.outbox.hasSent(e("$a1")))
      })
    )

    test(
      "counts an own echo as sent, also of a message that was given up",
      Effect.fnUntraced(function*(store) {
        yield* settled(store)
        yield* store.outbox.dead(t("a2"), "forbidden")
        yield* store.inbox.ingest(batch([], {
          echoes: [
            echo("a1", "$a1"),
            echo("a2", "$a2"),
            echo("not-ours", "$x")
          ]
        }))
        assert.deepStrictEqual(yield* store.outbox.counts, { pending: 2, sent: 2, dead: 0 })
        assert.isTrue(yield* store.outbox.hasSent(e("$a2")))
        assert.isFalse(yield* store.outbox.hasSent(e("$x")))
      })
    )

    test(
      "does not take back what was sent",
      Effect.fnUntraced(function*(store) {
        yield* settled(store)
        yield* store.outbox.sent(t("a1"), e("$a1"))
        yield* store.outbox.dead(t("a1"), "late")
        yield* store.outbox.sent(t("a1"), e("$other"))
        assert.strictEqual((yield* store.outbox.counts).sent, 1)
        assert.isTrue(yield* store.outbox.hasSent(e("$a1")))
      })
    )

    test(
      "never holds a transaction id twice",
      Effect.fnUntraced(function*(store) {
        yield* settled(store)
        yield* store.outbox.sent(t("a1"), e("$a1"))
        yield* store.inbox.ingest(batch([message("$4")]))
        yield* store.inbox.settle("$4", answered([reply("a1"), reply("a4")]))
        assert.deepStrictEqual(yield* store.outbox.counts, { pending: 4, sent: 1, dead: 0 })
      })
    )
  })

  describe("the operator's hands in the outbox", () => {
    const t = (id: string) => TransactionId.make(id)
    const three = Effect.fnUntraced(function*(store: Store["Service"]) {
      yield* store.inbox.ingest(batch([message("$1"), message("$2", roomB)]))
      yield* store.inbox.settle("$1", answered([reply("a1"), reply("a2")]))
      yield* store.inbox.settle("$2", answered([reply("b1", roomB)]))
    })

    test(
      "see what was tried, what is dead and what was sent",
      Effect.fnUntraced(function*(store) {
        yield* three(store)
        yield* store.outbox.delayed(t("a1"), "RateLimited")
        yield* store.outbox.delayed(t("a1"), "Unreachable")
        yield* store.outbox.dead(t("a2"), "forbidden")
        yield* store.outbox.sent(t("b1"), EventId.make("$b1"))
        const open = yield* store.outbox.list({ states: ["pending", "dead"], limit: 9 })
        assert.deepStrictEqual(open, [
          {
            position: open[0]?.position ?? 0,
            roomId: roomA,
            transactionId: t("a2"),
            inboxKey: "$1",
            state: "dead",
            reason: "forbidden",
            attempts: 1,
            eventId: undefined,
            excerpt: "a2"
          },
          {
            position: open[1]?.position ?? 0,
            roomId: roomA,
            transactionId: t("a1"),
            inboxKey: "$1",
            state: "pending",
            reason: "Unreachable",
            attempts: 2,
            eventId: undefined,
            excerpt: "a1"
          }
        ])
        assert.lengthOf(yield* store.outbox.list({ states: ["pending", "dead"], limit: 1 }), 1)
        const sent = yield* store.outbox.answersTo("$2")
        assert.deepInclude(sent[0], {
          transactionId: t("b1"),
          state: "sent",
          eventId: EventId.make("$b1"),
          excerpt: undefined
        })
        assert.deepStrictEqual(yield* store.outbox.find("b1"), sent[0])
        assert.deepStrictEqual(yield* store.outbox.find("$b1"), sent[0])
        assert.deepStrictEqual((yield* store.outbox.answersTo("$1")).map((_) => _.transactionId), [t("a1"), t("a2")])
        assert.isUndefined(yield* store.outbox.find("nothing"))
      })
    )

    test(
      "retry what is dead, at its place in the room",
      Effect.fnUntraced(function*(store) {
        yield* three(store)
        yield* store.outbox.dead(t("a1"), "forbidden")
        assert.strictEqual((yield* store.outbox.next(roomA))?.message.transactionId, "a2")
        assert.isTrue(yield* store.outbox.retry(t("a1")))
        assert.deepInclude(yield* store.outbox.next(roomA), { message: reply("a1") })
        assert.isFalse(yield* store.outbox.retry(t("a1")), "it waits already")
        assert.isFalse(yield* store.outbox.retry(t("nothing")))
      })
    )

    test(
      "drop what was not sent, for good, unless the server has it",
      Effect.fnUntraced(function*(store) {
        yield* three(store)
        yield* store.outbox.dead(t("a1"), "forbidden")
        yield* store.outbox.sent(t("b1"), EventId.make("$b1"))
        assert.isTrue(yield* store.outbox.drop(t("a1")))
        assert.isTrue(yield* store.outbox.drop(t("a2")))
        assert.isFalse(yield* store.outbox.drop(t("a2")))
        assert.isFalse(yield* store.outbox.drop(t("b1")))
        assert.isFalse(yield* store.outbox.retry(t("a1")))
        assert.isUndefined(yield* store.outbox.next(roomA))
        assert.deepStrictEqual(yield* store.outbox.counts, { pending: 0, sent: 1, dead: 0 })
        yield* store.outbox.sentMany([{ transactionId: t("a2"), eventId: EventId.make("$a2") }])
        assert.deepInclude(yield* store.outbox.find("a2"), { state: "sent", reason: undefined })
      })
    )
  })

  describe("forgetting", () => {
    const settledAt = Effect.fnUntraced(function*(store: Store["Service"], key: string, time: number) {
      yield* TestClock.setTime(time)
      yield* store.inbox.ingest(batch([message(key)]))
      yield* store.inbox.settle(key, answered([reply(key.slice(1))]))
      yield* store.outbox.sent(TransactionId.make(key.slice(1)), EventId.make(`$answer-${key.slice(1)}`))
    })
    const keys = (store: Store["Service"]) =>
      Effect.map(store.inbox.records({ limit: 9999 }), (records) => records.map(({ key }) => key).toReversed())

    test(
      "takes what is old, and what was said to it",
      Effect.fnUntraced(function*(store) {
        for (const n of [1, 2, 3]) yield* settledAt(store, `$m${n}`, n * 10)
        yield* store.inbox.ingest(batch([], { gaps: [{ roomId: roomA, from: "p", to: undefined, events: 1 }] }))
        assert.deepStrictEqual(yield* store.prune({ before: 30, keep: 100 }), { inbox: 2, outbox: 2 })
        assert.deepStrictEqual(yield* keys(store), ["$m3"])
        assert.isFalse(yield* store.outbox.hasSent(EventId.make("$answer-m2")))
        assert.isTrue(yield* store.outbox.hasSent(EventId.make("$answer-m3")))
        assert.lengthOf(yield* store.inbox.gaps(9), 1)
        assert.deepStrictEqual(yield* store.prune({ before: 31, keep: 100 }), { inbox: 1, outbox: 1 })
        assert.lengthOf(yield* store.inbox.gaps(9), 0)
      })
    )

    test(
      "keeps the newest of more than it may, in as many steps as it takes",
      Effect.fnUntraced(function*(store) {
        const many = Array.from({ length: 1203 }, (_, n) => ({ row: message(`$m${n}`), reason: "notice", tell: false }))
        yield* store.inbox.ingest(batch([], { ignored: many }))
        assert.deepStrictEqual(yield* store.prune({ before: 0, keep: 3 }), { inbox: 1200, outbox: 0 })
        assert.deepStrictEqual(yield* keys(store), ["$m1200", "$m1201", "$m1202"])
        assert.deepStrictEqual(yield* store.prune({ before: 0, keep: 3 }), { inbox: 0, outbox: 0 })
      })
    )

    test(
      "ignores what has waited for its key for too long, and not what is tried again just now",
      Effect.fnUntraced(function*(store) {
        yield* TestClock.setTime(10)
        yield* store.inbox.ingest(batch([message("$old"), { ...message("$tried"), roomId: roomB }]))
        for (const key of ["$old", "$tried"]) yield* store.inbox.setAside(key, [])
        yield* TestClock.setTime(20)
        yield* store.inbox.ingest(batch([message("$new")]))
        yield* store.inbox.setAside("$new", [])
        yield* store.inbox.takeUp(roomB)
        yield* store.prune({ before: 20, keep: 100 })
        assert.deepInclude(yield* store.inbox.find("$old"), { state: "ignored", reason: "encrypted", settledAt: 20 })
        for (const key of ["$tried", "$new"]) assert.deepInclude(yield* store.inbox.find(key), { state: "pending" })
      })
    )

    test(
      "leaves what waits, and what waits to be sent",
      Effect.fnUntraced(function*(store) {
        yield* store.inbox.ingest(batch([message("$waits"), message("$unsent"), message("$dead")]))
        yield* store.inbox.settle("$unsent", answered([reply("u1"), reply("u2")]))
        yield* store.outbox.sent(TransactionId.make("u1"), EventId.make("$u1"))
        yield* store.inbox.settle("$dead", answered([reply("d1")]))
        yield* store.outbox.dead(TransactionId.make("d1"), "forbidden")
        assert.deepStrictEqual(yield* store.prune({ before: 1e15, keep: 0 }), { inbox: 1, outbox: 1 })
        assert.deepStrictEqual(yield* keys(store), ["$waits", "$unsent"])
        assert.strictEqual((yield* store.inbox.begin(roomA))?.key, "$waits")
        assert.strictEqual((yield* store.outbox.next(roomA))?.message.transactionId, "u2")
      })
    )
  })

  describe("transaction", () => {
    test(
      "holds the hot path's own transactions, which alone can be undone",
      Effect.fnUntraced(function*(store) {
        const lost = store.inbox.ingest(batch([message("$1")])).pipe(
          Effect.andThen(store.inbox.settle("$1", answered([reply("t1")]))),
          Effect.andThen(store.inbox.begin(roomA)),
          Effect.andThen(Effect.fail("enough"))
        )
        assert.strictEqual(yield* Effect.flip(store.transaction(lost)), "enough")
        assert.isUndefined(yield* store.inbox.find("$1"))
        // Half of a settlement fails: SQLite takes no reply without a transaction id.
        const broken = { ...reply("t2"), type: null as never }
        yield* store.transaction(Effect.gen(function*() {
          yield* store.inbox.ingest(batch([message("$2")]))
          yield* Effect.flip(store.inbox.settle("$2", answered([reply("t1"), broken])))
        }))
        assert.strictEqual((yield* store.inbox.find("$2"))?.state, "pending")
        assert.strictEqual((yield* store.outbox.counts).pending, 0)
      })
    )

    test(
      "keeps all or nothing",
      Effect.fnUntraced(function*(store) {
        const failing = store.chats.put(chat("one")).pipe(
          Effect.andThen(store.inbox.ingest(batch([message("$1")]))),
          Effect.andThen(Effect.fail("enough"))
        )
        assert.strictEqual(yield* Effect.flip(store.transaction(failing)), "enough")
        assert.lengthOf(yield* store.chats.all, 0)
        assert.isUndefined(yield* store.cursor)
        yield* store.transaction(store.chats.put(chat("two")))
        assert.lengthOf(yield* store.chats.all, 1)
      })
    )

    test(
      "undoes an inner transaction alone",
      Effect.fnUntraced(function*(store) {
        yield* store.transaction(Effect.gen(function*() {
          yield* store.chats.put(chat("outer"))
          yield* store.chats.put(chat("inner")).pipe(
            Effect.andThen(Effect.fail("enough")),
            store.transaction,
            Effect.ignore
          )
        }))
        assert.deepStrictEqual((yield* store.chats.all).map((_) => _.id), [ChatId.make("outer")])
      })
    )

    test(
      "is not ended by what another fiber does meanwhile",
      Effect.fnUntraced(function*(store) {
        const both = store.transaction(Effect.gen(function*() {
          yield* store.chats.put(chat("one"))
          yield* Effect.yieldNow
          yield* store.chats.put(chat("two"))
        }))
        const exits = yield* Effect.all([both, store.inbox.ingest(batch([message("$1")]))].map(Effect.exit), {
          concurrency: 2
        })
        assert.deepStrictEqual(exits.map(({ _tag }) => _tag), ["Success", "Success"])
        assert.lengthOf(yield* store.chats.all, 2)
      })
    )

    test(
      "takes no other fiber's attempt back with it",
      Effect.fnUntraced(function*(store) {
        yield* store.inbox.ingest(batch([message("$1")]))
        const rolledBack = store.chats.put(chat("lost")).pipe(
          Effect.andThen(Effect.yieldNow),
          Effect.andThen(Effect.fail("enough")),
          store.transaction,
          Effect.ignore
        )
        yield* Effect.all([rolledBack, store.inbox.begin(roomA)], { concurrency: 2 })
        assert.strictEqual((yield* store.inbox.begin(roomA))?.attempts, 2)
      })
    )

    test(
      "lets no other fiber write into it",
      Effect.fnUntraced(function*(store) {
        const rolledBack = store.chats.put(chat("lost")).pipe(
          Effect.andThen(Effect.yieldNow),
          Effect.andThen(Effect.fail("enough")),
          store.transaction,
          Effect.ignore
        )
        yield* Effect.all([rolledBack, store.chats.put(chat("kept"))], { concurrency: 2 })
        assert.deepStrictEqual((yield* store.chats.all).map((_) => _.id), [ChatId.make("kept")])
      })
    )
  })
})
