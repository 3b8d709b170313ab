/**
 * `npm run bench [-- PART...]`: measures all parts, or those that are named, and prints a table for people, the limits that the project
 * has set itself beside what was measured, and one line of JSON for programs. Exit code 1 when a limit was missed. All of it takes about ten
 * minutes, and wants the machine for itself.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, type FileSystem, Schema } from "effect"
import { Argument, Command } from "effect/cli"
import { spawn } from "node:child_process"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { decideRooms } from "./Decide.ts"
import { help } from "./Help.ts"
import { ingest } from "./Ingest.ts"
import { findingsOf, limitsTable } from "./Limits.ts"
import { Row, table } from "./Report.ts"
import { sandbox } from "./Sandbox.ts"
import { startUp } from "./StartUp.ts"
import { oneMessage } from "./Steps.ts"
import { takeIn } from "./TakeIn.ts"

const LastLine = Schema.fromJsonString(Schema.Struct({ rows: Schema.Array(Row) }))

/** A benchmark that wants a process of its own: the last line that it prints is JSON, with its rows. */
const apart = (file: string) =>
  Effect.callback<string>((resume) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, file)], { stdio: ["ignore", "pipe", "inherit"] })
    let text = ""
    child.stdout.on("data", (chunk) => (text += String(chunk)))
    child.on("close", (code) =>
      resume(
        code === 0 ? Effect.succeed(text) : Effect.die(new Error(`bench/${file} ended with code ${code}:\n${text}`))
      ))
    return Effect.sync(() => child.kill())
  }).pipe(
    Effect.map((text) => text.trim().split("\n").at(-1) ?? ""),
    Effect.flatMap(Schema.decodeUnknownEffect(LastLine)),
    Effect.map(({ rows }) => rows),
    Effect.orDie
  )

/** The short ones first. */
const parts: Readonly<Record<string, Effect.Effect<ReadonlyArray<Row>, never, FileSystem.FileSystem>>> = {
  help,
  decide: decideRooms,
  accounts: apart("Reconcile.ts"),
  sandbox: Effect.orDie(sandbox),
  start: Effect.orDie(startUp),
  taking: takeIn,
  messages: Effect.orDie(ingest),
  steps: oneMessage,
  keys: apart("Crypto.ts"),
  backlog: apart("Backlog.ts"),
  retention: apart("Retention.ts")
}

const bench = Command.make(
  "bench",
  { names: Argument.Literals("part", Object.keys(parts)).pipe(Argument.variadic()) },
  Effect.fnUntraced(function*({ names }) {
    const rows: Array<Row> = []
    for (const [name, part] of Object.entries(parts)) {
      if (names.length > 0 && !names.includes(name)) continue
      yield* Console.error(`measuring: ${name}`)
      rows.push(...yield* part)
    }
    const findings = findingsOf(rows)
    yield* Console.log(table(rows))
    yield* Console.log(`\n${limitsTable(findings)}\n`)
    const kept = findings.map(({ kept, limit: { what }, measured }) => ({ what, measured, kept }))
    yield* Console.log(JSON.stringify({ node: process.version, cpus: availableParallelism(), limits: kept, rows }))
    if (findings.some(({ kept }) => !kept)) yield* Effect.sync(() => void (process.exitCode = 1))
  })
)

NodeRuntime.runMain(Command.run(bench, { version: "1" }).pipe(Effect.provide(NodeServices.layer)), {
  // Timers of the SDK would keep the process for two more minutes.
  teardown: (exit) => process.exit(exit._tag === "Success" ? process.exitCode ?? 0 : 1)
})
