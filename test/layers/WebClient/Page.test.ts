import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { ChildProcessSpawner } from "effect/process"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { builtPage } from "../../../src/layers/WebClient/Page.ts"

/** Sources as small as they can be, and an empty cache. */
const aPage = Effect.fnUntraced(function*(html: string) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "homing-page-" })
  const sources = join(folder, "web")
  const cache = join(folder, "cache")
  yield* fs.makeDirectory(sources)
  yield* fs.writeFileString(join(sources, "index.html"), html)
  return { folder, sources, cache }
})

// The real clock: vite is a process.
layer(NodeServices.layer, { excludeTestServices: true })("the page", (it) => {
  it.effect("is built once", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const options = yield* aPage("<title>One</title>")
      const page = yield* builtPage(options)
      assert.include(yield* fs.readFileString(join(page, "index.html")), "<title>One</title>")
      const again = builtPage(options).pipe(
        Effect.provideService(
          ChildProcessSpawner.ChildProcessSpawner,
          ChildProcessSpawner.make(() => Effect.die("vite was started again"))
        )
      )
      assert.strictEqual(yield* again, page)
    }), 30_000)

  it.effect("is built again when its sources changed, and the earlier one is forgotten", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const options = yield* aPage("<title>One</title>")
      const before = yield* builtPage(options)
      yield* fs.writeFileString(join(options.sources, "index.html"), "<title>Two</title>")
      const after = yield* builtPage(options)
      assert.include(yield* fs.readFileString(join(after, "index.html")), "<title>Two</title>")
      assert.isFalse(yield* fs.exists(before))
      assert.strictEqual((yield* fs.readDirectory(options.cache)).length, 1)
    }), 30_000)

  it.effect("is built by two processes at once without harm", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const options = yield* aPage("<title>One</title>")
      const [one, other] = yield* Effect.all([builtPage(options), builtPage(options)], { concurrency: "unbounded" })
      assert.strictEqual(one, other)
      assert.deepStrictEqual((yield* fs.readDirectory(options.cache)).map((name) => join(options.cache, name)), [one])
    }), 30_000)

  it.effect("that cannot be built says what vite said, and leaves nothing behind", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const options = yield* aPage(`<script type="module" src="./missing.ts"></script>`)
      const error = yield* Effect.flip(builtPage(options))
      assert.strictEqual(error.problem, "not_built")
      assert.include(error.message, "missing.ts")
      assert.deepStrictEqual(yield* fs.readDirectory(options.cache), [])
    }), 30_000)

  it.effect("has nowhere to go in a folder that cannot be written", () =>
    Effect.gen(function*() {
      const options = yield* aPage("<title>One</title>")
      const error = yield* Effect.flip(builtPage({ ...options, cache: join(options.sources, "index.html/cache") }))
      assert.strictEqual(error.problem, "not_built")
    }))

  it.effect("is left out where its packages are not installed, and the message says how to get them", () =>
    Effect.gen(function*() {
      const options = yield* aPage("<title>One</title>")
      const packagesFrom = pathToFileURL(join(options.folder, "main.ts")).href
      const error = yield* Effect.flip(builtPage({ ...options, packagesFrom }))
      assert.strictEqual(error.problem, "not_installed")
      assert.include(error.message, "npm install --include=optional")
    }))
})
