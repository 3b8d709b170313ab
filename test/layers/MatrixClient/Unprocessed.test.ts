import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SyncStalled } from "../../../src/domain/Errors.ts"
import type { SyncBatch } from "../../../src/domain/SyncBatch.ts"
import { FaultEffect } from "../../../src/layers/Homeserver/Faults.ts"
import { layer as client, MatrixSync } from "../../../src/layers/MatrixClient.ts"
import { bodies, livesOf, ofModel, roomWith, started, syncsOf, withStore } from "./Harness.ts"
import { behindDoor, World } from "./World.ts"

const asBot = livesOf({ world: behindDoor, client, onModel: true })

/** An answer that makes the SDK throw before it has come to the keys in it. */
const poison = (nextBatch: string) =>
  FaultEffect.Answer({ status: 200, body: { next_batch: nextBatch, presence: { events: [null] } } })

layer(behindDoor, { excludeTestServices: true })("an answer of /sync that the SDK cannot process", (it) => {
  it.effect(
    "is not passed over at first: the loop ends, and the answer is asked for again",
    () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        yield* asBot(
          account,
          Effect.gen(function*() {
            const { nextBatch } = yield* started()
            yield* (yield* ofModel).inject({ user: account.userId, path: "/sync", effect: poison("s999") })
            const ended = yield* (yield* MatrixSync).loop(() => Effect.void).pipe(Effect.flip)
            assert.instanceOf(ended, SyncStalled)
            assert.include(ended.message, "could not process")
            yield* alice.say(room, "still there?")
            assert.include(bodies(yield* started(nextBatch), room), "still there?")
            assert.strictEqual((yield* syncsOf(account)).at(-1)?.query["since"], nextBatch)
          })
        )
      }).pipe(withStore),
    20_000
  )

  it.effect("is not passed over either when only the keys in it could not be kept", () =>
    Effect.gen(function*() {
      const account = yield* (yield* World).account("bot")
      yield* asBot(
        account,
        Effect.gen(function*() {
          yield* started()
          // The SDK says nothing of it, and goes on.
          const body = { next_batch: "s999", device_lists: { changed: ["nonsense"] } }
          const effect = FaultEffect.Answer({ status: 200, body })
          yield* (yield* ofModel).inject({ user: account.userId, path: "/sync", effect })
          const taken: Array<string> = []
          const take = ({ nextBatch }: SyncBatch) => Effect.sync(() => void taken.push(nextBatch))
          const ended = yield* (yield* MatrixSync).loop(take).pipe(Effect.flip)
          assert.instanceOf(ended, SyncStalled)
          assert.notInclude(taken, "s999")
        })
      )
    }).pipe(withStore), 20_000)

  it.effect(
    "is passed over the second time, so that no answer keeps the bot from starting",
    () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        yield* asBot(
          account,
          Effect.gen(function*() {
            const before = (yield* syncsOf(account)).length
            yield* (yield* ofModel).inject({ user: account.userId, path: "/sync", count: 2, effect: poison("s1") })
            const batch = yield* started()
            assert.strictEqual(String(batch.nextBatch), "s1")
            assert.strictEqual((yield* syncsOf(account)).length - before, 2)
          })
        )
      }).pipe(withStore),
    20_000
  )
})
