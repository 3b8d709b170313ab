#!/usr/bin/env node
// Starts Homing on a Node that runs TypeScript: this one, or the one that is installed as a dependency. Plain JavaScript
// for any Node from 16 on, since the machine's own may be old.
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import * as module from "node:module"
import { constants } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const here = fileURLToPath(new URL(".", import.meta.url))
const [major, minor] = process.versions.node.split(".").map(Number)

if (major > 22 || (major === 22 && minor >= 18)) {
  // Compiled code is kept between starts, which halves the time to the first line; where it cannot be, nothing is lost.
  // Not in the system's temporary directory: whoever makes the directory there first chooses the code that runs here.
  module.enableCompileCache(join(here, "../node_modules/.cache/homing"))
  await import("../src/main.ts")
} else {
  const node = join(here, "../node_modules/node/bin", process.platform === "win32" ? "node.exe" : "node")
  if (existsSync(node)) startWith(node)
  else {
    console.error(
      `homing: this is Node ${process.versions.node}, and Homing needs 22.18 or newer. Run "npm install" in ${
        join(here, "..")
      }, which brings one of its own, or install a newer Node.`
    )
    process.exitCode = 69
  }
}

/** Runs this file again on another Node, and ends as it ends. */
function startWith(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    // With a channel, it notices when this process is gone, even by `kill -9`, and ends in order.
    stdio: ["inherit", "inherit", "inherit", "ipc"]
  })
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal))
  child.on("error", (error) => {
    console.error(`homing: ${node} cannot be started: ${error.message}`)
    process.exitCode = 69
  })
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0)
  })
}
