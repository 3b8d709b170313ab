import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")

describe("what a bot author reads", () => {
  it.each([
    ["docs/testing.md", "test/examples/Dice.test.ts"],
    ["docs/testing.md", "test/examples/MemoryClient.test.ts"],
    ["docs/testing.md", "test/examples/DiceOverHttp.test.ts"],
    ["docs/responders.md", "examples/receipt.ts"],
    ["docs/responders.md", "test/examples/Receipt.test.ts"],
    ["docs/responders.md", "examples/games.ts"],
    ["docs/responders.md", "test/examples/Games.test.ts"],
    ["README.md", "examples/dice.ts"],
    ["README.md", "test/examples/Dice.test.ts"]
  ])("%s shows %s word for word", (page, source) => {
    assert.include(read(page), `\`\`\`ts\n${read(source)}\`\`\`\n`)
  })
})
