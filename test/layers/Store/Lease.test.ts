import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { existsSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { takeLease } from "../../../src/layers/Store/Lease.ts"
import { openDataDir } from "../../../src/layers/Store/Live.ts"
import { temporaryDirectory } from "./Samples.ts"

const script = fileURLToPath(new URL("SecondProcess.ts", import.meta.url))

const ended = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

const kill = Effect.fnUntraced(function*(child: ChildProcess) {
  if (ended(child)) return
  const exited = once(child, "exit")
  child.kill("SIGKILL")
  yield* Effect.promise(() => exited)
})

/** Starting another Node takes a second or two on a busy machine. */
const timeout = 30_000

/** Starts another process on the directory; answers it and the first thing that it says. */
const secondProcess = (dataDir: string) =>
  Effect.acquireRelease(
    Effect.sync(() => fork(script, [dataDir], { execArgv: [], stdio: "inherit" })),
    kill
  ).pipe(
    Effect.flatMap((child) =>
      Effect.map(Effect.promise(() => once(child, "message")), ([said]) => ({ child, said: String(said) }))
    )
  )

describe("the lease", () => {
  it.live("is refused at once while another process has it, and says which", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      const { child, said } = yield* secondProcess(dataDir)
      assert.strictEqual(said, "open")
      const error = yield* Effect.flip(openDataDir(dataDir))
      assert.strictEqual(error._tag, "LeaseHeld")
      assert.include(error.message, `process ${child.pid}, started 20`)
      assert.include(error.message, dataDir)
    }), timeout)

  it.live("says that the directory is at fault when nothing can be written in it", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(takeLease("/proc/self"))
      assert.deepInclude(error, { problem: "not_writable", path: "/proc/self" })
      assert.match(
        error.message,
        /^\/proc\/self cannot be used: Nothing can be kept in this directory, since .*HOMING_DATA_DIR/
      )
    }))

  it.live("is refused to another process while this one has it", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      yield* openDataDir(dataDir)
      const { said } = yield* secondProcess(dataDir)
      assert.include(said, `process ${process.pid}, started 20`)
    }), timeout)

  it.live(
    "does not outlive a process that is killed, and what that process kept is there",
    () =>
      Effect.gen(function*() {
        const dataDir = yield* temporaryDirectory
        const { child } = yield* secondProcess(dataDir)
        assert.isFalse(ended(child))
        yield* kill(child)
        assert.strictEqual(child.signalCode, "SIGKILL")
        const store = yield* openDataDir(dataDir)
        assert.strictEqual((yield* store.inbox.find("$from-the-second-process"))?.state, "pending")
      }),
    timeout
  )

  it.effect("is refused to a second store in the same process, and stays with the first", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      yield* takeLease(dataDir)
      assert.strictEqual((yield* Effect.flip(Effect.scoped(takeLease(dataDir))))._tag, "LeaseHeld")
      const { said } = yield* secondProcess(dataDir)
      assert.include(said, "Another Homing")
    }), timeout)

  it.effect("ends with its scope, and takes its note along", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      yield* Effect.scoped(Effect.gen(function*() {
        yield* takeLease(dataDir)
        assert.strictEqual(statSync(join(dataDir, "lease.db")).mode & 0o777, 0o600)
        assert.strictEqual(statSync(join(dataDir, "lease.json")).mode & 0o777, 0o600)
      }))
      assert.isFalse(existsSync(join(dataDir, "lease.json")))
      yield* takeLease(dataDir)
    }))

  it.effect("is taken over from a note that a killed process left, readable or not", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      writeFileSync(join(dataDir, "lease.json"), "{\"pid\":")
      yield* takeLease(dataDir)
    }))

  it.effect("says that a lease file of another kind may be deleted", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      writeFileSync(join(dataDir, "lease.db"), "no database ".repeat(100))
      const error = yield* Effect.flip(takeLease(dataDir))
      assert.include(error.message, "delete it")
    }))
})
