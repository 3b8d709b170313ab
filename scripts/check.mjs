// Runs every check that needs no homeserver, one after another, and says of each whether it passed.
//
//   npm run check               all of them
//   npm run check -- lint knip  only these
import { spawnSync } from "node:child_process"
import { appendFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const checks = {
  types: "tsc -p tsconfig.json",
  page: "tsc -p web",
  lint: "oxlint --deny-warnings",
  effect: "effect-tsgo diagnostics --project tsconfig.json --format text --severity error,warning --strict",
  format: "dprint check",
  unused: "knip",
  dependencies: "vitest run --project fast test/architecture",
  coverage: "vitest run --project fast --coverage"
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !(name in checks))
if (unknown.length > 0) {
  console.error(`No check is called ${unknown.join(", ")}. There are: ${Object.keys(checks).join(", ")}.`)
  process.exit(2)
}

const results = (asked.length > 0 ? asked : Object.keys(checks)).map((name) => {
  const [command, ...args] = checks[name].split(" ")
  console.log(`\n=== ${name}: ${checks[name]}`)
  const started = performance.now()
  const { error, status } = spawnSync(command, args, {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    stdio: ["ignore", "inherit", "inherit"]
  })
  if (error) console.error(error.message)
  return { name, passed: status === 0, seconds: ((performance.now() - started) / 1000).toFixed(1) }
})

console.log("")
for (const { name, passed, seconds } of results) {
  const line = `check ${name} ${passed ? "passed" : "FAILED"}`
  console.log(`${line} (${seconds} s)`)
  // For .ci/run, which adds them up.
  if (process.env.CHECK_RESULTS) appendFileSync(process.env.CHECK_RESULTS, `${line}\n`)
}
process.exit(results.every(({ passed }) => passed) ? 0 : 1)
