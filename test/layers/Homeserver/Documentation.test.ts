import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8")

describe("the guide to the homeserver in memory", () => {
  it("shows the example that runs as a test, word for word", () => {
    assert.include(read("../../../docs/homeserver.md"), `\`\`\`ts\n${read("Guide.test.ts")}\`\`\`\n`)
  })
})
