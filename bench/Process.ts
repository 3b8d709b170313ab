import { Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"

const root = join(import.meta.dirname, "..")

export interface Bot {
  readonly pid: number
  /** Ends it and waits for its end. */
  readonly stop: Effect.Effect<void>
}

const start = (
  file: string,
  args: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>>
): Effect.Effect<Bot, never, Scope.Scope> =>
  Effect.gen(function*() {
    const child = yield* Effect.acquireRelease(
      Effect.sync((): ChildProcess =>
        spawn(process.execPath, [join(root, file), ...args], {
          env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", ...environment },
          stdio: ["ignore", "ignore", "inherit"]
        })
      ),
      (child) =>
        Effect.sync(() => {
          child.removeAllListeners("exit")
          child.kill("SIGKILL")
        })
    )
    const failed = (code: number | null, signal: string | null) => {
      process.stderr.write(`${file} ended by itself, with ${signal ?? `code ${code}`}: there is nothing to measure.\n`)
      process.exit(1)
    }
    child.once("exit", failed)
    const stop = Effect.callback<void>((resume) => {
      child.off("exit", failed)
      if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
      child.once("exit", () => resume(Effect.void))
      child.kill("SIGTERM")
    })
    return { pid: child.pid ?? 0, stop }
  })

/** A bot's account on the homeserver of the benchmark. */
export interface Account {
  readonly url: string
  readonly userId: string
  readonly deviceId: string
  readonly token: string
}

/** `preload` names a file of this folder that the process runs before its own code, with what it reads from the environment. */
export const startHoming = (
  { token, url }: Account,
  dataDir: string,
  { environment = {}, preload }: {
    readonly preload?: string
    readonly environment?: Readonly<Record<string, string>>
  } = {}
) =>
  start("bin/homing.mjs", ["run"], {
    ...environment,
    ...(preload === undefined ? {} : { NODE_OPTIONS: `--import=${pathToFileURL(join(root, "bench", preload)).href}` }),
    HOMING_HOMESERVER_URL: url,
    HOMING_ACCESS_TOKEN: token,
    HOMING_DATA_DIR: dataDir,
    HOMING_LOG_LEVEL: "warn"
  })

export const startBare = ({ deviceId, token, url, userId }: Account) =>
  start("bench/BareBot.ts", [], { BARE_URL: url, BARE_USER: userId, BARE_DEVICE: deviceId, BARE_TOKEN: token })

/** CPU time in seconds and resident memory in MB of a process that runs; undefined where there is no /proc. */
export const usage = (pid: number): { readonly cpu: number; readonly rss: number } | undefined => {
  try {
    // The second field is the program's name in parentheses, which may hold spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ")
    const ticks = Number(fields[11]) + Number(fields[12])
    const rss = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
    return { cpu: ticks / 100, rss: Number(rss) / 1024 }
  } catch {
    return undefined
  }
}
