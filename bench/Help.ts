import { Effect } from "effect"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { median, type Row } from "./Report.ts"

const program = join(import.meta.dirname, "../bin/homing.mjs")
const rounds = 11

/** From the start of a process to its end: what everybody waits for who asks how something is called. */
const timed = (...args: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const started = performance.now()
    await promisify(execFile)(process.execPath, [...args])
    return performance.now() - started
  })

/** The help text beside a Node that does nothing. */
export const help = Effect.gen(function*() {
  const contestants = [
    { subject: "Homing", args: [program, "--help"], times: [] as Array<number> },
    { subject: "Node alone", args: ["-e", "0"], times: [] as Array<number> }
  ]
  // The first start compiles, and keeps it.
  yield* timed(program, "--help")
  for (let round = 0; round < rounds; round++) {
    for (const { args, times } of contestants) times.push(yield* timed(...args))
  }
  return contestants.map(({ subject, times }): Row => ({
    benchmark: "homing --help",
    subject,
    figures: { "median ms": median(times), "best ms": Math.min(...times), "worst ms": Math.max(...times) }
  }))
})
