import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { PassThrough } from "node:stream"
import { Terminal } from "../../src/programs/Sandbox/Terminal.ts"
import { promptTitle } from "../../src/programs/Sandbox/Words.ts"
import { Screen } from "./SandboxScreen.ts"

interface At {
  readonly screen: Screen
  readonly type: (text: string) => Effect.Effect<void>
  readonly paste: (text: string) => Effect.Effect<void>
}

/** A terminal of 20 columns in which somebody types. */
const atTerminal = <A, E>(
  body: (at: At) => Effect.Effect<A, E, Terminal>
) => {
  const input = new PassThrough()
  const screen = new Screen(20)
  const complete = (line: string) => ["/rooms", "/restart", "!help"].filter((name) => name.startsWith(line))
  const paste = (text: string) =>
    Effect.promise(() => new Promise<void>((resolve) => input.write(text, () => setImmediate(resolve))))
  // a key at a time: what comes at once is pasted
  const type = (text: string) => Effect.forEach(text, paste, { discard: true })
  return body({ paste, screen, type }).pipe(
    Effect.provide(Terminal.layerOn({ input, output: screen, interactive: true, complete }))
  )
}

describe("the terminal of the sandbox", () => {
  it.live("prints above the line that is being typed, and leaves that line whole", () =>
    atTerminal(({ screen, type }) =>
      Effect.gen(function*() {
        const terminal = yield* Terminal
        yield* terminal.prompt("Garden")
        yield* type("hel")
        yield* terminal.said("bot", "one\ntwo")
        yield* terminal.note("the bot is back")
        yield* type("lo")
        assert.deepStrictEqual(screen.lines, ["bot: one", "     two", "  · the bot is back", "Garden> hello"])
        yield* type("\r")
        const [line] = yield* Stream.runCollect(Stream.take(terminal.lines, 1))
        assert.strictEqual(line, "hello")
      })
    ))

  it.live("breaks what is said between words, and leaves a long one whole", () =>
    atTerminal(({ screen }) =>
      Effect.gen(function*() {
        const terminal = yield* Terminal
        yield* terminal.said("bot", "one and two and three\n- https://example.org/x and\n\n  four, five")
        yield* terminal.note("the bot was killed again")
        assert.deepStrictEqual(screen.lines, [
          "bot: one and two and",
          "     three",
          "     -",
          "     https://example",
          ".org/x",
          "     and",
          "",
          "       four, five",
          "  · the bot was",
          "    killed again"
        ])
      })
    ))

  it.live("breaks what it prints as well, and goes on below where a column begins", () =>
    atTerminal(({ screen }) =>
      Effect.gen(function*() {
        const terminal = yield* Terminal
        yield* terminal.print("/a     does one thing and more\n/b     another", 7)
        assert.deepStrictEqual(screen.lines, ["/a     does one", "       thing and", "       more", "/b     another"])
      })
    ))

  it("shows as much of a room's title before the line as leaves room to type", () => {
    assert.strictEqual(promptTitle("Garden"), "Garden")
    assert.strictEqual(promptTitle("A very long title of a room that goes on"), "A very long title of a…")
  })

  for (const how of ["type", "paste"] as const) {
    it.live(`does so when that line is longer than the screen is wide (${how})`, () =>
      atTerminal((at) =>
        Effect.gen(function*() {
          const terminal = yield* Terminal
          yield* terminal.prompt("A")
          yield* at[how]("a line that takes two rows")
          yield* terminal.print("first")
          yield* terminal.print("second")
          assert.deepStrictEqual(at.screen.lines, ["first", "second", "A> a line that takes", " two rows"])
          yield* at.type("\u0015")
          yield* terminal.print("third")
          assert.deepStrictEqual(at.screen.lines, ["first", "second", "third", "A>"])
        })
      ))
  }

  it.live("keeps what was typed before there was a prompt", () =>
    atTerminal(({ screen, type }) =>
      Effect.gen(function*() {
        const terminal = yield* Terminal
        yield* type("early")
        yield* terminal.print("welcome")
        yield* terminal.prompt("A")
        assert.deepStrictEqual(screen.lines, ["welcome", "A> early"])
        yield* terminal.prompt("Another")
        assert.deepStrictEqual(screen.lines, ["welcome", "Another> early"])
      })
    ))

  it.live("completes commands", () =>
    atTerminal(({ screen, type }) =>
      Effect.gen(function*() {
        const terminal = yield* Terminal
        yield* terminal.prompt("A")
        yield* type("/ro\t")
        assert.deepStrictEqual(screen.lines, ["A> /rooms"])
      })
    ))

  for (const [name, key] of [["Ctrl-C", "\u0003"], ["Ctrl-D", "\u0004"]] as const) {
    it.live(`tells that the person has left on ${name}`, () =>
      atTerminal(({ type }) =>
        Effect.gen(function*() {
          const terminal = yield* Terminal
          const left = yield* Effect.forkChild(terminal.left)
          yield* type(key)
          yield* Fiber.join(left)
          assert.deepStrictEqual(yield* Stream.runCollect(terminal.lines), [])
        })
      ))
  }
})
