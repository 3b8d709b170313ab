import { assert, layer } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Schedule, Schema } from "effect"
import { SyncStalled } from "../../../src/domain/Errors.ts"
import { SyncToken } from "../../../src/domain/Ids.ts"
import { FaultEffect } from "../../../src/layers/Homeserver/Faults.ts"
import { MatrixRooms, MatrixSession, MatrixSync } from "../../../src/layers/MatrixClient.ts"
import { SilenceGrace } from "../../../src/layers/MatrixClient/Watchdog.ts"
import {
  batches,
  bodies,
  type ContractOptions,
  livesOf,
  ofModel,
  roomWith,
  started,
  syncsOf,
  withStore
} from "./Harness.ts"
import { World } from "./World.ts"

/** The gate, the loop, and what ends it. */
export const syncContract = <R, E>(name: string, options: ContractOptions<R, E>) => {
  const asBot = livesOf(options)

  // The SDK keeps time by itself, so that the clock is the real one.
  layer(options.world, { excludeTestServices: true })(`${name}: the sync loop`, (it) => {
    it.effect("brings missed messages in the initial batch, and later ones in the loop", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        const cursor = yield* asBot(account, started()).pipe(Effect.map((_) => _.nextBatch))
        yield* alice.say(room, "while you were away")
        yield* asBot(
          account,
          Effect.gen(function*() {
            const initial = yield* started(cursor)
            assert.isTrue(initial.initial)
            assert.strictEqual(initial.since, cursor)
            assert.deepStrictEqual(bodies(initial, room), ["while you were away"])
            const { until } = yield* batches
            assert.strictEqual(yield* until((_) => _.initial), initial)
            yield* alice.say(room, "now")
            const live = yield* until((_) => bodies(_, room).length > 0)
            assert.isFalse(live.initial)
            assert.deepStrictEqual(bodies(live, room), ["now"])
          })
        )
      }).pipe(withStore))

    it.effect("reads everything anew when the server does not know the cursor", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { room } = yield* roomWith(account)
        yield* asBot(
          account,
          Effect.gen(function*() {
            const batch = yield* started(SyncToken.make("nothing-of-yours"))
            assert.isUndefined(batch.since)
            assert.isDefined(yield* (yield* MatrixRooms).view(room))
          })
        )
      }).pipe(withStore))

    it.effect("brings all that came since a cursor that was given under another filter", () =>
      Effect.gen(function*() {
        const { otherDevice } = yield* World
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        // Of an older Homing, say, that asked for less.
        const filter = JSON.stringify({ room: { timeline: { types: ["m.other"], limit: 1 } } })
        const cursor = yield* (yield* otherDevice(account)).request("GET", "/_matrix/client/v3/sync", undefined, {
          filter
        })
          .pipe(Effect.flatMap(Schema.decodeUnknownEffect(Schema.Struct({ next_batch: SyncToken }))))
        const said = ["one", "two", "three"]
        for (const body of said) yield* alice.say(room, body)
        yield* asBot(
          account,
          Effect.gen(function*() {
            const batch = yield* started(cursor.next_batch)
            assert.deepStrictEqual(bodies(batch, room), said)
            assert.isDefined(yield* (yield* MatrixRooms).view(room))
          })
        )
      }).pipe(withStore))

    it.effect("ends the loop with the error of whoever takes the batches", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        yield* asBot(
          account,
          Effect.gen(function*() {
            yield* started()
            const error = yield* (yield* MatrixSync).loop(() => Effect.fail("the disk is full" as const)).pipe(
              Effect.flip
            )
            assert.strictEqual(error, "the disk is full")
            const again = yield* (yield* MatrixSync).loop(() => Effect.void).pipe(Effect.flip)
            assert.strictEqual(again._tag, "SyncStalled")
            yield* started()
          })
        )
      }).pipe(withStore))

    if (!options.onModel) return

    it.effect("sends no second sync while the gate is held, and then waits with the long poll", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const cursor = yield* asBot(account, started()).pipe(Effect.map((_) => _.nextBatch))
        const before = (yield* syncsOf(account)).length
        const asked = Effect.map(syncsOf(account), (_) => _.slice(before))
        yield* asBot(
          account,
          Effect.gen(function*() {
            const { nextBatch } = yield* started(cursor)
            const opened = yield* Deferred.make<void>()
            const ingested = yield* Deferred.make<void>()
            yield* (yield* MatrixSync).loop((batch) =>
              batch.initial
                ? Effect.andThen(Deferred.succeed(ingested, undefined), Deferred.await(opened))
                : Effect.void
            ).pipe(Effect.forkScoped)
            yield* Deferred.await(ingested)
            // Long enough for any loop that does not wait to be seen.
            yield* Effect.sleep("300 millis")
            const held = yield* asked
            assert.strictEqual(held.length, 1)
            assert.include(held[0]?.query, { since: cursor, timeout: "0", full_state: "true" })
            yield* Deferred.succeed(opened, undefined)
            const polls = yield* asked.pipe(
              Effect.repeat({
                until: (_: ReadonlyArray<unknown>) => _.length > 1,
                schedule: Schedule.spaced("20 millis")
              })
            )
            assert.include(polls[1]?.query, { since: nextBatch, timeout: "1000" })
            assert.notProperty(polls[1]?.query, "full_state")
          })
        )
      }).pipe(withStore))

    it.effect("asks for the full state again when the first sync fails", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const cursor = yield* asBot(account, started()).pipe(Effect.map((_) => _.nextBatch))
        const before = (yield* syncsOf(account)).length
        yield* (yield* ofModel).inject({
          user: account.userId,
          path: "/sync",
          effect: FaultEffect.Answer({ status: 502, body: {} })
        })
        yield* asBot(account, started(cursor), { startPatience: Duration.seconds(20) })
        const asked = (yield* syncsOf(account)).slice(before)
        assert.strictEqual(asked.length, 2)
        for (const { query } of asked) assert.include(query, { since: cursor, timeout: "0", full_state: "true" })
      }).pipe(withStore), 30_000)

    it.effect("loses nothing when the answer of a long poll is lost on the way", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        yield* asBot(
          account,
          Effect.gen(function*() {
            yield* started()
            yield* (yield* ofModel).inject({ user: account.userId, path: "/sync", effect: FaultEffect.LostAnswer() })
            const { until } = yield* batches
            yield* alice.say(room, "first")
            yield* alice.say(room, "second")
            const heard: Array<unknown> = []
            yield* until((batch) => {
              heard.push(...bodies(batch, room))
              return heard.includes("second")
            })
            assert.deepStrictEqual(heard.filter((_) => _ === "first" || _ === "second"), ["first", "second"])
          })
        )
      }).pipe(withStore), 30_000)

    it.effect("asks for nothing more once the loop has ended", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        yield* asBot(
          account,
          Effect.gen(function*() {
            yield* started()
            const before = (yield* syncsOf(account)).length
            yield* (yield* MatrixSync).loop(() => Effect.fail("the disk is full" as const)).pipe(Effect.flip)
            yield* Effect.sleep("300 millis")
            assert.strictEqual((yield* syncsOf(account)).length, before)
            yield* started()
            const { fiber, until } = yield* batches
            yield* until((_) => !_.initial)
            yield* Fiber.interrupt(fiber)
            const during = (yield* syncsOf(account)).length
            yield* Effect.sleep("1300 millis")
            assert.strictEqual((yield* syncsOf(account)).length, during)
          })
        )
      }).pipe(withStore))

    it.effect("notices a loop that gives no sign of life, and can begin again", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        yield* asBot(
          account,
          Effect.gen(function*() {
            const { nextBatch } = yield* started()
            yield* (yield* ofModel).inject({
              user: account.userId,
              path: "/sync",
              effect: FaultEffect.Stalled()
            })
            const stalled = yield* (yield* MatrixSync).loop(() => Effect.void).pipe(Effect.flip)
            assert.instanceOf(stalled, SyncStalled)
            assert.isAtLeast(stalled.silentFor, 1200)
            const { until } = yield* Effect.andThen(started(nextBatch), batches)
            yield* until((_) => _.initial)
            yield* until((_) => !_.initial)
          })
        )
      }).pipe(withStore, Effect.provideService(SilenceGrace, Duration.millis(200))), 15_000)

    it.effect("is not silent while an answer is taken in, however long that takes", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        yield* asBot(
          account,
          Effect.gen(function*() {
            yield* started()
            const error = yield* (yield* MatrixSync).loop((batch) =>
              // Longer than the long poll and the grace together.
              batch.initial ? Effect.sleep("1500 millis") : Effect.fail("the next answer came" as const)
            ).pipe(Effect.flip)
            assert.strictEqual(error, "the next answer came")
          })
        )
      }).pipe(withStore, Effect.provideService(SilenceGrace, Duration.millis(200))), 15_000)

    it.effect(
      "ends when the server forgets the cursor under way, and then reads everything anew",
      () =>
        Effect.gen(function*() {
          const account = yield* (yield* World).account("bot")
          const { alice, room } = yield* roomWith(account)
          yield* asBot(
            account,
            Effect.gen(function*() {
              const { nextBatch } = yield* started()
              yield* (yield* ofModel).inject({
                user: account.userId,
                path: "/sync",
                skip: 1,
                effect: FaultEffect.ForgottenPositions()
              })
              const ended = yield* (yield* MatrixSync).loop(() => Effect.void).pipe(Effect.flip)
              assert.instanceOf(ended, SyncStalled)
              assert.include(ended.message, "forgotten")
              yield* alice.say(room, "still there?")
              const again = yield* started(nextBatch)
              assert.isUndefined(again.since)
              assert.include(bodies(again, room), "still there?")
            })
          )
        }).pipe(withStore),
      15_000
    )

    it.effect(
      "gives up on a web page in the place of an answer when the patience is over",
      () =>
        Effect.gen(function*() {
          const account = yield* (yield* World).account("bot")
          yield* asBot(
            account,
            Effect.gen(function*() {
              yield* (yield* MatrixSession).authenticate
              yield* (yield* ofModel).inject({
                user: account.userId,
                path: "/sync",
                count: 1000,
                effect: FaultEffect.Html({ status: 200, html: "<html>Back soon</html>" })
              })
              const error = yield* Effect.flip((yield* MatrixSync).initialSync(undefined))
              assert.strictEqual(error._tag, "HomeserverUnreachable")
              assert.include(error.message, "something answers in its place")
              yield* (yield* ofModel).clearFaults
            }),
            { startPatience: Duration.millis(500) }
          )
        }).pipe(withStore),
      15_000
    )

    it.effect("ends when every answer of the loop is a refusal", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        yield* asBot(
          account,
          Effect.gen(function*() {
            yield* started()
            yield* (yield* ofModel).inject({
              user: account.userId,
              path: "/sync",
              count: 1000,
              effect: FaultEffect.Answer({ status: 403, body: { errcode: "M_FORBIDDEN", error: "Not today" } })
            })
            const ended = yield* (yield* MatrixSync).loop(() => Effect.void).pipe(Effect.flip)
            assert.instanceOf(ended, SyncStalled)
            yield* (yield* ofModel).clearFaults
          })
        )
      }).pipe(withStore, Effect.provideService(SilenceGrace, Duration.millis(500))), 15_000)

    it.effect("gives up on a homeserver that stops answering when the patience is over", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        yield* asBot(
          account,
          Effect.gen(function*() {
            yield* (yield* MatrixSession).authenticate
            yield* (yield* ofModel).inject({
              user: account.userId,
              path: "/sync",
              count: 1000,
              effect: FaultEffect.Reset()
            })
            const error = yield* Effect.flip((yield* MatrixSync).initialSync(undefined))
            assert.strictEqual(error._tag, "HomeserverUnreachable")
            assert.include(error.message, "HOMING_HOMESERVER_URL")
            yield* (yield* ofModel).clearFaults
          }),
          { startPatience: Duration.millis(500) }
        )
      }).pipe(withStore), 15_000)
  })
}
