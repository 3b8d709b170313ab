import { Effect } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

/** Starting another Node takes a second or two on a busy machine. */
export const processTimeout = 60_000

const ended = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

/** Ends a process without a chance to do anything more, and waits until it is gone. */
export const kill = Effect.fnUntraced(function*(child: ChildProcess) {
  if (ended(child)) return
  const exited = once(child, "exit")
  child.kill("SIGKILL")
  yield* Effect.promise(() => exited)
})

/** Starts a script; it ends with the scope at the latest. */
export const started = (script: URL, ...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      fork(fileURLToPath(script), args, {
        execArgv: [],
        stdio: ["ignore", "inherit", "pipe", "ipc"]
      })
    ),
    kill
  )
