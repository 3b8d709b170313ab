import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Redacted } from "effect"
import { TestConsole } from "effect/testing"
import { AppConfig, type Settings } from "../../src/layers/AppConfig.ts"
import * as Logging from "../../src/layers/Logging.ts"

const logged = (settings: Partial<Settings>, program: Effect.Effect<void>) =>
  Effect.gen(function*() {
    const before = (yield* TestConsole.logLines).length
    yield* program.pipe(Effect.provide(Logging.layer.pipe(Layer.provide(AppConfig.layerTest(settings)))))
    assert.deepStrictEqual(yield* TestConsole.errorLines, [], "standard error is for the failure that ends the process")
    return (yield* TestConsole.logLines).slice(before).map(String)
  })

const messages = (lines: ReadonlyArray<string>) => lines.map((line) => JSON.parse(line).message)

describe("logs", () => {
  it.effect("as JSON have one line an event, with the same keys each time", () =>
    Effect.gen(function*() {
      const event = Effect.logInfo("matrix_reconcile_complete").pipe(
        Effect.annotateLogs({ rooms: 3, token: Redacted.make("syt_secret") })
      )
      const failure = Effect.logError("stopped", Cause.fail(new Error("two\nlines")))
      const lines = yield* logged({ logFormat: "json" }, Effect.andThen(event, failure))
      const [first, second] = lines.map((line) => JSON.parse(line))
      assert.hasAllKeys(first, ["timestamp", "level", "message", "annotations"])
      assert.deepInclude(first, {
        level: "info",
        message: "matrix_reconcile_complete",
        timestamp: "1970-01-01T00:00:00.000Z"
      })
      assert.strictEqual(first.annotations.rooms, 3)
      assert.notInclude(lines.join("\n"), "syt_secret")
      assert.strictEqual(lines.length, 2)
      assert.include(second.cause, "two\nlines")
    }))

  it.effect("as logfmt are key=value lines", () =>
    Effect.gen(function*() {
      const [line] = yield* logged(
        { logFormat: "logfmt" },
        Effect.logWarning("sync_slow").pipe(Effect.annotateLogs({ seconds: 7 }))
      )
      assert.match(line ?? "", /level=WARN .*message=sync_slow .*seconds=7/)
    }))

  it.effect("begin at the configured level", () =>
    Effect.gen(function*() {
      const program = Effect.all([Effect.logDebug("d"), Effect.logInfo("i"), Effect.logWarning("w")], { discard: true })
      assert.deepStrictEqual(messages(yield* logged({ logFormat: "json", logLevel: "Warn" }, program)), ["w"])
      assert.deepStrictEqual(messages(yield* logged({ logFormat: "json", logLevel: "Debug" }, program)), [
        "d",
        "i",
        "w"
      ])
      assert.deepStrictEqual(yield* logged({ logFormat: "json", logLevel: "None" }, program), [])
    }))
})
