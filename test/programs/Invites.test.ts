import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { UserId } from "../../src/domain/Ids.ts"
import { markerType } from "../../src/domain/Marker.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import type { Person } from "../../src/layers/Homeserver/Person.ts"
import { inTime, stateIn } from "./Provisioned.ts"
import { aChat, aDatabase, answerTo, bodyOf, botId, homeserver, startBot } from "./World.ts"

const seconds = (count: number) => inTime(Effect.sleep(`${count} seconds`))

const aliceAlone = { allowedUsers: [UserId.make("@alice:homing.test")] }
const directPath = `/_matrix/client/v3/user/${encodeURIComponent(botId)}/account_data/m.direct`
const directOf = (account: Person) => account.request("GET", directPath)

/** How the bot stands to a room: `invite`, `leave`, … */
const membershipIn = (person: Person, room: string) =>
  Effect.map(stateIn(person, room), (state) => state("m.room.member", botId)?.["membership"])

describe("invites of somebody who is not allowed", () => {
  it.effect("are declined until there are too many of them: then they are left open, and told once", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const mallory = yield* server.as("mallory")
      const bot = yield* startBot({ database: yield* aDatabase, settings: aliceAlone })
      const rooms = yield* Effect.forEach(Array.from({ length: 6 }), () => mallory.createRoom({ invite: [botId] }))
      yield* seconds(10)
      const memberships = yield* Effect.forEach(rooms, (room) => membershipIn(mallory, room))
      assert.deepStrictEqual(memberships.toSorted(), ["invite", "invite", "invite", "leave", "leave", "leave"])
      assert.lengthOf(bot.log.filter(({ event }) => event === "invites_left_open"), 1)
      const trudy = yield* server.as("trudy")
      const room = yield* trudy.createRoom({ invite: [botId] })
      yield* seconds(10)
      assert.strictEqual(yield* membershipIn(trudy, room), "leave", "others have a limit of their own")
    }).pipe(Effect.provide(homeserver)))

  it.effect("that came while the bot was down are declined when it starts", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const mallory = yield* server.as("mallory")
      const database = yield* aDatabase
      const bot = yield* startBot({ database, settings: aliceAlone })
      yield* seconds(1)
      yield* bot.stop
      const room = yield* mallory.createRoom({ invite: [botId] })
      yield* startBot({ database, settings: aliceAlone })
      yield* seconds(10)
      assert.strictEqual(yield* membershipIn(mallory, room), "leave")
    }).pipe(Effect.provide(homeserver)))
})

describe("an invite", () => {
  it.effect("into a direct chat is listed as one with who invited, beside what stands there, until the bot is sent away", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const [alice, account] = [yield* server.as("alice"), yield* server.as("bot")]
      const others = { "@bob:homing.test": ["!old:homing.test"], "@odd:homing.test": 7 }
      yield* account.request("PUT", directPath, others)
      yield* startBot({ database: yield* aDatabase })
      const room = yield* alice.createRoom({ isDirect: true, invite: [botId] })
      yield* alice.waitFor(room, ({ sender, type }) => sender === botId && type === "m.room.message")
      assert.deepStrictEqual(yield* directOf(account), { ...others, [alice.userId]: [room] })
      yield* aChat(alice, "A group")
      assert.deepStrictEqual(yield* directOf(account), { ...others, [alice.userId]: [room] })
      yield* alice.kick(room, botId)
      yield* seconds(10)
      assert.deepStrictEqual(yield* directOf(account), others)
    }).pipe(Effect.provide(homeserver)))

  it.effect("back into the last room of a chat goes on with it, also where the marker is gone", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const [alice, account] = [yield* server.as("alice"), yield* server.as("bot")]
      const bot = yield* startBot({ database: yield* aDatabase })
      const room = yield* aChat(alice, "Tea")
      const [before] = yield* bot.chats
      yield* alice.kick(room, botId)
      yield* seconds(3)
      yield* account.setRoomAccountData(room, markerType, {})
      yield* alice.invite(room, botId)
      yield* seconds(10)
      assert.deepStrictEqual((yield* bot.chats).map(({ binding, id }) => [binding?.roomId, id]), [[room, before?.id]])
      assert.deepInclude(yield* account.roomAccountData(room, markerType), { chat_id: before?.id })
    }).pipe(Effect.provide(homeserver)))

  it.effect("reads the room once", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      yield* startBot({ database: yield* aDatabase })
      const room = yield* aChat(yield* server.as("alice"))
      const reads = (yield* server.requests).filter(({ method, path, user }) =>
        method === "GET" && user === botId && path.endsWith(`/rooms/${encodeURIComponent(room)}/state`)
      )
      assert.lengthOf(reads, 1)
    }).pipe(Effect.provide(homeserver)))

  it.effect("into a room that replaces one with a chat waits for the tombstone, so that the chat comes along", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const bot = yield* startBot({ database: yield* aDatabase })
      const tea = yield* aChat(alice, "Tea")
      const [before] = yield* bot.chats
      const replacing = (room: string) =>
        Effect.map(
          alice.request("POST", "/_matrix/client/v3/createRoom", {
            name: "Tea",
            invite: [botId],
            creation_content: { predecessor: { room_id: room, event_id: "$last" } }
          }),
          (body) => typeof body === "object" && body !== null && "room_id" in body ? String(body.room_id) : ""
        )
      const successor = yield* replacing(tea)
      yield* seconds(3)
      assert.lengthOf(yield* bot.chats, 1)
      yield* alice.setState(tea, "m.room.tombstone", { body: "moved", replacement_room: successor })
      yield* seconds(10)
      assert.deepStrictEqual((yield* bot.chats).map(({ binding, id }) => [binding?.roomId, id]), [[
        successor,
        before?.id
      ]])

      // A room that only says so gets a chat of its own after a while.
      const pretender = yield* replacing(successor)
      yield* seconds(30)
      const answer = yield* answerTo(alice, pretender, yield* alice.say(pretender, "hello"))
      assert.strictEqual(bodyOf(answer), "hello")
      assert.lengthOf(yield* bot.chats, 2)
    }).pipe(Effect.provide(homeserver)))
})
