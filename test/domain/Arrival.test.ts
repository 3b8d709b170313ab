import { assert, describe, it } from "@effect/vitest"
import {
  answersWithoutTransaction,
  arrivalsOf,
  type Backlog,
  settledUpTo,
  skippedBacklog
} from "../../src/domain/Arrival.ts"
import { partKey, transactionIdOf } from "../../src/domain/Delivery.ts"
import { EventId, RoomId, SyncToken, TransactionId, UserId } from "../../src/domain/Ids.ts"
import type { RawEvent, RoomTimeline, SyncBatch } from "../../src/domain/SyncBatch.ts"

const self = UserId.make("@bot:homing.test")
const alice = UserId.make("@alice:homing.test")
const room = RoomId.make("!tea:homing.test")

const event = (
  id: string,
  sender: UserId,
  content: RawEvent["content"] = {},
  more: Partial<RawEvent> = {}
): RawEvent => ({
  event_id: EventId.make(id),
  type: "m.room.message",
  sender,
  origin_server_ts: 0,
  content,
  ...more
})
const answer = (id: string, to: string) => event(id, self, { "m.relates_to": { "m.in_reply_to": { event_id: to } } })

const part = (id: string, to: string, number: number, of: number) =>
  event(id, self, { "m.relates_to": { "m.in_reply_to": { event_id: to }, [partKey]: { number, of } } })

const timeline = (events: ReadonlyArray<RawEvent>): RoomTimeline => ({
  roomId: room,
  events,
  limited: false,
  prevBatch: undefined
})

const batch = (events: ReadonlyArray<RawEvent>, more: Partial<SyncBatch> = {}): SyncBatch => ({
  since: SyncToken.make("s1"),
  nextBatch: SyncToken.make("s2"),
  initial: false,
  timelines: [timeline(events)],
  invites: [],
  departures: [],
  reshaped: [],
  encrypted: [],
  unreadable: 0,
  ...more
})

const sorted = (
  given: SyncBatch,
  registered = true,
  recovered: ReadonlyArray<RawEvent> = [],
  encrypted: ReadonlyArray<RoomId> = []
) =>
  arrivalsOf({
    batch: given,
    self,
    registered: () => registered,
    recovered: new Map([[room, recovered]]),
    encrypted: new Set(encrypted)
  })

const ids = (given: SyncBatch, registered = true) => sorted(given, registered).messages.map((_) => _.event.event_id)

describe("what a sync answer brings", () => {
  it("are the messages of others, encrypted ones too, and no state", () => {
    const arrived = ids(batch([
      event("$1", alice),
      event("$2", self),
      event("$3", alice, {}, { type: "m.room.encrypted" }),
      event("$4", alice, {}, { type: "m.reaction" }),
      event("$5", alice, {}, { type: "m.room.message", state_key: "" })
    ]))
    assert.deepStrictEqual(arrived, ["$1", "$3"])
  })

  it("tells live from missed and recovered by the sync, recovered ones first", () => {
    const provenances = (given: SyncBatch) =>
      sorted(given, true, [event("$0", alice)]).messages.map((_) => [_.event.event_id, _.provenance])
    assert.deepStrictEqual(provenances(batch([event("$1", alice)])), [["$0", "recovered"], ["$1", "live"]])
    assert.deepStrictEqual(provenances(batch([event("$1", alice)], { initial: true })), [["$0", "recovered"], [
      "$1",
      "missed"
    ]])
  })

  it("settles what came back as our own echo", () => {
    const { echoes } = sorted(batch([
      event("$1", self, {}, { unsigned: { transaction_id: "homing.x.0" } }),
      event("$2", alice, {}, { unsigned: { transaction_id: "homing.y.0" } }),
      event("$3", self, {}, { unsigned: { transaction_id: 7 } }),
      event("$4", self)
    ]))
    assert.deepStrictEqual(echoes, [
      {
        transactionId: TransactionId.make("homing.x.0"),
        eventId: EventId.make("$1"),
        roomId: room,
        question: undefined
      }
    ])
  })

  it("settles an answer also where the server tells no transaction id, as it does to another device", () => {
    const { answered, echoes } = sorted(batch([answer("$2", "$1"), part("$4", "$3", 2, 3)]))
    const of = (question: string, index: number, eventId: string) => ({
      transactionId: transactionIdOf(question, index),
      eventId: EventId.make(eventId),
      roomId: room,
      question: EventId.make(question)
    })
    assert.deepStrictEqual(echoes, [of("$1", 0, "$2"), of("$3", 1, "$4")])
    assert.deepStrictEqual(answered, [EventId.make("$1")], "an answer counts when it is whole")
  })

  it("takes a part that makes no sense for the whole", () => {
    for (const nonsense of [null, 7, { number: 0, of: 3 }, { number: 1.5, of: 3 }, { number: 3, of: 2 }, { of: 9 }]) {
      const content = { "m.relates_to": { "m.in_reply_to": { event_id: "$1" }, [partKey]: nonsense } }
      assert.deepStrictEqual(sorted(batch([event("$2", self, content)])).answered, [EventId.make("$1")])
    }
  })
})

describe("what changes messages that may still wait", () => {
  const newContent = { msgtype: "m.text", body: "hallo" }
  const edit = (relation: unknown) => ({ "m.new_content": newContent, "m.relates_to": relation })

  it("are edits of others, with their new content", () => {
    const { edits, messages } = sorted(batch([
      event("$2", alice, edit({ rel_type: "m.replace", event_id: "$1" })),
      event("$3", self, edit({ rel_type: "m.replace", event_id: "$1" })),
      event("$4", alice, edit({ rel_type: "m.thread", event_id: "$1" })),
      event("$5", alice, edit({ rel_type: "m.replace", event_id: 7 }))
    ]))
    assert.deepStrictEqual(edits, [
      { edit: EventId.make("$2"), target: EventId.make("$1"), roomId: room, sender: alice, content: newContent }
    ])
    assert.deepStrictEqual(messages.map((_) => String(_.event.event_id)), ["$2", "$4", "$5"])
  })

  it("are redactions, of old and of new rooms", () => {
    const { messages, redactions } = sorted(batch([
      event("$2", alice, {}, { type: "m.room.redaction", redacts: "$1" }),
      event("$4", alice, { redacts: "$3" }, { type: "m.room.redaction" }),
      event("$6", alice, { redacts: [] }, { type: "m.room.redaction" }),
      // The content of an old room's redaction is anybody's to write.
      event("$8", alice, { redacts: "$of-another" }, { type: "m.room.redaction", redacts: "$7" })
    ]))
    assert.deepStrictEqual(redactions.map((_) => String(_.target)), ["$1", "$3", "$7"])
    assert.deepStrictEqual(messages, [])
  })

  it("are answers that the bot gave: of another process, or before its database was put back", () => {
    const { answered } = sorted(batch([event("$1", alice), answer("$2", "$1"), event("$3", self)]), true, [
      answer("$0", "$x")
    ])
    assert.deepStrictEqual(answered.map(String), ["$x", "$1"])
  })
})

describe("the backlog", () => {
  const arrived = (id: string, roomId = room) => ({ roomId, event: event(id, alice), provenance: "missed" as const })
  const other = RoomId.make("!coffee:homing.test")
  const all = [arrived("$1"), arrived("$2", other), arrived("$3"), arrived("$4")]
  const notTheLast = (message: { readonly event: RawEvent }) => message.event.event_id !== "$4"

  it("is answered as a whole", () => {
    assert.deepStrictEqual([...skippedBacklog(() => "answer", all, notTheLast)], [])
  })

  it("is answered in each room by its newest message that would be accepted", () => {
    assert.deepStrictEqual([...skippedBacklog(() => "newest", all, notTheLast)].map(String), ["$1", "$4"])
  })

  it("is not answered at all", () => {
    assert.deepStrictEqual([...skippedBacklog(() => "skip", all, notTheLast)].map(String), ["$1", "$2", "$3", "$4"])
  })

  it.each<[Backlog, Backlog, ReadonlyArray<string>]>([
    ["answer", "newest", []],
    ["answer", "skip", ["$2"]],
    ["newest", "answer", ["$1", "$4"]],
    ["skip", "newest", ["$1", "$3", "$4"]]
  ])("is answered in each room as its chat has it: %s here, %s there", (here, there, expected) => {
    const backlogOf = (id: RoomId) => id === room ? here : there
    assert.deepStrictEqual([...skippedBacklog(backlogOf, all, notTheLast)].map(String), [...expected])
  })
})

describe("without a cursor", () => {
  const first = { since: undefined, initial: true }

  it("nothing is answered in a room without a chat", () => {
    assert.deepStrictEqual(ids(batch([event("$1", alice)], first), false), [])
  })

  it("a restored chat answers what came after its last answer", () => {
    const events = [event("$1", alice), answer("$2", "$1"), event("$3", alice), event("$4", alice)]
    assert.deepStrictEqual(ids(batch(events, first)), ["$3", "$4"])
  })

  it("what was written before the last answer but after its question is still open", () => {
    const events = [event("$1", alice), event("$2", alice), answer("$3", "$1")]
    assert.strictEqual(settledUpTo(events, self), 1)
    assert.deepStrictEqual(ids(batch(events, first)), ["$2"])
  })

  const ownMember = (id: string, content: RawEvent["content"], before?: unknown) =>
    event(id, self, content, {
      type: "m.room.member",
      state_key: self,
      ...(before === undefined ? {} : { unsigned: { prev_content: before } })
    })
  const joined = { membership: "join" }

  it("what was written since the bot's invite is open, also before its greeting, and nothing older", () => {
    const invite = { membership: "invite" }
    const events = [
      event("$1", alice),
      ownMember("$2", invite),
      event("$3", alice),
      ownMember("$4", joined, invite),
      event("$5", alice),
      event("$6", self),
      event("$7", alice)
    ]
    assert.deepStrictEqual(ids(batch(events, first)), ["$3", "$5", "$7"])
    assert.deepStrictEqual(ids(batch(events)), ["$3", "$5", "$7"])
  })

  it("a new name of the bot settles nothing", () => {
    const rename = ownMember("$2", { ...joined, displayname: "Bot" }, joined)
    assert.deepStrictEqual(ids(batch([event("$1", alice), rename, event("$3", alice)], first)), ["$1", "$3"])
    assert.isUndefined(settledUpTo([event("$1", alice), rename, event("$3", self)], self))
  })

  it("nor does one of which the server tells only that it replaces another", () => {
    const replacing = event("$2", self, joined, {
      type: "m.room.member",
      state_key: self,
      unsigned: { replaces_state: "$0" }
    })
    assert.deepStrictEqual(ids(batch([event("$1", alice), replacing, event("$3", alice)])), ["$1", "$3"])
    assert.deepStrictEqual(ids(batch([event("$1", alice), ownMember("$2", joined), event("$3", alice)])), ["$3"])
  })

  it("what was fetched from before the timeline is judged with it", () => {
    const recovered = [event("$1", alice), answer("$2", "$1"), event("$3", alice)]
    const { messages } = sorted(batch([event("$4", alice)], first), true, recovered)
    assert.deepStrictEqual(messages.map((_) => [String(_.event.event_id), _.provenance]), [["$3", "recovered"], [
      "$4",
      "missed"
    ]])
  })

  it("an answer to something older than the timeline settles nothing in it", () => {
    assert.deepStrictEqual(ids(batch([event("$2", alice), answer("$3", "$0")], first)), ["$2"])
  })

  it("hostile relations are no answers", () => {
    const odd = [null, 7, "x", [], { "m.in_reply_to": null }, { "m.in_reply_to": { event_id: 7 } }]
    const events = [
      event("$1", alice),
      ...odd.map((relation, i) => event(`$odd${i}`, self, { "m.relates_to": relation }))
    ]
    assert.isUndefined(settledUpTo(events, self))
  })
})

describe("an answer of another session", () => {
  it("is one that comes while the bot runs, and without a transaction id", () => {
    const sent = { ...answer("$3", "$1"), unsigned: { transaction_id: "t1" } }
    const events = [event("$1", alice), answer("$2", "$1"), sent, event("$4", self), answer("$5", "$1")]
    const found = (given: SyncBatch) => answersWithoutTransaction(given, self).map(({ eventId }) => eventId)
    assert.deepStrictEqual(found(batch(events)), ["$2", "$5"])
    assert.deepStrictEqual(found(batch(events, { initial: true })), [])
    assert.deepStrictEqual(found(batch([{ ...answer("$2", "$1"), sender: alice }])), [])
  })
})

describe("in clear", () => {
  const encryption = (id: string, more: Partial<RawEvent> = {}) =>
    event(id, alice, { algorithm: "m.megolm.v1.aes-sha2" }, { type: "m.room.encryption", state_key: "", ...more })
  const sealed = (id: string) => event(id, alice, {}, { type: "m.room.encrypted" })
  const split = (arrivals: ReturnType<typeof sorted>) => ({
    messages: arrivals.messages.map((_): string => _.event.event_id),
    inClear: arrivals.inClear.map((_): string => _.event.event_id)
  })

  it("is ignored what was said after encryption was switched on, by the order of the timeline", () => {
    const late = event("$late", alice, {}, { origin_server_ts: -1 })
    const given = batch([event("$1", alice), encryption("$e"), sealed("$2"), late], { encrypted: [room] })
    assert.deepEqual(split(sorted(given)), { messages: ["$1", "$2"], inClear: ["$late"] })
    assert.deepEqual(split(sorted(given, true, [event("$0", alice)])), {
      messages: ["$0", "$1", "$2"],
      inClear: ["$late"]
    })
  })

  it("is ignored all that comes from a room that was encrypted before", () => {
    const given = batch([event("$1", alice), sealed("$2")])
    assert.deepEqual(split(sorted(given, true, [event("$0", alice)], [room])), {
      messages: ["$2"],
      inClear: ["$0", "$1"]
    })
    // The second time only changes how: the first is not among these.
    const again = batch([event("$1", alice), encryption("$e", { unsigned: { prev_content: {} } })], {
      encrypted: [room]
    })
    assert.deepEqual(split(sorted(again)), { messages: [], inClear: ["$1"] })
    assert.deepEqual(split(sorted(again, true, [], [room])), { messages: [], inClear: ["$1"] })
  })

  it("is ignored all that came after a switch which stands before what was caught up with", () => {
    const given = batch([event("$1", alice)], { encrypted: [room] })
    assert.deepEqual(split(sorted(given, true, [event("$0", alice)])), { messages: [], inClear: ["$0", "$1"] })
  })

  it("is ignored nothing where only the timeline says that the room is encrypted: its state may have lost that", () => {
    const given = batch([encryption("$e"), event("$1", alice)])
    assert.deepEqual(split(sorted(given)), { messages: ["$1"], inClear: [] })
  })

  it("nothing edits what waits, and everything may take it back", () => {
    const edit = event("$edit", alice, {
      "m.new_content": { body: "!rename Hacked" },
      "m.relates_to": { rel_type: "m.replace", event_id: "$1" }
    })
    const redaction = event("$r", alice, { redacts: "$1" }, { type: "m.room.redaction" })
    const given = batch([edit, redaction])
    assert.lengthOf(sorted(given).edits, 1)
    const encrypted = sorted(given, true, [], [room])
    assert.deepStrictEqual(encrypted.edits, [])
    assert.lengthOf(encrypted.redactions, 1)
  })
})
