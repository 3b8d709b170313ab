import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { makeGovernor, makeLanes, makeTurns } from "../../src/layers/Lanes.ts"

/** Queues by key, as a store would keep them. */
const backlog = (entries: ReadonlyArray<readonly [string, number]>) => {
  const queues = new Map<string, Array<number>>()
  for (const [key, item] of entries) queues.set(key, [...(queues.get(key) ?? []), item])
  return queues
}

describe("Lanes", () => {
  it.effect("work in order within a key and side by side between keys", () =>
    Effect.gen(function*() {
      const queues = backlog([["a", 1], ["a", 2], ["b", 10], ["a", 3], ["b", 11]])
      const done: Array<number> = []
      const blocked = yield* Deferred.make<void>()
      const lanes = yield* makeLanes({
        concurrency: 4,
        grace: "1 second",
        work: Effect.fnUntraced(function*(key: string) {
          const item = queues.get(key)?.shift()
          if (item === undefined) return "idle"
          if (item === 1) yield* Deferred.await(blocked)
          done.push(item)
          if (item === 3) yield* Deferred.succeed(finished, undefined)
          return "more"
        })
      })
      const finished = yield* Deferred.make<void>()
      yield* lanes.wake("a")
      yield* lanes.wake("b")
      yield* lanes.open
      yield* Effect.yieldNow
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(done, [10, 11], "b went on while a was blocked")
      yield* Deferred.succeed(blocked, undefined)
      yield* Deferred.await(finished)
      assert.deepStrictEqual(done, [10, 11, 1, 2, 3])
    }))

  it.effect("do nothing before they are opened, and forget no wake from before", () =>
    Effect.gen(function*() {
      let worked = 0
      const lanes = yield* makeLanes({
        concurrency: 1,
        grace: "1 second",
        work: () => Effect.sync(() => ++worked === 1 ? "more" as const : "idle" as const)
      })
      yield* lanes.wake("a")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(worked, 0)
      yield* lanes.open
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(worked, 2)
    }))

  it.effect("look once more when they are woken while they work", () =>
    Effect.gen(function*() {
      const looking = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      let looks = 0
      const lanes = yield* makeLanes({
        concurrency: 1,
        grace: "1 second",
        work: Effect.fnUntraced(function*(_key: string) {
          looks++
          if (looks > 1) return "idle" as const
          yield* Deferred.succeed(looking, undefined)
          yield* Deferred.await(goOn)
          return "idle" as const
        })
      })
      yield* lanes.open
      yield* lanes.wake("a")
      yield* Deferred.await(looking)
      yield* lanes.wake("a")
      yield* Deferred.succeed(goOn, undefined)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(looks, 2)
    }))

  it.effect("hold no permit while they wait, so that one key delays no other", () =>
    Effect.gen(function*() {
      const done: Array<string> = []
      let waited = false
      const lanes = yield* makeLanes({
        concurrency: 1,
        grace: "1 second",
        work: (key: string) =>
          Effect.sync(() => {
            if (key === "slow" && !waited) {
              waited = true
              return { waitMillis: 1_000 }
            }
            if (done.includes(key)) return "idle"
            done.push(key)
            return "more"
          })
      })
      yield* lanes.open
      yield* lanes.wake("slow")
      yield* lanes.wake("fast")
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(done, ["fast"])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(done, ["fast", "slow"])
    }))

  it.effect("never work on more pieces than they may", () =>
    Effect.gen(function*() {
      let running = 0
      let most = 0
      const seen = new Set<number>()
      const lanes = yield* makeLanes({
        concurrency: 3,
        grace: "1 second",
        work: Effect.fnUntraced(function*(key: number) {
          if (seen.has(key)) return "idle"
          seen.add(key)
          most = Math.max(most, ++running)
          yield* Effect.sleep("10 millis")
          running--
          return "more"
        })
      })
      yield* lanes.open
      yield* Effect.forEach(Array.from({ length: 20 }, (_, i) => i), lanes.wake)
      yield* TestClock.adjust("200 millis")
      assert.strictEqual(seen.size, 20)
      assert.strictEqual(most, 3)
    }))

  it.effect("work on one piece at a time of those that are to be alone, and beside them on the others", () =>
    Effect.gen(function*() {
      const done: Array<string> = []
      const lanes = yield* makeLanes({
        concurrency: 2,
        grace: "1 second",
        alone: (key: string) => key.startsWith("alone") && !done.includes(key),
        work: Effect.fnUntraced(function*(key: string) {
          if (done.includes(key)) return "idle"
          yield* Effect.sleep(key.startsWith("alone") ? "1 second" : "100 millis")
          done.push(key)
          return "more"
        })
      })
      yield* lanes.open
      yield* Effect.forEach(["alone 1", "alone 2", "alone 3", "a", "b"], lanes.wake)
      yield* TestClock.adjust("200 millis")
      assert.deepStrictEqual(done, ["a", "b"], "the second permit was left to them")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(done, ["a", "b", "alone 1"])
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(done, ["a", "b", "alone 1", "alone 2", "alone 3"])
    }))

  it.effect("report the first failure of the work", () =>
    Effect.gen(function*() {
      const lanes = yield* makeLanes({ concurrency: 1, grace: "1 second", work: () => Effect.fail("broken") })
      yield* lanes.open
      yield* lanes.wake("a")
      assert.strictEqual(yield* Effect.flip(lanes.failure), "broken")
    }))

  it.effect("report work that interrupts itself as a bug: only a stop ends in silence", () =>
    Effect.gen(function*() {
      const lanes = yield* makeLanes({ concurrency: 1, grace: "1 second", work: () => Effect.interrupt })
      yield* lanes.open
      yield* lanes.wake("a")
      const exit = yield* Effect.exit(lanes.failure)
      assert.isTrue(Exit.hasDies(exit))
    }))

  it.effect("report a lane that somebody else interrupts", () =>
    Effect.gen(function*() {
      const inLane = yield* Deferred.make<Fiber.Fiber<unknown, unknown>>()
      const lanes = yield* makeLanes({
        concurrency: 1,
        grace: "1 second",
        work: () => Effect.withFiber((lane) => Effect.andThen(Deferred.succeed(inLane, lane), Effect.never))
      })
      yield* lanes.open
      yield* lanes.wake("a")
      yield* Fiber.interrupt(yield* Deferred.await(inLane))
      const exit = yield* Effect.exit(lanes.failure)
      assert.isTrue(Exit.hasDies(exit))
    }))

  it.effect("let the pieces in hand finish when they close, and begin no other", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const begun: Array<string> = []
      const finished: Array<string> = []
      const lanes = yield* makeLanes({
        concurrency: 2,
        grace: "3 seconds",
        work: Effect.fnUntraced(function*(key: string) {
          begun.push(key)
          yield* Effect.sleep(key === "long" ? "2 seconds" : "1 second")
          finished.push(key)
          return "more" as const
        })
      }).pipe(Scope.provide(scope))
      yield* lanes.open
      yield* lanes.wake("long")
      yield* lanes.wake("short")
      yield* TestClock.adjust("500 millis")
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1500 millis")
      yield* Fiber.join(closing)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(begun, ["long", "short"])
      assert.deepStrictEqual(finished, ["short", "long"])
    }))

  it.effect("give up on a piece that does not finish within the grace", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      let interrupted = false
      const lanes = yield* makeLanes({
        concurrency: 1,
        grace: "3 seconds",
        work: (_key: string) => Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => (interrupted = true))))
      }).pipe(Scope.provide(scope))
      yield* lanes.open
      yield* lanes.wake("a")
      yield* TestClock.adjust("1 millis")
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("2999 millis")
      assert.isFalse(interrupted)
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(closing)
      assert.isTrue(interrupted)
    }))
})

describe("turns", () => {
  it.effect("come one after the other within a key, side by side between keys, also after one that fails", () =>
    Effect.gen(function*() {
      const turn = makeTurns<string>()
      const done: Array<string> = []
      const work = (name: string, millis: number) =>
        Effect.andThen(
          Effect.sleep(millis),
          Effect.suspend(() => name === "bad" ? Effect.fail(name) : Effect.sync(() => done.push(name)))
        )
      yield* Effect.forEach(
        [["a", "bad", 30], ["a", "second", 10], ["b", "other", 20], ["a", "third", 1]] as const,
        ([key, name, millis]) => Effect.forkChild(turn(key, work(name, millis)))
      )
      yield* TestClock.adjust("39 millis")
      assert.deepStrictEqual(done, ["other"])
      yield* TestClock.adjust("2 millis")
      assert.deepStrictEqual(done, ["other", "second", "third"])
    }))
})

describe("the governor", () => {
  it.effect("keeps the longest pause that anybody asked for", () =>
    Effect.gen(function*() {
      const governor = yield* makeGovernor
      assert.strictEqual(yield* governor.remaining, 0)
      yield* governor.pause(5_000)
      yield* governor.pause(1_000)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* governor.remaining, 3_000)
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(yield* governor.remaining, 0)
    }))

  it.effect("keeps it no longer when somebody puts the machine's clock back", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust("2 hours")
      const governor = yield* makeGovernor
      yield* governor.pause(5_000)
      yield* TestClock.setTime(3_600_000)
      assert.isAtMost(yield* governor.remaining, 5_000)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* governor.remaining, 0)
    }))
})
