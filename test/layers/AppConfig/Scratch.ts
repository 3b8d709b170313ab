import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, FileSystem } from "effect"
import { readConfig } from "../../../src/layers/AppConfig.ts"
import type { ConfigReport } from "../../../src/layers/AppConfig/Resolution.ts"
import type { Flags } from "../../../src/layers/AppConfig/Sources.ts"

/** What a working directory holds, by file name, and what surrounds the process in it. */
export interface Scratch {
  readonly files?: Readonly<Record<string, string>>
  readonly flags?: Flags
  readonly environment?: Readonly<Record<string, string>>
  readonly isTerminal?: boolean
}

/** A fresh directory with these files, gone when the scope closes. */
export const scratchDirectory = Effect.fn(function*(files: Readonly<Record<string, string>> = {}) {
  const fs = yield* FileSystem.FileSystem
  const directory = yield* fs.makeTempDirectoryScoped({ prefix: "homing-config-" })
  yield* Effect.forEach(
    Object.entries(files),
    ([name, content]) => fs.writeFileString(`${directory}/${name}`, content)
  )
  return directory
})

/** Reads the configuration of a fresh directory. */
export const configIn = (scratch: Scratch): Effect.Effect<ConfigReport> =>
  Effect.gen(function*() {
    const workingDirectory = yield* Effect.orDie(scratchDirectory(scratch.files))
    return yield* readConfig(scratch.flags ?? {}, {
      workingDirectory,
      isTerminal: scratch.isTerminal ?? false,
      environment: scratch.environment ?? {}
    })
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
