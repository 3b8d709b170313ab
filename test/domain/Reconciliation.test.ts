import { assert, describe, it } from "@effect/vitest"
import { carryOut, chatAfter, decide, maximumFindings, reportOf } from "../../src/domain/Reconciliation.ts"
import { ann, bot, chat, marker, named, room, roomId } from "./Reconciliation/World.ts"

const rooms = [
  room("a", { marker: marker("a", "c1") }),
  room("b"),
  room("c"),
  room("d", { marker: marker("d", "c4"), members: named(ann, "Annie") }),
  room("e", { marker: marker("e", "c1") })
]
const chats = [chat("c1", "a"), chat("c2", "gone"), chat("c4", "d")]
const outcomes = decide({ account: bot, rooms, chats, now: 0 })
const measured = { scope: "all", startedAt: 7, durationMs: 3, rooms: 5, chats: 3 } as const

describe("reportOf", () => {
  it("counts outcomes and reasons, and keeps what a person may have to look at", () => {
    const report = reportOf({ ...measured, outcomes })
    assert.deepStrictEqual({ ...report, findings: [] }, {
      ...measured,
      unchanged: 1,
      restored: 0,
      updated: 1,
      moved: 0,
      detached: 1,
      skipped: 2,
      conflicts: 1,
      reasons: {
        "unchanged.agrees": 1,
        "skipped.no_marker": 2,
        "updated.owner_name_changed": 1,
        "conflict.two_rooms_one_chat": 1,
        "detached.room_gone": 1
      },
      findings: []
    })
    assert.deepStrictEqual(report.findings, outcomes.filter((outcome) => outcome._tag !== "Unchanged"))
  })

  it("keeps a bounded number of findings, and counts them all", () => {
    const skips = Array.from({ length: maximumFindings + 50 }, (_, index) => ({
      _tag: "Skipped" as const,
      roomId: roomId(`r${index}`),
      reason: "no_marker" as const
    }))
    const report = reportOf({ ...measured, outcomes: skips })
    assert.strictEqual(report.skipped, maximumFindings + 50)
    assert.strictEqual(report.findings.length, maximumFindings)
  })
})

describe("carryOut", () => {
  it("applies every outcome, and leaves the rest as it was", () => {
    assert.deepStrictEqual(carryOut(chats, outcomes), [
      chat("c1", "a"),
      chat("c2", null, { detached: "room_gone", formerRoom: roomId("gone") }),
      chat("c4", "d", { ownerName: "Annie", revision: 2, markerRevision: 1 })
    ])
  })

  it("answers undefined for an outcome that changes nothing, or whose chat is not there", () => {
    assert.deepStrictEqual(outcomes.map((outcome) => chatAfter(outcome, undefined)?.id), [
      undefined,
      undefined,
      undefined,
      "c4",
      undefined,
      undefined
    ])
    assert.strictEqual(
      chatAfter(
        { _tag: "Unchanged", chatId: chat("c1", "a").id, roomId: roomId("a"), reason: "agrees" },
        chat("c1", "a")
      ),
      undefined
    )
  })
})
