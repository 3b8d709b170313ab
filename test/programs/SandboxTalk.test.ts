import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer } from "effect"
import { PassThrough } from "node:stream"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { BotProcess } from "../../src/programs/Sandbox/BotProcess.ts"
import { handleLine } from "../../src/programs/Sandbox/Commands.ts"
import { NoDoor } from "../../src/programs/Sandbox/Errors.ts"
import { Talk } from "../../src/programs/Sandbox/Talk.ts"
import { Terminal } from "../../src/programs/Sandbox/Terminal.ts"
import { Screen } from "./SandboxScreen.ts"

/** You at a screen of so many columns, on a homeserver where no bot runs. */
const atScreen = <A, E>(
  columns: number,
  body: (screen: Screen) => Effect.Effect<A, E, BotProcess | Homeserver | Talk | Terminal>
) => {
  const screen = new Screen(columns)
  const terminal = Terminal.layerOn({ input: new PassThrough(), output: screen, interactive: true, complete: () => [] })
  const bot = BotProcess.layer({
    homeserverUrl: "",
    userId: "@homing:homing.test",
    password: "",
    directory: "/nowhere"
  })
  return body(screen).pipe(Effect.provide(
    Layer.merge(bot, Talk.layer({ bot: "@homing:homing.test", patience: "1 minute" })).pipe(
      Layer.provideMerge(Layer.mergeAll(terminal, Homeserver.layer(), FileSystem.layerNoop({})))
    )
  ))
}

describe("the talk of the sandbox", () => {
  it.live("shows the room's new name before the line that is being typed, and that of no other room", () =>
    atScreen(60, (screen) =>
      Effect.gen(function*() {
        const [you, talk] = [yield* (yield* Homeserver).as("you"), yield* Talk]
        const room = yield* you.createRoom({ name: "Sandbox" })
        const other = yield* you.createRoom({ name: "Elsewhere" })
        yield* Effect.forkChild(talk.follow)
        yield* (yield* Terminal).prompt("…")
        yield* talk.begin
        yield* screen.shows(/^Sandbox>/)
        yield* you.setState(other, "m.room.name", { name: "Nowhere" })
        yield* you.setState(room, "m.room.name", { name: "Kitchen" })
        yield* screen.shows(/^Kitchen>/)
        assert.deepStrictEqual((yield* talk.rooms).map(({ title }) => title), ["Kitchen", "Nowhere"])
      })))

  for (const columns of [44, 80]) {
    it.live(`lists its commands on ${columns} columns without breaking a word`, () =>
      atScreen(columns, (screen) =>
        Effect.gen(function*() {
          yield* handleLine("/help")
          const words = screen.lines.join(" ").split(/ +/)
          assert.include(words, "/lose-database")
          const whole = new Set((yield* wide).split(/ +/))
          assert.deepStrictEqual(words.filter((word) => !whole.has(word)), [])
        })))
  }

  it("says what to do without a loopback network", () => {
    const { message } = new NoDoor({ port: 0, detail: "connect ENETUNREACH 127.0.0.1:40123 - Local (0.0.0.0:0)" })
    assert.match(message, /^The sandbox needs the loopback network .* is down or shut\. Bring it up/)
    assert.notInclude(message, "ENETUNREACH")
  })
})

/** The help where nothing needs to be broken. */
const wide = atScreen(200, (screen) => Effect.map(handleLine("/help"), () => screen.lines.join(" ")))
