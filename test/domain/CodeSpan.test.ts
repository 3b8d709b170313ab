import { assert, describe, it } from "@effect/vitest"
import { codeSpan } from "../../src/domain/CodeSpan.ts"

describe("a code span", () => {
  it.each([
    ["Tea", "`Tea`"],
    ["a `b` c", "`` a `b` c ``"],
    ["``", "``` `` ```"],
    ["`", "`` ` ``"]
  ])("shows %j as it is", (text, span) => assert.strictEqual(codeSpan(text), span))
})
