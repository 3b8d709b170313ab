import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { markerType } from "../../src/domain/Marker.ts"
import { explain } from "../../src/domain/Reconciliation/Explain.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Store } from "../../src/layers/Store.ts"
import { aChat, aDatabase, answerTo, botId, homeserver, startBot } from "./World.ts"

/** What stands in the marker of the room Coffee, by the conflict that it makes. */
const rivals = [
  { reason: "one_room_two_chats", rival: { chat_id: "another" } },
  { reason: "owner_disagrees", rival: { owner: "@mallory:homing.test" } }
] as const

describe("the command that a finding names settles it:", () => {
  const settled = (
    prepare: Effect.Effect<string, unknown, Homeserver>,
    database: Effect.Success<typeof aDatabase>,
    reason: string
  ) =>
    Effect.gen(function*() {
      const room = yield* prepare
      const alice = yield* (yield* Homeserver).as("alice")
      const before = yield* startBot({ database })
      yield* TestClock.adjust("1 second")
      const [report] = yield* Effect.provide(Store.use(({ reports }) => reports.latest(1)), database)
      const finding = report?.findings.find(({ roomId }) => roomId === room)
      if (finding === undefined) return assert.fail("nothing was found")
      assert.strictEqual(finding.reason, reason)
      assert.match(explain(finding, (command) => `!${command}`).settledBy ?? "", /^type !register in that room/)

      yield* answerTo(alice, room, yield* alice.say(room, "!register"))
      yield* before.stop
      const after = yield* startBot({ database })
      yield* TestClock.adjust("1 second")
      const line = after.log.find(({ event }) => event === "matrix_reconcile_complete")
      assert.include(line?.data, { conflicts: 0, skipped: 0, unchanged: 2 })
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

  /** What stands in the marker of a room that shows no chat: `tea` is the marker of the chat elsewhere. */
  const claims: Readonly<Record<string, (tea: object, room: string) => Readonly<Record<string, unknown>>>> = {
    two_rooms_one_chat: (tea, room) => ({ ...tea, room_id: room }),
    owner_disagrees: (tea, room) => ({ ...tea, room_id: room, owner: "@mallory:homing.test" }),
    marker_of_another_account: (tea, room) => ({ ...tea, room_id: room, account: "@other:homing.test" }),
    marker_of_another_room: (tea) => ({ ...tea }),
    malformed_marker: (tea) => ({ ...tea, owner: 7 }),
    no_marker: () => ({})
  }

  for (const [reason, markerIn] of Object.entries(claims)) {
    it.effect(`${reason}, in a room that shows no chat`, () =>
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
          yield* account.setRoomAccountData(coffee, markerType, markerIn(Object.assign({}, marker), coffee))
          return coffee
        }).pipe(Effect.scoped)
        yield* settled(prepare, database, reason)
      }).pipe(Effect.provide(homeserver)))
  }
})
