import { assert, describe, it } from "@effect/vitest"
import type { RoomEvent } from "../../chaos/People.ts"
import { type Expected } from "../../chaos/Plan.ts"
import { isClean, judge, type Question, type Testimony } from "../../chaos/Verdict.ts"

const bot = "@bot:hs.test"

const question = (number: number, expected: Expected = "echo"): Question => ({
  room: 0,
  number,
  from: "owner",
  expected,
  pauseMillis: 0,
  eventId: `$${number}`,
  body: `message ${number}`
})

const says = (content: Readonly<Record<string, unknown>>): RoomEvent => ({
  event_id: "$reply",
  type: "m.room.message",
  sender: bot,
  origin_server_ts: 0,
  content
})

const answer = (number: number, body = `message ${number}`, msgtype = "m.text"): RoomEvent =>
  says({ msgtype, body, "m.relates_to": { "m.in_reply_to": { event_id: `$${number}` } } })

const greeting = says({ msgtype: "m.notice", body: "Hello!" })

const verdictOn = (questions: ReadonlyArray<Question>, said: ReadonlyArray<RoomEvent>, more: Partial<Testimony> = {}) =>
  judge(bot, [{
    room: 0,
    questions,
    events: [greeting, ...said],
    seenByGuest: [],
    encrypted: false,
    greeting: "once",
    ...more
  }])

describe("The verdict of a chaos run", () => {
  it("is clean when every question has one answer, in order", () => {
    const verdict = verdictOn([question(1), question(2, "silence"), question(3)], [answer(1), answer(3)])
    assert.isTrue(isClean(verdict))
    assert.deepInclude(verdict, { sent: 3, answered: 2, ignored: 1, greetings: 1 })
    assert.deepStrictEqual(verdict.findings, [])
  })

  it("counts a question without an answer, and one with another's, as lost", () => {
    const verdict = verdictOn([question(1), question(2)], [answer(2, "message 1")])
    assert.strictEqual(verdict.lost, 2)
    assert.isFalse(isClean(verdict))
  })

  it("counts every answer but the first as duplicated, and so the answer to what was not for the bot", () => {
    assert.strictEqual(verdictOn([question(1)], [answer(1), answer(1), answer(1)]).duplicated, 2)
    assert.strictEqual(verdictOn([question(1, "silence")], [answer(1)]).duplicated, 1)
  })

  it("counts an answer that comes after one to a later question as out of order", () => {
    const questions = [question(1), question(2), question(3)]
    const verdict = verdictOn(questions, [answer(2), answer(1), answer(3)])
    assert.strictEqual(verdict.outOfOrder, 1)
    assert.isFalse(isClean(verdict))
    assert.strictEqual(verdict.lost + verdict.duplicated, 0)
  })

  it("counts a diagnostic by itself: the question was settled", () => {
    const told = answer(1, "Something went wrong. Give the operator this code: **0123ABCD**", "m.notice")
    const verdict = verdictOn([question(1)], [told])
    assert.deepInclude(verdict, { diagnostics: 1, answered: 0, lost: 0 })
  })

  it("counts what somebody could not read, and what the bot says that it could not", () => {
    const sealed: RoomEvent = {
      event_id: "$sealed",
      type: "m.room.encrypted",
      sender: bot,
      origin_server_ts: 0,
      content: {}
    }
    const locked = says({ msgtype: "m.notice", body: "I cannot read a message here: its key has not reached me." })
    for (
      const found of [verdictOn([], [sealed]), verdictOn([], [], { seenByGuest: [sealed] }), verdictOn([], [locked])]
    ) {
      assert.deepInclude(found, { undecryptable: 1, duplicated: 0 })
      assert.isFalse(isClean(found))
    }
  })

  it("counts what the bot says in clear in an encrypted room", () => {
    const opened = { ...answer(1), opened: true }
    const found = verdictOn([question(1), question(2)], [opened, answer(2)], { encrypted: true })
    assert.deepInclude(found, { inClear: 2, answered: 2 })
    assert.isFalse(isClean(found))
    const events = [{ ...greeting, opened: true }, opened]
    assert.isTrue(isClean(verdictOn([question(1)], [], { encrypted: true, events })))
  })

  it("wants one greeting, and none where it was refused", () => {
    assert.strictEqual(verdictOn([], [greeting]).duplicated, 1)
    assert.strictEqual(verdictOn([], [], { events: [] }).lost, 1)
    assert.strictEqual(verdictOn([], [], { events: [], greeting: "at most once" }).lost, 0)
  })
})
