import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { runChaos } from "../../chaos/Chaos.ts"
import { passed, tableOf } from "../../chaos/Report.ts"
import { sandbox } from "../../chaos/Target.ts"
import { temporaryDirectory } from "./Bot.ts"

// The short version of `npm run chaos`, which is for longer runs and for Synapse.
const short = { kills: 10, messages: 100, rooms: 4, seed: 1 }

describe("A bot that is killed again and again", () => {
  it.live("loses nothing, says nothing twice and keeps the order", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const report = yield* runChaos({ ...short, encrypted: false }, directory)
      assert.isTrue(passed(report), tableOf(report))
      assert.isAtLeast(Object.keys(report.killedAt).length, 2)
    }).pipe(Effect.provide(sandbox({ encrypted: false }))), 300_000)

  it.live(
    "can read everything in encrypted rooms, is read by everybody, and keeps its keys",
    () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const report = yield* runChaos({ ...short, encrypted: true }, directory)
        assert.isTrue(passed(report), tableOf(report))
        assert.strictEqual(report.identities, 1)
        const places = Object.keys(report.killedAt)
        assert.isTrue(places.some((place) => place.startsWith("crypto commit:")), places.join(", "))
      }).pipe(Effect.provide(sandbox({ encrypted: true }))),
    300_000
  )
})
