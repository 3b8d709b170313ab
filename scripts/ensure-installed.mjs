// Makes sure that node_modules holds what package-lock.json asks for, and installs it when it does not.
//
//   node scripts/ensure-installed.mjs                 what it takes to run, test and check
//   node scripts/ensure-installed.mjs --without-dev   what it takes to run
//   node scripts/ensure-installed.mjs --check-place   whether Homing can run where it stands
//   node scripts/ensure-installed.mjs --finish        the same, then patches what was just installed and notes that it ended well (from "postinstall")
//
// It runs before anything is installed, on the Node of the machine: plain JavaScript, Node 18 and newer, no dependencies.
import { spawn, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const modules = join(root, "node_modules")
const stamp = join(modules, ".homing-installed")
const oldestNode = 20

/** A hash over everything that decides what an install makes: the lockfile and the patches. */
const wanted = () => {
  const hash = createHash("sha256").update(readFileSync(join(root, "package-lock.json")))
  const patches = join(root, "patches")
  for (const name of existsSync(patches) ? readdirSync(patches).sort() : []) {
    hash.update(name).update(readFileSync(join(patches, name)))
  }
  return hash.digest("hex")
}

/** The stamp is the last thing that an install writes: one that was interrupted, or run without scripts, has none. */
const installed = (withDev) =>
  existsSync(stamp) && readFileSync(stamp, "utf8").trim() === wanted() &&
  (!withDev || hasDev())

const hasDev = () => existsSync(join(modules, "vitest"))

/** npm replaces node_modules/.bin/node while it works: it must not run on that one. */
const environment = () => {
  const path = (process.env.PATH ?? "").split(delimiter).filter((entry) => !entry.includes("node_modules"))
  return { ...process.env, PATH: path.join(delimiter) }
}

const install = (withDev) =>
  new Promise((resolve) => {
    const started = Date.now()
    const quick = ["--loglevel=error", "--no-fund", "--no-audit", "--prefer-offline"]
    // Without the tools to test and check it takes half the time.
    const npm = spawn("npm", ["ci", ...quick, withDev ? "--include=dev" : "--omit=dev"], {
      cwd: root,
      env: environment(),
      stdio: ["ignore", "ignore", "inherit"],
      shell: process.platform === "win32"
    })
    const sign = setInterval(() => {
      console.error(`  still installing, ${Math.round((Date.now() - started) / 1000)} s`)
    }, 15_000)
    const end = (code, detail) => {
      clearInterval(sign)
      resolve({ code, detail, seconds: Math.round((Date.now() - started) / 1000) })
    }
    npm.on("error", (error) => end(1, error.code === "ENOENT" ? "npm was not found." : error.message))
    npm.on("exit", (code, signal) =>
      end(code ?? 1, signal ? `npm was ended by ${signal}.` : `npm ci ended with ${code}.`))
  })

const fail = (what, remedies) => {
  console.error(`\n${what}\n${remedies.map((remedy) => `  - ${remedy}`).join("\n")}`)
  process.exit(1)
}

const finish = process.argv.includes("--finish")
if (finish || process.argv.includes("--check-place")) {
  if (root.split(/[\\/]/).includes("node_modules")) {
    fail("Homing cannot run from inside node_modules: it is TypeScript, which Node runs everywhere but there.", [
      "Clone it beside your project, run \"npm ci\" in the clone, and depend on \"file:../homing\": npm makes a link of that.",
      "docs/testing.md has the steps."
    ])
  }
  if (!finish) process.exit(0)
  const patch = join(modules, "patch-package", "index.js")
  // Nothing was installed here: "npx homing" in a clone makes a link to it and runs this. What is missing is told by whatever is started then.
  if (!existsSync(patch)) process.exit(0)
  const { status } = spawnSync(process.execPath, [patch, "--error-on-fail"], { cwd: root, stdio: "inherit" })
  if (status !== 0) process.exit(status ?? 1)
  writeFileSync(stamp, `${wanted()}\n`)
  process.exit(0)
}

const withDev = !process.argv.includes("--without-dev")
if (!installed(withDev)) {
  if (Number.parseInt(process.versions.node, 10) < oldestNode) {
    fail(`Homing is installed with Node ${oldestNode} or newer; this is Node ${process.versions.node}.`, [
      "Install a newer Node. Any will do: Homing then brings the one it runs on along."
    ])
  }
  console.error(`Installing what Homing needs (${withDev ? "a minute" : "half a minute"} or less, once) ...`)
  // Who has the tools keeps them.
  const { code, detail, seconds } = await install(withDev || hasDev())
  if (code !== 0 || !installed(withDev)) {
    fail(`The installation did not end well: ${code === 0 ? "its last step, postinstall, did not run." : detail}`, [
      "What npm said stands above. A message about the network or a registry: check the connection or the proxy.",
      "A message about permissions or space: this directory must be writable, with 700 MB free.",
      "\"postinstall did not run\": npm is told to ignore scripts; run \"npm ci --ignore-scripts=false\".",
      "Then try again, or run \"npm ci\" by hand to see all of its output."
    ])
  }
  console.error(`Installed in ${seconds} s.`)
}
