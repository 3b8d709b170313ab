import { assert, describe, it } from "@effect/vitest"
import { ChatId, RoomId } from "../../../src/domain/Ids.ts"
import { type Outcome, reportOf } from "../../../src/domain/Reconciliation.ts"
import { countsOf, explain, isNews, newsKeyOf, newsOf } from "../../../src/domain/Reconciliation/Explain.ts"

const roomOf = (n: number) => RoomId.make(`!room${n}:example.org`)
const chatOf = (n: number) => ChatId.make(`chat${n}`)

const skipped: Outcome = { _tag: "Skipped", roomId: roomOf(0), reason: "no_marker" }
const detached = (n: number): Outcome => ({ _tag: "Detached", roomId: roomOf(n), chatId: chatOf(n), reason: "kicked" })
const conflict = (n: number, chatId: ChatId | null = null): Outcome => ({
  _tag: "Conflict",
  roomId: roomOf(n),
  chatId,
  claimed: chatOf(99),
  reason: "owner_disagrees"
})

const report = (outcomes: ReadonlyArray<Outcome>, startedAt = 5) =>
  reportOf({ scope: "all", startedAt, durationMs: 1, rooms: 40, chats: 1, outcomes })

describe("a finding in words", () => {
  it("names the command with the prefix that is set, and by what the room shows", () => {
    assert.include(
      explain(conflict(1), (command) => `?${command}`).settledBy,
      "type ?register in that room: it then shows a chat of its own"
    )
    assert.include(explain(conflict(1, chatOf(1)), (command) => `?${command}`).settledBy, "written from the chat here")
    assert.isUndefined(
      explain({ _tag: "Skipped", roomId: roomOf(1), reason: "space" }, (command) => `?${command}`).settledBy
    )
  })

  it("sends nobody back to a room that is gone", () => {
    const gone: Outcome = { _tag: "Detached", roomId: roomOf(1), chatId: chatOf(1), reason: "room_gone" }
    assert.strictEqual(
      explain(gone, (command) => `?${command}`).settledBy,
      "its owner types ?move <title> in another room"
    )
  })
})

describe("the news of a report", () => {
  it("are what was changed and what nobody but a person can settle", () => {
    assert.isFalse(isNews(report([skipped])))
    assert.isTrue(isNews(report([detached(1)])))
    assert.isTrue(isNews(report([conflict(1)])))
    assert.strictEqual(countsOf(report([])), "nothing there")
    assert.strictEqual(countsOf(report([conflict(1), conflict(2), skipped])), "1 skipped, 2 conflicts")
  })

  it("tell conflicts first, ten in all, and how many more there are", () => {
    const many = Array.from({ length: 30 }, (_, n) => detached(n))
    const lines = newsOf(report([skipped, ...many, conflict(31)]), "!").split("\n")
    assert.include(lines[0], "compared 40 rooms with 1 chat: 30 detached, 1 skipped, 1 conflict.")
    assert.include(lines[2], "- conflict `!room31:example.org`")
    assert.lengthOf(lines.filter((line) => line.startsWith("- detached")), 9)
    assert.include(lines, "- and 21 more")
    assert.notInclude(lines.join("\n"), "skipped `")
  })

  it("have a name by when they were made, and conflicts alone by what they are", () => {
    assert.strictEqual(newsKeyOf(report([conflict(1)], 5)), newsKeyOf(report([conflict(1), skipped], 6)))
    assert.notStrictEqual(newsKeyOf(report([conflict(1)])), newsKeyOf(report([conflict(2)])))
    assert.notStrictEqual(newsKeyOf(report([detached(1)], 5)), newsKeyOf(report([detached(1)], 6)))
  })
})
