import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import { markerType } from "../../src/domain/Marker.ts"
import { originType } from "../../src/domain/Origin.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect, rateLimited } from "../../src/layers/Homeserver/Faults.ts"
import { Store } from "../../src/layers/Store.ts"
import { inTime, joinedRooms, stateIn } from "./Provisioned.ts"
import { aChat, aDatabase, answerTo, bodyOf, botId, homeserver, startBot } from "./World.ts"

const aliceAndABot = Effect.gen(function*() {
  const server = yield* Homeserver
  const alice = yield* server.as("alice")
  yield* alice.setDisplayName("Alice")
  const database = yield* aDatabase
  const bot = yield* startBot({ database })
  const room = yield* aChat(alice, "Tea")
  const ask = (body: string) =>
    alice.say(room, body).pipe(Effect.flatMap((question) => answerTo(alice, room, question)), Effect.map(bodyOf))
  return { server, alice, account: yield* server.as("bot"), database, bot, room, ask }
})

/** A server whose syncs tell of a room while it is being made, and so not of its encryption. */
const withSlowEncryption = Effect.map(Homeserver, (server) =>
  Homeserver.of({
    ...server,
    handle: (request) =>
      Effect.map(
        server.handle(request),
        (answer) => request.path.endsWith("/sync") ? { ...answer, body: withoutEncryption(answer.body) } : answer
      )
  }))

const withoutEncryption = (body: unknown): unknown =>
  body === undefined
    ? undefined
    : JSON.parse(JSON.stringify(body, (_key, value: unknown) =>
      Array.isArray(value)
        ? value.filter((one: { readonly type?: unknown } | null) => one?.type !== "m.room.encryption")
        : value))

const linkIn = (text: string) => decodeURIComponent(/matrix\.to\/#\/([^?)]+)\?via=homing\.test/.exec(text)?.[1] ?? "")

describe("!new", () => {
  it.effect("makes a room that shows a new chat, invites who asked and says hello in it", () =>
    Effect.gen(function*() {
      const { account, alice, ask, bot } = yield* aliceAndABot
      const answer = yield* ask(`!new "Plans for the garden"`)
      assert.include(answer, "`Plans for the garden`")
      const room = linkIn(answer)
      yield* alice.join(room)
      const hello = yield* alice.waitFor(room, ({ sender, type }) => sender === botId && type === "m.room.message")
      assert.include(bodyOf(hello), "your chat `Plans for the garden`")
      assert.isUndefined(hello.content["m.relates_to"])
      assert.strictEqual(bodyOf(yield* answerTo(alice, room, yield* alice.say(room, "hi"))), "hi")

      const state = yield* stateIn(alice, room)
      assert.deepInclude(state("m.room.name"), { name: "Plans for the garden" })
      assert.include(String(state("m.room.topic")?.["topic"]), "!help")
      assert.isUndefined(state("m.room.encryption"))
      assert.deepInclude(state("m.room.power_levels"), { users: { [botId]: 100, [alice.userId]: 100 } })
      const [chat] = (yield* bot.chats).filter(({ binding }) => binding?.roomId === room)
      assert.include(chat, {
        title: "Plans for the garden",
        owner: alice.userId,
        ownerName: "Alice",
        markerRevision: 1
      })
      assert.deepInclude(yield* account.roomAccountData(room, markerType), { chat_id: chat?.id })
      assert.deepInclude(state("m.room.create")?.[originType], { chat_id: chat?.id, owner: alice.userId })
    }).pipe(Effect.provide(homeserver)))

  it.effect("is not taken for a chat that was found again, although a sync tells of its room before it is one", () =>
    Effect.gen(function*() {
      const { alice, bot, database, room, server } = yield* aliceAndABot
      yield* server.inject({ path: "/createRoom", user: botId, skip: 1, effect: FaultEffect.LostAnswer() })
      const question = yield* alice.say(room, "!new Plans")
      yield* inTime(answerTo(alice, room, question))
      assert.lengthOf(yield* bot.chats, 2)
      const reports = yield* Context.get(database, Store).reports.latest(10)
      assert.deepStrictEqual(reports.filter(({ restored }) => restored > 0), [])
    }).pipe(Effect.provide(homeserver)))

  it.effect("lists all chats of a person in one Space, and those of others in theirs", () =>
    Effect.gen(function*() {
      const { account, alice, ask, server } = yield* aliceAndABot
      const rooms = [linkIn(yield* ask("!new One")), linkIn(yield* ask("!new Two"))]
      const bob = yield* server.as("bob")
      const kitchen = yield* aChat(bob, "Kitchen")
      yield* answerTo(bob, kitchen, yield* bob.say(kitchen, "!new"))

      const spaces = (yield* joinedRooms(account)).filter(({ isSpace }) => isSpace)
      assert.strictEqual(spaces.length, 2)
      const [space] = spaces.filter(({ origin }) => origin?.owner === alice.userId)
      assert.isDefined(space)
      assert.sameMembers([...space.children], rooms)
      yield* alice.join(space.roomId)
      const state = yield* stateIn(alice, space.roomId)
      assert.deepInclude(state("m.space.child", rooms[0]), { via: ["homing.test"] })
      assert.include(String(state("m.room.name")?.["name"]), botId)
      assert.include(String(state("m.room.topic")?.["topic"]), "!new")
      yield* alice.join(rooms[1] ?? "")
      assert.deepInclude((yield* stateIn(alice, rooms[1] ?? ""))("m.space.parent", space.roomId), { canonical: true })
    }).pipe(Effect.provide(homeserver)))

  it.effect("without a title calls the chat by who asked", () =>
    Effect.gen(function*() {
      const { ask } = yield* aliceAndABot
      assert.include(yield* ask("!new"), "`Chat with Alice`")
    }).pipe(Effect.provide(homeserver)))

  it.effect("makes an encrypted room where the operator wants that, and leaves the Space readable", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      yield* startBot({ database: yield* aDatabase, settings: { encryptNewRooms: true } })
      const room = yield* aChat(alice)
      yield* answerTo(alice, room, yield* alice.say(room, "!new Secrets"))
      const made = (yield* joinedRooms(yield* server.as("bot"))).filter(({ origin }) => origin !== undefined)
      assert.deepStrictEqual(made.map(({ encrypted, isSpace }) => ({ encrypted, isSpace })).toSorted(), [
        { encrypted: false, isSpace: true },
        { encrypted: true, isSpace: false }
      ])
    }).pipe(Effect.provide(homeserver)))

  it.effect("says nothing in clear in an encrypted room although no sync has told of its encryption yet", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const [alice, account] = [yield* server.as("alice"), yield* server.as("bot")]
      const slow = yield* withSlowEncryption
      yield* startBot({ database: yield* aDatabase, settings: { encryptNewRooms: true } }).pipe(
        Effect.provideService(Homeserver, slow)
      )
      const tea = yield* aChat(alice, "Tea")
      yield* alice.say(tea, "!new Plans")
      yield* Effect.repeat(TestClock.adjust("1 second"), { times: 20 })
      const made = (yield* joinedRooms(account)).filter(({ encrypted }) => encrypted)
      assert.lengthOf(made, 1)
      const said = (yield* account.messages(made[0]?.roomId ?? "")).filter(({ type }) => type === "m.room.message")
      assert.deepStrictEqual(said, [])
    }).pipe(Effect.provide(homeserver)))

  it.effect("is not for somebody whom only the owner of a room lets in", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const guest = yield* server.as("guest")
      const bot = yield* startBot({ database: yield* aDatabase, settings: { allowedUsers: [alice.userId] } })
      const room = yield* aChat(alice)
      yield* answerTo(alice, room, yield* alice.say(room, "!set members room"))
      yield* alice.invite(room, guest.userId)
      yield* guest.join(room)
      const answer = yield* answerTo(guest, room, yield* guest.say(room, "!new Mine"))
      assert.include(bodyOf(answer), "my operator")
      assert.strictEqual((yield* bot.chats).length, 1)
    }).pipe(Effect.provide(homeserver)))

  it.effect("waits when the homeserver wants no new room yet", () =>
    Effect.gen(function*() {
      const { ask, server } = yield* aliceAndABot
      yield* server.inject({ path: "/createRoom", user: botId, count: 2, effect: rateLimited(20_000) })
      assert.include(yield* inTime(ask("!new Later")), "`Later`")
      const asked = (yield* server.requests).filter(({ path }) => path.endsWith("/createRoom"))
      assert.deepStrictEqual(asked.map(({ status }) => status), [429, 429, 200, 200])
      const times = asked.map(({ time }) => time)
      assert.isAtLeast((times[2] ?? 0) - (times[0] ?? 0), 40_000)
    }).pipe(Effect.provide(homeserver)))

  it.effect("says so when the homeserver lets the bot make no room", () =>
    Effect.gen(function*() {
      const { ask, bot, server } = yield* aliceAndABot
      yield* server.inject({
        path: "/createRoom",
        user: botId,
        effect: FaultEffect.Answer({ status: 403, body: { errcode: "M_FORBIDDEN", error: "You may not." } })
      })
      assert.include(yield* ask("!new Never"), "does not let me make this room: You may not.")
      assert.include(bot.log.map(({ event }) => event), "room_not_made")
    }).pipe(Effect.provide(homeserver)))

  it.effect("of two at once in two rooms makes two rooms and one Space", () =>
    Effect.gen(function*() {
      const { account, alice, bot, room, server } = yield* aliceAndABot
      const other = yield* aChat(alice, "Other")
      yield* server.inject({
        path: "/createRoom",
        user: botId,
        count: 4,
        effect: FaultEffect.Delay({ time: "5 seconds" })
      })
      const questions = [[room, yield* alice.say(room, "!new A")], [other, yield* alice.say(other, "!new B")]] as const
      for (const [where, question] of questions) yield* inTime(answerTo(alice, where, question))
      const made = (yield* joinedRooms(account)).filter(({ origin }) => origin !== undefined)
      assert.strictEqual(made.filter(({ isSpace }) => isSpace).length, 1)
      assert.strictEqual(made.length, 3)
      assert.strictEqual((yield* bot.chats).length, 4)
    }).pipe(Effect.provide(homeserver)))

  it.effect("in the Space itself makes no chat of it, nor does !register", () =>
    Effect.gen(function*() {
      const { account, alice, ask, bot } = yield* aliceAndABot
      yield* ask("!new One")
      const space = (yield* joinedRooms(account)).find(({ isSpace }) => isSpace)?.roomId ?? ""
      yield* alice.join(space)
      assert.include(bodyOf(yield* answerTo(alice, space, yield* alice.say(space, "!register Mine"))), "Space")
      assert.isUndefined((yield* bot.chats).find(({ binding }) => binding?.roomId === space))
    }).pipe(Effect.provide(homeserver)))
})
