import { assert, describe, it } from "@effect/vitest"
import { afterLastAnswer, arrivalsOf } from "../../src/domain/Arrival.ts"
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
  unreadable: 0,
  ...more
})

const sorted = (given: SyncBatch, registered = true, recovered: ReadonlyArray<RawEvent> = []) =>
  arrivalsOf({ batch: given, self, registered: () => registered, recovered: new Map([[room, recovered]]) })

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
      { transactionId: TransactionId.make("homing.x.0"), eventId: EventId.make("$1") }
    ])
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
    assert.deepStrictEqual(afterLastAnswer(timeline(events), self).map((_) => _.event_id), ["$2", "$3"])
    assert.deepStrictEqual(ids(batch(events, first)), ["$2"])
  })

  it("a greeting answers all that stands before it", () => {
    assert.deepStrictEqual(ids(batch([event("$1", alice), event("$2", self), event("$3", alice)], first)), ["$3"])
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
    assert.deepStrictEqual(ids(batch(events, first)), [])
  })
})
