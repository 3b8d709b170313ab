import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { importCount, type Sources, violations } from "./Imports.ts"

const root = join(import.meta.dirname, "../..")

const project: Sources = new Map(
  readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => [`src/${path.replaceAll("\\", "/")}`, readFileSync(join(root, "src", path), "utf8")])
)

const found = (file: string, ...lines: ReadonlyArray<string>) =>
  violations(new Map([[file, lines.join("\n")]])).map((_) => _.rule)

describe("dependencies", () => {
  it("point downwards everywhere in the sources", () => {
    assert.isAbove(importCount(project), 50)
    assert.deepStrictEqual(violations(project), [])
  })

  it("of the domain are effect and the domain", () => {
    const rule = "the domain imports only effect and itself"
    assert.deepStrictEqual(found("src/domain/Chat.ts", `import { A } from "../layers/Store.ts"`), [rule])
    assert.deepStrictEqual(found("src/domain/Chat.ts", `import { readFileSync } from "node:fs"`), [rule])
    assert.deepStrictEqual(
      found("src/domain/Chat.ts", `import * as Schema from "effect/Schema"`, `import type { A } from "./Ids.ts"`),
      []
    )
  })

  it("on the Matrix SDK stand in the Matrix client, also when they are lazy or only types", () => {
    const rule = "the Matrix SDK is imported only in src/layers/MatrixClient/"
    assert.deepStrictEqual(found("src/programs/Run.ts", `import type { Room } from "matrix-js-sdk"`), [rule])
    assert.deepStrictEqual(found("src/layers/Store.ts", `const a = await import("matrix-js-sdk/lib/matrix.js")`), [
      rule
    ])
    assert.deepStrictEqual(
      found("src/layers/MatrixClient/Sdk.ts", `const a = await import("matrix-js-sdk/lib/matrix.js")`),
      []
    )
  })

  it("on SQL stand in the store, and in the IndexedDB of the SDK", () => {
    const rule = "SQL is imported only in src/layers/Store/ and for the SDK's IndexedDB"
    assert.deepStrictEqual(found("src/layers/ChatManager.ts", `import * as SqlClient from "effect/sql/SqlClient"`), [
      rule
    ])
    assert.deepStrictEqual(found("src/programs/Run.ts", `import { DatabaseSync } from "node:sqlite"`), [rule])
    assert.deepStrictEqual(found("src/programs/Run.ts", `export * from "@effect/sql-sqlite-node"`), [rule])
    assert.deepStrictEqual(found("src/layers/MatrixClient/SdkRun.ts", `import { DatabaseSync } from "node:sqlite"`), [
      rule
    ])
    assert.deepStrictEqual(found("src/layers/Store/Sqlite.ts", `import { DatabaseSync } from "node:sqlite"`), [])
    assert.deepStrictEqual(
      found("src/layers/MatrixClient/IndexedDb/SqliteFile.ts", `import { DatabaseSync } from "node:sqlite"`),
      []
    )
  })

  it("of layers are no programs", () => {
    assert.deepStrictEqual(found("src/layers/Lanes.ts", `import { run } from "../programs/Run.ts"`), [
      "layers do not import programs"
    ])
  })

  it("are modules and not barrels", () => {
    const rule = "modules are imported, not barrels: those are slow to load"
    assert.deepStrictEqual(found("src/programs/Run.ts", "import {", "  Effect,", "  Layer", `} from "effect"`), [rule])
    assert.deepStrictEqual(found("src/programs/Run.ts", `import { NodeRuntime } from "@effect/platform-node"`), [rule])
  })

  it("of the sources are no tests", () => {
    assert.deepStrictEqual(found("src/programs/Run.ts", `import { a } from "../../test/architecture/Imports.ts"`), [
      "the sources do not import tests, benchmarks or scripts"
    ])
  })

  it("in an example of a docstring count for nothing", () => {
    assert.deepStrictEqual(found("src/domain/Chat.ts", ` * import { run } from "../programs/Run.ts"`), [])
  })
})
