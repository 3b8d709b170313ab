import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { makeAccount, synapse } from "./Homeserver.ts"
import { scenario } from "./Scenario.ts"

// Debian's own Python, which its packages are for; `.ci/run` installs python3-matrix-nio and python3-olm.
const python = "/usr/bin/python3"
const script = join(import.meta.dirname, "nio_talk.py")

const talk = (...args: ReadonlyArray<string>) =>
  Effect.callback<unknown>((resume) => {
    const child = execFile(python, [script, ...args], (error, stdout, stderr) => {
      resume(
        error === null
          ? Effect.sync(() => JSON.parse(stdout))
          : Effect.die(new Error(`${error.message}\n${stderr}\nNeeds: apt-get install python3-matrix-nio python3-olm`))
      )
    })
    return Effect.sync(() => child.kill())
  })

describe("matrix-nio", () => {
  it.live("talks with the bot in an encrypted room, before and after a restart", () =>
    Effect.gen(function*() {
      const { account, start } = yield* scenario()
      for (const words of [["one", "two"], ["three"]]) {
        const bot = yield* start
        const alice = yield* makeAccount("alice")
        const heard = yield* talk(synapse.url, alice.userId, alice.password, account.userId, ...words)
        assert.deepInclude(heard, { replies: words, undecryptable: 0, in_clear: 0 })
        yield* bot.stop
      }
    }))
})
