import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Chat } from "../../src/domain/Chat.ts"
import { markerType } from "../../src/domain/Marker.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect } from "../../src/layers/Homeserver/Faults.ts"
import { Store } from "../../src/layers/Store.ts"
import { aChat, aDatabase, answerTo, botId, homeserver, startBot } from "./World.ts"

/** A chat whose bot is down, and whose marker is gone from the server. */
const unmarkedChat = Effect.gen(function*() {
  const server = yield* Homeserver
  const alice = yield* server.as("alice")
  const account = yield* server.as("bot")
  const database = yield* aDatabase
  const bot = yield* startBot({ database })
  const room = yield* aChat(alice)
  yield* bot.stop
  yield* account.setRoomAccountData(room, markerType, {})
  return { server, alice, account, database, room }
})

/** The next writing of a marker takes twenty seconds until the server has carried it out. */
const slowMarker = Effect.flatMap(Homeserver, (server) =>
  server.inject({
    method: "PUT",
    path: `/account_data/${markerType}`,
    user: botId,
    effect: FaultEffect.Delay({ time: "20 seconds" })
  }))

const seconds = (count: number) => Effect.repeat(TestClock.adjust("1 second"), { times: count - 1 })

describe("markers that were left unwritten", () => {
  it.effect("never land on what a command wrote meanwhile", () =>
    Effect.gen(function*() {
      const { account, alice, database, room, server } = yield* unmarkedChat
      yield* slowMarker
      const before = (yield* server.requests).length
      yield* startBot({ database })
      yield* seconds(5)
      const question = yield* alice.say(room, "!rename Earl Grey")
      yield* seconds(30)
      yield* answerTo(alice, room, question)
      assert.deepInclude(yield* account.roomAccountData(room, markerType), { title: "Earl Grey", revision: 2 })
      const writes = (yield* server.requests).slice(before).filter(({ method, path }) =>
        method === "PUT" && path.includes(markerType)
      )
      assert.strictEqual(
        writes.length,
        2,
        "the open one, then the command's, and none that mends what stood there between"
      )
    }).pipe(Effect.provide(homeserver)))

  it.effect("are written no more once the bot was stopped", () =>
    Effect.gen(function*() {
      const { account, database, room } = yield* unmarkedChat
      yield* slowMarker
      const bot = yield* startBot({ database })
      yield* seconds(5)
      yield* bot.stop
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* account.roomAccountData(room, markerType), {})
    }).pipe(Effect.provide(homeserver)))

  it.effect("leave a marker alone that names another chat", () =>
    Effect.gen(function*() {
      const { account, database, room } = yield* unmarkedChat
      const chats = Context.get(database, Store).chats
      const [chat] = yield* chats.all
      if (chat === undefined) return assert.fail("no chat")
      yield* chats.put(new Chat({ ...chat, title: "Renamed before the crash", revision: 2 }))
      const rival = {
        version: 1,
        account: botId,
        chat_id: "another",
        room_id: room,
        owner: chat.owner,
        owner_name: "Alice",
        title: "Another",
        archived: false,
        revision: 1,
        created_at: 0,
        bound_at: 0
      }
      yield* account.setRoomAccountData(room, markerType, rival)
      const bot = yield* startBot({ database })
      yield* TestClock.adjust("1 minute")
      const report = bot.log.find(({ event }) => event === "matrix_reconcile_complete")
      assert.include(report?.data, { conflicts: 1 })
      assert.deepStrictEqual(yield* account.roomAccountData(room, markerType), rival)
    }).pipe(Effect.provide(homeserver)))
})
