import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { tmpdir } from "node:os"
import { fileURLToPath } from "node:url"
import { spawnScript } from "./Spawn.ts"

const script = fileURLToPath(new URL("./SlowStop.ts", import.meta.url))
const crashing = fileURLToPath(new URL("./Crashing.ts", import.meta.url))
const slowStop = (milliseconds: number) => spawnScript(script, [String(milliseconds)], { cwd: tmpdir() })

/** Processes are slow to start on a machine that is busy with other tests. */
const slow = 60_000

describe("the process", () => {
  it.live("tidies up on SIGTERM and ends with 0, whatever timers are left", () =>
    Effect.gen(function*() {
      const { ended, printed, process } = yield* slowStop(50)
      yield* printed("running")
      process.kill("SIGTERM")
      assert.deepInclude(yield* ended, { code: 0, stdout: "running\nstopping\ntidied\n", stderr: "" })
    }), slow)

  it.live("takes two signals at once for one", () =>
    Effect.gen(function*() {
      const { ended, printed, process } = yield* slowStop(200)
      yield* printed("running")
      process.kill("SIGINT")
      yield* printed("stopping")
      process.kill("SIGINT")
      assert.deepInclude(yield* ended, { code: 0, stdout: "running\nstopping\ntidied\n" })
    }), slow)

  it.live("ends at once with 130 on a second signal", () =>
    Effect.gen(function*() {
      const { ended, printed, process } = yield* slowStop(60_000)
      yield* printed("running")
      process.kill("SIGINT")
      yield* printed("still stopping")
      process.kill("SIGINT")
      assert.deepInclude(yield* ended, { code: 130, stdout: "running\nstopping\nstill stopping\n" })
    }), slow)

  it.live(
    "ends with 70 and tells the log, under its reference, what was thrown outside of the program",
    () =>
      Effect.gen(function*() {
        const { ended } = yield* spawnScript(crashing, ["throw"], { cwd: tmpdir() })
        const { code, stderr, stdout } = yield* ended
        assert.strictEqual(code, 70)
        const [, reference] = /reference (\w{8});/.exec(stderr) ?? []
        assert.match(stdout, new RegExp(`"stopped_by_bug".*"reference":"${reference}".*Crashing\\.ts`))
      }),
    slow
  )

  it.live(
    "goes on when something in the background failed, and says where without its words",
    () =>
      Effect.gen(function*() {
        const { ended } = yield* spawnScript(crashing, ["reject"], { cwd: tmpdir() })
        const { code, stderr } = yield* ended
        assert.strictEqual(code, 0)
        assert.match(stderr, /something in the background failed \(Error at test\/Crashing\.ts:\d+\)/)
        assert.notInclude(stderr, "secret-token")
      }),
    slow
  )

  it.live("cuts off a stop that lasts over five seconds", () =>
    Effect.gen(function*() {
      const { ended, printed, process } = yield* slowStop(60_000)
      yield* printed("running")
      process.kill("SIGTERM")
      const { code, stderr } = yield* ended
      assert.strictEqual(code, 0)
      assert.match(stderr, /stopped before everything was tidied up/)
    }), slow)
})
