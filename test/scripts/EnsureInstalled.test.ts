import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { cpSync } from "node:fs"
import { join } from "node:path"
import { scratchDirectory } from "../layers/AppConfig/Scratch.ts"
import { spawnScript } from "../Spawn.ts"

const script = join(import.meta.dirname, "../../scripts/ensure-installed.mjs")

layer(NodeServices.layer)("an installation", (it) => {
  it.effect(
    "is refused where Node runs no TypeScript, with what to do, and accepted elsewhere",
    () =>
      Effect.gen(function*() {
        const cwd = yield* scratchDirectory()
        const copy = join(cwd, "node_modules/homing/scripts/ensure-installed.mjs")
        cpSync(script, copy)
        const check = (path: string) =>
          Effect.flatMap(spawnScript(path, ["--check-place"], { cwd }), ({ ended }) => ended)
        const refused = yield* check(copy)
        assert.deepInclude(refused, { code: 1, stdout: "" })
        assert.match(refused.stderr, /^\nHoming cannot run from inside node_modules: [^]*depend on "file:\.\.\/homing"/)
        assert.deepInclude(yield* check(script), { code: 0, stderr: "" })
      }),
    60_000
  )
})
