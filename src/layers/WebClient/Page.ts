/** The page of the web client: `web/`, built by vite once and kept under node_modules. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import * as ChildProcess from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { findPackageJSON } from "node:module"
import { fileURLToPath } from "node:url"
import { stripVTControlCharacters } from "node:util"
import { WebClientUnavailable } from "./Unavailable.ts"

/** What the page is made of, and made by. They are optional dependencies: an installation may lack them. */
const packages = ["vite", "hydrogen-view-sdk", "@matrix-org/olm"] as const

const root = fileURLToPath(new URL("../../..", import.meta.url))

/** It takes two seconds; a machine on which it takes this long has other troubles. */
const buildPatience = "2 minutes"

export interface PageOptions {
  /** The folder of the sources. */
  readonly sources?: string
  /** The folder of the built pages, one folder each. */
  readonly cache?: string
  /** Where packages are looked for from, as a URL of a module. */
  readonly packagesFrom?: string
}

/** The folder that holds the built page. Builds it when there is none of these sources and packages. */
export const builtPage = Effect.fn("WebClient.builtPage")(
  function*(options: PageOptions) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const sources = options.sources ?? path.join(root, "web")
    const cache = options.cache ?? path.join(root, "node_modules/.cache/homing/web")

    const manifests = yield* Effect.forEach(packages, (name) => installed(name, options.packagesFrom))
    const key = yield* keyOf(sources, manifests)
    const page = path.join(cache, key)
    if (yield* fs.exists(path.join(page, "index.html"))) return page

    yield* fs.makeDirectory(cache, { recursive: true })
    const draft = yield* fs.makeTempDirectoryScoped({ directory: cache, prefix: `${key}.` })
    yield* build(sources, draft)
    // Whole or not at all. Another process may have been faster, with the same page.
    yield* fs.rename(draft, page).pipe(
      Effect.catch((error) => Effect.flatMap(fs.exists(page), (there) => there ? Effect.void : Effect.fail(error)))
    )
    yield* forget(cache, (name) => !name.startsWith(key))
    return page
  },
  Effect.scoped,
  Effect.catchTag("PlatformError", (error) => new WebClientUnavailable({ problem: "not_built", detail: error.message }))
)

/** The path of an installed package's package.json. */
const installed = (name: string, from = import.meta.url): Effect.Effect<string, WebClientUnavailable> =>
  Effect.try({ try: () => findPackageJSON(name, from), catch: () => undefined }).pipe(
    Effect.orElseSucceed(() => undefined),
    Effect.filterOrFail(
      (found) => found !== undefined,
      () =>
        new WebClientUnavailable({
          problem: "not_installed",
          detail: `there is no ${name}. "npm install --include=optional" brings it.`
        })
    )
  )

/** Changes with the sources and with the packages. */
const keyOf = Effect.fnUntraced(function*(sources: string, manifests: ReadonlyArray<string>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const names = (yield* fs.readDirectory(sources)).sort()
  const hash = createHash("sha256").update(names.join())
  for (const file of [...names.map((name) => path.join(sources, name)), ...manifests]) {
    const bytes = yield* fs.readFile(file)
    hash.update(`\n${bytes.length}\n`).update(bytes)
  }
  return hash.digest("hex").slice(0, 16)
})

/** In a process of its own: the sandbox goes on answering meanwhile, and is rid of vite afterwards. */
const build = Effect.fnUntraced(function*(sources: string, target: string) {
  const path = yield* Path.Path
  const vite = path.join(path.dirname(yield* installed("vite")), "bin/vite.js")
  const command = ChildProcess.make(
    process.execPath,
    [vite, "build", sources, "--configLoader", "native", "--outDir", target, "--logLevel", "warn"],
    { cwd: root, stdin: "ignore", env: { NO_COLOR: "1", NODE_ENV: "production" }, extendEnv: true }
  )
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const child = yield* spawner.spawn(command)
  const [said, exitCode] = yield* Effect.all([Stream.mkString(Stream.decodeText(child.all)), child.exitCode], {
    concurrency: "unbounded"
  }).pipe(Effect.timeoutOrElse({
    duration: buildPatience,
    orElse: () =>
      Effect.fail(new WebClientUnavailable({ problem: "not_built", detail: `vite took more than ${buildPatience}.` }))
  }))
  if (exitCode !== 0) {
    return yield* new WebClientUnavailable({ problem: "not_built", detail: reasonIn(said) })
  }
})

/** What vite wrote, without the stack. */
const reasonIn = (said: string): string => {
  const lines = stripVTControlCharacters(said).split("\n").filter((line) => line.trim() !== "" && !/^\s+at /.test(line))
  return lines.join("\n").slice(0, longestReason)
}

const longestReason = 1000

/** Pages of earlier sources. That they stay does no harm. */
const forget = (
  cache: string,
  isStale: (name: string) => boolean
): Effect.Effect<void, PlatformError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    for (const name of (yield* fs.readDirectory(cache)).filter(isStale)) {
      yield* Effect.ignore(fs.remove(path.join(cache, name), { recursive: true }))
    }
  })
