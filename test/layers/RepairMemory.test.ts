import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { ReferenceCode, RoomId } from "../../src/domain/Ids.ts"
import { RepairMemory } from "../../src/layers/RepairMemory.ts"

const room = RoomId.make("!busy:hs")
const other = RoomId.make("!other:hs")
const code = (digit: number) => ReferenceCode.make(`0000000${digit}`)

describe("what is remembered of repairs", () => {
  it.effect("lets everybody who asks for a room wait for the one repair of it", () =>
    Effect.gen(function*() {
      const memory = yield* RepairMemory
      const held = yield* Deferred.make<void>()
      let repairs = 0
      const work = Effect.suspend(() => Effect.as(Deferred.await(held), { found: ++repairs }))
      const fibers = yield* Effect.forEach(
        [room, room, other, room],
        (one) => Effect.forkChild(memory.repair(one, work))
      )
      yield* TestClock.adjust("1 second")
      yield* Deferred.succeed(held, undefined)
      const found = yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(repairs, 2)
      assert.deepStrictEqual(found.map(({ found }) => found === found), [true, true, true, true])
      yield* memory.repair(room, work)
      assert.strictEqual(repairs, 3, "one that has ended is not shared")
    }).pipe(Effect.provide(RepairMemory.layer)))

  it.effect("repairs for those who wait when the one who did it is stopped", () =>
    Effect.gen(function*() {
      const memory = yield* RepairMemory
      const first = yield* Effect.forkChild(memory.repair(room, Effect.never))
      yield* TestClock.adjust("1 second")
      const second = yield* Effect.forkChild(memory.repair(room, Effect.succeed({ found: 1 })))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(first)
      assert.deepStrictEqual(yield* Fiber.join(second), { found: 1 })
    }).pipe(Effect.provide(RepairMemory.layer)))

  it.effect("waits 1 min, 2 min … 1 h after each that did not help, and begins anew after a quiet time", () =>
    Effect.gen(function*() {
      const memory = yield* RepairMemory
      for (const minutes of [1, 2, 4, 8, 16, 32, 60, 60]) {
        yield* memory.failed(room, code(1))
        yield* TestClock.adjust(minutes * 60_000 - 1)
        assert.strictEqual(yield* memory.standing(room), code(1))
        yield* TestClock.adjust(1)
        assert.isUndefined(yield* memory.standing(room))
      }
      yield* TestClock.adjust("1 hour")
      yield* memory.failed(room, code(1))
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(yield* memory.standing(room))
    }).pipe(Effect.provide(RepairMemory.layer)))

  it.effect("counts who asked in vain, keeps its pause when a command tries meanwhile, and forgets a room that changed", () =>
    Effect.gen(function*() {
      const memory = yield* RepairMemory
      assert.strictEqual(yield* memory.failed(room, code(1)), 0)
      for (let asked = 0; asked < 3; asked++) yield* memory.standing(room)
      yield* memory.failed(room, code(2))
      assert.strictEqual(yield* memory.standing(room), code(1))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* memory.failed(room, code(3)), 4)
      assert.strictEqual(yield* memory.standing(room), code(3))
      assert.isUndefined(yield* memory.standing(other))
      yield* memory.forget(room)
      assert.isUndefined(yield* memory.standing(room))
    }).pipe(Effect.provide(RepairMemory.layer)))
})
