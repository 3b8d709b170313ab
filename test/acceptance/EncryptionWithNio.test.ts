import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { makeAccount, synapse } from "./Homeserver.ts"
import { scenario } from "./Scenario.ts"

// Debian's own Python, which its packages are for; `.ci/run` installs python3-matrix-nio and python3-olm.
const python = "/usr/bin/python3"
const script = join(import.meta.dirname, "nio_talk.py")

const nio = (...args: ReadonlyArray<string>) =>
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

const Gathering = Schema.Struct({
  rounds: Schema.Array(Schema.Struct({
    asked: Schema.String,
    answers: Schema.Array(Schema.String),
    /** The Megolm session of the answer; null when it was said in clear. */
    session: Schema.NullOr(Schema.String)
  })),
  carol_reads: Schema.Boolean,
  undecryptable: Schema.Record(Schema.String, Schema.Number),
  in_clear: Schema.Record(Schema.String, Schema.Number)
})

describe("matrix-nio", () => {
  it.live("talks with the bot in an encrypted room, before and after a restart", () =>
    Effect.gen(function*() {
      const { account, start } = yield* scenario()
      for (const words of [["one", "two"], ["three"]]) {
        const bot = yield* start
        const alice = yield* makeAccount("alice")
        const heard = yield* nio("talk", synapse.url, account.userId, alice.userId, alice.password, ...words)
        assert.deepInclude(heard, { replies: words, undecryptable: 0, in_clear: 0 })
        yield* bot.stop
      }
    }))

  it.live("reads the bot on every device of a room that is encrypted later, and on none of somebody who has left", () =>
    Effect.gen(function*() {
      const { account, start } = yield* scenario()
      yield* start
      const people = [yield* makeAccount("alice"), yield* makeAccount("bob"), yield* makeAccount("carol")]
      const signIns = people.flatMap(({ password, userId }) => [userId, password])
      const told = yield* nio("gather", synapse.url, account.userId, ...signIns)
      const { carol_reads, in_clear, rounds, undecryptable } = yield* Effect.orDie(
        Schema.decodeUnknownEffect(Gathering)(told)
      )
      for (const { answers, asked } of rounds) {
        assert.deepStrictEqual([...new Set(answers)], [asked])
        assert.lengthOf(answers, asked.includes("carol") && !asked.includes("without") ? 4 : 3)
      }
      // Carol does not read what was said before she came.
      assert.deepStrictEqual(undecryptable, { phone: 0, laptop: 0, bob: 0, carol: 3 })
      // The greeting and the first answer, which were said before.
      assert.deepStrictEqual(in_clear, { phone: 2, laptop: 2, bob: 2 })
      const [plain, ...sessions] = rounds.map(({ session }) => session)
      assert.isNull(plain)
      const [byPhone, byLaptop, byBob, withCarol, byCarol, withoutCarol] = sessions
      assert.isString(byPhone)
      assert.deepStrictEqual([byLaptop, byBob], [byPhone, byPhone])
      assert.strictEqual(byCarol, withCarol)
      assert.isString(withoutCarol)
      assert.notStrictEqual(withoutCarol, byCarol)
      assert.isFalse(carol_reads)
    }))
})
