import { assert, describe, it } from "@effect/vitest"
import type { RoomEvent } from "../../chaos/People.ts"
import { type Expected } from "../../chaos/Plan.ts"
import { isClean, judge, type Question, type Testimony } from "../../chaos/Verdict.ts"

const bot = "@bot:hs.test"

const question = (number: number, expected: Expected = "echo"): Question => ({
  room: 0,
  number,
  from: "owner",
  said: "words",
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
    room: "room 0",
    questions,
    events: [greeting, ...said],
    seenByGuest: [],
    encrypted: false,
    greeting: "once",
    made: new Map(),
    news: false,
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

  it("does not pass with a diagnostic where none was to come, nor without one that was", () => {
    const told = answer(1, "Something went wrong. Give the operator this code: **0123ABCD**", "m.notice")
    const unexpected = verdictOn([question(1)], [told])
    assert.deepInclude(unexpected, { diagnostics: 1, answered: 0, lost: 0 })
    assert.isFalse(isClean(unexpected))
    const expected = verdictOn([question(1, "diagnostic")], [told])
    assert.deepInclude(expected, { diagnostics: 0, answered: 1 })
    assert.isTrue(isClean(expected))
    assert.isFalse(isClean(verdictOn([question(1, "diagnostic")], [answer(1)])))
  })

  it("bears that a message is given up after ten lives, but of one in a hundred only", () => {
    const body = "I tried to answer this message 10 times and was stopped each time. The operator's code: **0123ABCD**"
    const questions = Array.from({ length: 100 }, (_, n) => question(n + 1, n === 0 ? "room" : "echo"))
    const answers = questions.slice(2).map(({ number }) => answer(number))
    const once = verdictOn(questions, [answer(1, body, "m.notice"), answer(2), ...answers])
    assert.deepInclude(once, { givenUp: 1, diagnostics: 0, lost: 0 })
    assert.isTrue(isClean(once))
    assert.isFalse(
      isClean(verdictOn(questions, [answer(1, body, "m.notice"), answer(2, body, "m.notice"), ...answers]))
    )
  })

  it("wants one room for each that was asked for, and one greeting in it", () => {
    const asked = question(1, "room")
    const madeOf = (...rooms: ReadonlyArray<ReadonlyArray<RoomEvent>>) =>
      verdictOn([asked], [answer(1)], { made: new Map([[1, rooms]]) })
    assert.isTrue(isClean(madeOf([greeting])))
    assert.deepInclude(madeOf([greeting]), { roomsMade: 1, answered: 1 })
    assert.strictEqual(madeOf().lost, 1)
    assert.strictEqual(madeOf([]).lost, 1)
    assert.strictEqual(madeOf([greeting], [greeting]).duplicated, 1)
    assert.strictEqual(madeOf([greeting, greeting]).duplicated, 1)
  })

  it("takes what the operators are told for no greeting, and misses it where there was news", () => {
    const news = says({ msgtype: "m.notice", body: "I have started, and compared 2 rooms with 2 chats: 1 updated." })
    assert.deepInclude(verdictOn([], [news, news], { news: true }), { news: 2, duplicated: 0, greetings: 1 })
    assert.strictEqual(verdictOn([], [], { news: true }).lost, 1)
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
