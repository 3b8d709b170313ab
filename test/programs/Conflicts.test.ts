import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { markerType } from "../../src/domain/Marker.ts"
import type { Outcome } from "../../src/domain/Reconciliation.ts"
import { explain } from "../../src/domain/Reconciliation/Explain.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Store } from "../../src/layers/Store.ts"
import { aChat, aDatabase, answerTo, botId, homeserver, startBot } from "./World.ts"

/** What stands in the marker of the room Coffee, by the conflict that it makes. */
const rivals = [
  { reason: "one_room_two_chats", rival: { chat_id: "another" } },
  { reason: "owner_disagrees", rival: { owner: "@mallory:homing.test" } }
] as const

describe("the command that a finding names settles the conflict", () => {
  const settled = (
    prepare: Effect.Effect<string, unknown, Homeserver>,
    database: Effect.Success<typeof aDatabase>,
    reason: Outcome["reason"]
  ) =>
    Effect.gen(function*() {
      const room = yield* prepare
      const alice = yield* (yield* Homeserver).as("alice")
      const before = yield* startBot({ database })
      yield* TestClock.adjust("1 second")
      const [report] = yield* Effect.provide(Store.use(({ reports }) => reports.latest(1)), database)
      const conflict = report?.findings.find(({ _tag }) => _tag === "Conflict")
      if (conflict === undefined) return assert.fail("no conflict")
      assert.deepStrictEqual([String(conflict.roomId), conflict.reason], [room, reason])
      assert.match(explain(conflict, (command) => `!${command}`).settledBy ?? "", /^type !register in that room/)

      yield* answerTo(alice, room, yield* alice.say(room, "!register"))
      yield* before.stop
      const after = yield* startBot({ database })
      yield* TestClock.adjust("1 second")
      const line = after.log.find(({ event }) => event === "matrix_reconcile_complete")
      assert.include(line?.data, { conflicts: 0, unchanged: 2 })
    })

  for (const { reason, rival } of rivals) {
    it.effect(reason, () =>
      Effect.gen(function*() {
        const database = yield* aDatabase
        const prepare = Effect.gen(function*() {
          const server = yield* Homeserver
          const [alice, account] = [yield* server.as("alice"), yield* server.as("bot")]
          const bot = yield* startBot({ database })
          yield* aChat(alice, "Tea")
          const coffee = yield* aChat(alice, "Coffee")
          yield* bot.stop
          const marker = yield* account.roomAccountData(coffee, markerType)
          yield* account.setRoomAccountData(coffee, markerType, Object.assign({}, marker, rival))
          return coffee
        }).pipe(Effect.scoped)
        yield* settled(prepare, database, reason)
      }).pipe(Effect.provide(homeserver)))
  }

  it.effect("two_rooms_one_chat", () =>
    Effect.gen(function*() {
      const database = yield* aDatabase
      const prepare = Effect.gen(function*() {
        const server = yield* Homeserver
        const [alice, account] = [yield* server.as("alice"), yield* server.as("bot")]
        const bot = yield* startBot({ database })
        const tea = yield* aChat(alice, "Tea")
        yield* bot.stop
        const coffee = yield* alice.createRoom({ name: "Coffee", invite: [botId] })
        yield* account.join(coffee)
        const marker = yield* account.roomAccountData(tea, markerType)
        yield* account.setRoomAccountData(coffee, markerType, Object.assign({}, marker, { room_id: coffee }))
        return coffee
      }).pipe(Effect.scoped)
      yield* settled(prepare, database, "two_rooms_one_chat")
    }).pipe(Effect.provide(homeserver)))
})
