import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { join, resolve } from "node:path"

const root = join(import.meta.dirname, "..")

/** What a process said and how it ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Spawned {
  readonly process: ChildProcess
  /** Waits until standard output holds `text`. */
  printed(text: string): Effect.Effect<void>
  readonly ended: Effect.Effect<Ended>
}

/** Starts a script of this project on the Node of the tests; it is killed when the scope closes. */
export const spawnScript = (
  script: string,
  args: ReadonlyArray<string>,
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>>; readonly node?: string }
) =>
  Effect.acquireRelease(
    Effect.sync((): Spawned => {
      const process = spawn(options.node ?? globalThis.process.execPath, [resolve(root, script), ...args], {
        cwd: options.cwd,
        // nothing of the machine's own settings
        env: { PATH: globalThis.process.env["PATH"], ...options.env }
      })
      let [stdout, stderr] = ["", ""]
      process.stdout.on("data", (chunk) => (stdout += String(chunk)))
      process.stderr.on("data", (chunk) => (stderr += String(chunk)))
      const ended = new Promise<Ended>((resolve) =>
        process.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }))
      )
      return {
        process,
        printed: (text) =>
          Effect.callback((resume) => {
            const look = () => {
              if (stdout.includes(text)) resume(Effect.void)
            }
            process.stdout.on("data", look)
            look()
          }),
        ended: Effect.promise(() => ended)
      }
    }),
    ({ process }) => Effect.sync(() => process.kill("SIGKILL"))
  )

/** `homing` with these arguments, to its end. */
export const homing = (
  args: ReadonlyArray<string>,
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> }
) => Effect.scoped(Effect.flatMap(spawnScript("bin/homing.mjs", args, options), ({ ended }) => ended))
