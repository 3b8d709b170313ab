// Loaded into a bot's process before its own code: collects the garbage every five seconds, and keeps what is alive after it, in
// MB, in the file BENCH_LIVE_HEAP. Resident memory tells of V8's habits; this tells of leaks.
import { appendFileSync } from "node:fs"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc")
setInterval(() => {
  collect()
  const { external, heapUsed } = process.memoryUsage()
  appendFileSync(process.env.BENCH_LIVE_HEAP, `${(heapUsed + external) / 1e6}\n`)
}, 5_000).unref()
