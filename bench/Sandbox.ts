/** What a newcomer meets: how long the first answer takes, and what the sandbox's homeserver takes of the machine. */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { join } from "node:path"
import { median, type Row } from "./Report.ts"

const root = join(import.meta.dirname, "..")
const rounds = 3

/** Seconds until `text` stands in what a process prints, by the text. The input is there from the start. */
const timesOf = (command: string, args: ReadonlyArray<string>, input: string, texts: ReadonlyArray<string>) =>
  Effect.callback<ReadonlyArray<number>, Error>((resume) => {
    const started = performance.now()
    const times = new Map<string, number>()
    let printed = ""
    const child = spawn(command, args, {
      cwd: root,
      // nothing of the machine's own settings
      env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "" },
      stdio: ["pipe", "pipe", "inherit"]
    })
    child.stdout.on("data", (chunk) => {
      printed += String(chunk)
      for (const text of texts) {
        if (!times.has(text) && printed.includes(text)) times.set(text, (performance.now() - started) / 1000)
      }
    })
    child.on("error", (problem) => resume(Effect.fail(problem)))
    child.on("close", () => resume(Effect.succeed(texts.map((text) => times.get(text) ?? Number.NaN))))
    child.stdin.end(input)
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const firstRun = Effect.gen(function*() {
  const taken: Array<ReadonlyArray<number>> = []
  for (let round = 0; round < rounds; round++) {
    taken.push(yield* timesOf("npm", ["start"], "hello\n", ["This is the Homing sandbox", "bot: hello\n"]))
  }
  const of = (index: number) => taken.map((times) => times[index] ?? Number.NaN)
  return {
    benchmark: "npm start with nothing configured",
    subject: "sandbox",
    figures: {
      "median s to first line": median(of(0)),
      "median s to first answer": median(of(1)),
      "worst s": Math.max(...of(1))
    }
  }
})

const rooms = 1000
const events = 20_000

/** MB on top of a homeserver in which there is nothing. */
const largest = 200

const memory = Effect.gen(function*() {
  let printed = ""
  yield* Effect.callback<void>((resume) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, "SandboxSize.ts"), `${rooms}`, `${events}`], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    child.stdout.on("data", (chunk) => (printed += String(chunk)))
    child.on("close", () => resume(Effect.void))
    return Effect.sync(() => child.kill("SIGKILL"))
  })
  const taken = Number(printed.trim() === "" ? Number.NaN : printed)
  if (!(taken <= largest)) return yield* Effect.die(new Error(`the homeserver took ${taken} MB of ${largest}`))
  return {
    benchmark: `resident memory, ${rooms} rooms and ${events} messages`,
    subject: "sandbox homeserver",
    figures: { "MB on top": taken, "MB allowed": largest }
  }
})

export const sandbox: Effect.Effect<ReadonlyArray<Row>, Error> = Effect.all([firstRun, memory])
