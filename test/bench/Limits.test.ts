import { assert, describe, it } from "@effect/vitest"
import { findingsOf, limits, limitsTable } from "../../bench/Limits.ts"
import type { Row } from "../../bench/Report.ts"

const answered = (perSecond: number): Row => ({
  benchmark: "3000 messages in 20 rooms",
  subject: "Homing",
  figures: { "answered/s": perSecond }
})

const starts = (...times: ReadonlyArray<readonly [subject: string, millis: number]>): ReadonlyArray<Row> =>
  times.map(([subject, millis]) => ({
    benchmark: "start to first answer",
    subject,
    figures: { "median ms": millis, "median RSS MB": 200 }
  }))

describe("the limits of the benchmarks", () => {
  it("are missed from either side, and kept where they are just reached", () => {
    assert.deepStrictEqual([499, 500, 501].map((rate) => findingsOf([answered(rate)])[0]?.kept), [false, true, true])
    const withKeys = (more: number) => findingsOf(starts(["without keys", 500], ["with keys", 500 + more]))[0]?.kept
    assert.deepStrictEqual([299, 300, 301].map(withKeys), [true, true, false])
  })

  it("are not kept by what is no number", () => {
    assert.isFalse(findingsOf([answered(Number.NaN)])[0]?.kept)
  })

  it("say nothing of what was not measured, and compare nothing with it", () => {
    assert.deepStrictEqual(findingsOf([]), [])
    assert.deepStrictEqual(findingsOf(starts(["with keys", 500])), [])
    assert.isAbove(limits.length, 8)
  })

  it("stand beside what was measured, one line each", () => {
    const lines = limitsTable(findingsOf([answered(120.4)])).split("\n")
    assert.strictEqual(
      lines.at(-1),
      "| question to answer, on the sandbox | at least 500 messages/s | 120 | MISSED |"
    )
  })
})
