import { NodeFileSystem } from "@effect/platform-node"
import { Context, Effect, FileSystem, Layer } from "effect"
import { type BrowserContext, chromium, type Page } from "playwright-core"

/** Where Debian's package puts it. */
const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium"

/** Chromium with a profile of its own, which nobody used before. */
export class Chromium extends Context.Service<Chromium, BrowserContext>()("test/Chromium") {
  static readonly layer = Layer.effect(
    Chromium,
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const profile = yield* fs.makeTempDirectoryScoped({ prefix: "homing-chromium-" })
      return yield* Effect.acquireRelease(
        Effect.promise(() =>
          chromium.launchPersistentContext(profile, {
            executablePath,
            headless: true,
            viewport: { width: 1100, height: 700 },
            args: [
              "--no-sandbox",
              "--disable-gpu",
              "--disable-quic",
              "--no-first-run",
              "--disable-background-networking",
              "--disable-component-update",
              "--disable-sync"
            ]
          })
        ),
        (browser) => Effect.promise(() => browser.close())
      )
    })
  ).pipe(Layer.provide(NodeFileSystem.layer), Layer.orDie)
}

export interface Tab {
  readonly page: Page
  /** What the browser found wrong with the page so far: errors of scripts, and what the page's policy forbade. */
  readonly complaints: ReadonlyArray<string>
  /** The origins that anything was asked of. */
  readonly origins: ReadonlySet<string>
}

/** A tab that shows `url`. */
export const openTab = Effect.fnUntraced(function*(url: string) {
  const browser = yield* Chromium
  const page = yield* Effect.promise(() => browser.newPage())
  const complaints: Array<string> = []
  const origins = new Set<string>()
  page.on("pageerror", (error) => complaints.push(String(error)))
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`${message.text()} (${message.location().url})`)
  })
  page.on("request", (request) => origins.add(new URL(request.url()).origin))
  yield* Effect.promise(() => page.goto(url))
  const tab: Tab = { page, complaints, origins }
  return tab
})
