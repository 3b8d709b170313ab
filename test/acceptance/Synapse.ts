import { execFile, execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import type { TestProject } from "vitest/node"

/** The Synapse that a whole run of the acceptance tests shares. */
export interface Synapse {
  /** Without a slash at its end. */
  readonly url: string
  readonly serverName: string
  /** What `scripts/synapse.sh` needs in its environment to speak of this one. */
  readonly environment: Readonly<Record<string, string>>
  /** The token of a server administrator. */
  readonly adminToken: string
}

declare module "vitest" {
  interface ProvidedContext {
    synapse: Synapse
  }
}

const run = promisify(execFile)
const script = join(import.meta.dirname, "../../scripts/synapse.sh")

/** One verb of `synapse.sh`; what it printed. */
export const synapseScript = async (
  environment: Readonly<Record<string, string>>,
  ...args: ReadonlyArray<string>
): Promise<string> => {
  const { stdout } = await run(script, [...args], { env: { ...process.env, ...environment }, timeout: 300_000 })
  return stdout
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().on("error", reject).listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

/** Vitest's global set-up: runs once, before the first acceptance test. What it returns runs after the last. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const data = join(mkdtempSync(join(tmpdir(), "homing-acceptance-")), "synapse")
  const port = await freePort()
  const environment = { SYNAPSE_DATA: data, SYNAPSE_PORT: String(port), SYNAPSE_SERVER_NAME: "hs.test" }
  const remove = () => rmSync(join(data, ".."), { recursive: true, force: true })
  const wipeAndExit = () => {
    execFileSync(script, ["wipe"], { env: { ...process.env, ...environment }, stdio: "ignore" })
    remove()
    process.exit(1)
  }
  // Synapse would outlive a run that is cut short.
  const signals = ["SIGINT", "SIGTERM"] as const
  for (const signal of signals) process.once(signal, wipeAndExit)
  const teardown = async () => {
    for (const signal of signals) process.off(signal, wipeAndExit)
    await synapseScript(environment, "wipe")
    remove()
  }
  try {
    await synapseScript(environment, "install")
    // Synapse would answer a request with the `since` of an earlier one from its cache, for two minutes.
    mkdirSync(data, { recursive: true })
    // It would keep rooms out of the public directory, too, without a word.
    const settings = ["caches: {sync_response_cache_duration: 0s}", "room_list_publication_rules: [{action: allow}]"]
    writeFileSync(join(data, "extra.yaml"), `${settings.join("\n")}\n`)
    await synapseScript(environment, "start")
    await synapseScript(environment, "register", "operator", "operator-password", "--admin")
    const login = JSON.parse(await synapseScript(environment, "login", "operator", "operator-password"))
    project.provide("synapse", {
      url: `http://127.0.0.1:${port}`,
      serverName: environment.SYNAPSE_SERVER_NAME,
      environment,
      adminToken: login.access_token
    })
  } catch (error) {
    await teardown()
    throw error
  }
  return teardown
}
