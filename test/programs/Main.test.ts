import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { Chat } from "../../src/domain/Chat.ts"
import { markerType } from "../../src/domain/Marker.ts"
import { ChatManager } from "../../src/layers/ChatManager.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Store } from "../../src/layers/Store.ts"
import { aChat, aDatabase, answerTo, bodyOf, botId, homeserver, startBot } from "./World.ts"

const syncs = Effect.gen(function*() {
  const requests = yield* (yield* Homeserver).requests
  return requests.filter(({ path, user }) => path.endsWith("/sync") && user === botId)
})

/** A chat manager whose reconciliation waits until it is let go. */
const heldChatManager = (held: Deferred.Deferred<void>, reached: Deferred.Deferred<void>) =>
  Layer.effect(
    ChatManager,
    Effect.map(ChatManager, (chats) =>
      ChatManager.of({
        ...chats,
        apply: (outcomes) =>
          Deferred.succeed(reached, undefined).pipe(
            Effect.andThen(Deferred.await(held)),
            Effect.andThen(chats.apply(outcomes))
          )
      }))
  ).pipe(Layer.provide(ChatManager.layer))

const whatMatters = (chats: ReadonlyArray<Chat>) =>
  chats.map(({ archived, binding, createdAt, id, owner, title }) => ({
    id,
    title,
    owner,
    archived,
    createdAt,
    room: binding?.roomId
  })).sort((a, b) => a.id < b.id ? -1 : 1)

describe("the main program", () => {
  it.effect("holds the loop until reconciliation has ended and was logged", () =>
    Effect.gen(function*() {
      const held = yield* Deferred.make<void>()
      const reached = yield* Deferred.make<void>()
      const bot = yield* startBot({ database: yield* aDatabase, chatManager: heldChatManager(held, reached) })
      yield* Deferred.await(reached)
      yield* TestClock.adjust("10 minutes")

      const requests = yield* (yield* Homeserver).requests
      const [login, ...rest] = requests.filter(({ path }) => !path.endsWith("/versions"))
      assert.match(login?.path ?? "", /\/login$/)
      const before = rest.filter(({ path }) => path.endsWith("/sync"))
      assert.strictEqual(before.length, 1, "one sync, and none while reconciliation was under way")
      assert.include(before[0]?.query, { timeout: "0", full_state: "true" })
      assert.notProperty(before[0]?.query, "since")
      assert.isUndefined(bot.log.find(({ event }) => event === "matrix_reconcile_complete"))

      yield* Deferred.succeed(held, undefined)
      yield* TestClock.adjust("1 second")
      assert.isDefined(bot.log.find(({ event }) => event === "matrix_reconcile_complete"))
      const [, second, ...others] = yield* syncs
      assert.strictEqual(second?.query["timeout"], "30000")
      assert.isString(second?.query["since"])
      assert.notProperty(second?.query, "full_state")
      assert.deepStrictEqual(others, [])
    }).pipe(Effect.provide(homeserver)))

  it.effect("logs the report with every field", () =>
    Effect.gen(function*() {
      const bot = yield* startBot({ database: yield* aDatabase })
      yield* TestClock.adjust("1 second")
      const line = bot.log.find(({ event }) => event === "matrix_reconcile_complete")
      assert.hasAllKeys(line?.data, [
        "scope",
        "startedAt",
        "durationMs",
        "rooms",
        "chats",
        "unchanged",
        "restored",
        "updated",
        "moved",
        "detached",
        "skipped",
        "conflicts",
        "reasons",
        "findings"
      ])
    }).pipe(Effect.provide(homeserver)))

  it.effect("asks from its cursor after a restart, and answers once what came while it was down", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const database = yield* aDatabase
      const first = yield* startBot({ database })
      const room = yield* aChat(alice)
      yield* answerTo(alice, room, yield* alice.say(room, "one"))
      yield* first.stop

      const missed = yield* alice.say(room, "two")
      const second = yield* startBot({ database })
      yield* answerTo(alice, room, missed)
      yield* answerTo(alice, room, yield* alice.say(room, "three"))
      yield* second.stop

      const said = (yield* alice.messages(room)).filter(({ sender, type }) =>
        sender === botId && type === "m.room.message"
      )
      assert.deepStrictEqual(said.slice(1).map(bodyOf), ["one", "two", "three"])
      const restarted = (yield* syncs).find(({ query }) =>
        query["full_state"] === "true" && query["since"] !== undefined
      )
      assert.isDefined(restarted, "the first sync of the second start has a since")
      const report = second.log.find(({ event }) => event === "matrix_reconcile_complete")
      assert.include(report?.data, { unchanged: 1, restored: 0, skipped: 0 })
    }).pipe(Effect.provide(homeserver)))

  it.effect("finds every chat again after its database was lost, and answers what came meanwhile", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      const first = yield* startBot({ database: yield* aDatabase })
      const tea = yield* aChat(alice, "Tea")
      const coffee = yield* aChat(alice, "Coffee")
      yield* answerTo(alice, tea, yield* alice.say(tea, "!rename Earl Grey"))
      yield* answerTo(alice, coffee, yield* alice.say(coffee, "!archive"))
      yield* answerTo(alice, tea, yield* alice.say(tea, "before"))
      const before = whatMatters(yield* first.chats)
      yield* first.stop

      const missed = yield* alice.say(tea, "meanwhile")
      const second = yield* startBot({ database: yield* aDatabase })
      yield* answerTo(alice, tea, missed)
      assert.deepStrictEqual(whatMatters(yield* second.chats), before)
      const report = second.log.find(({ event }) => event === "matrix_reconcile_complete")
      assert.include(report?.data, { restored: 2, skipped: 0, conflicts: 0 })

      const answers = (yield* alice.messages(tea)).filter(({ sender }) => sender === botId).map(bodyOf)
      assert.strictEqual(answers.filter((body) => body === "before").length, 1, "nothing is said twice")
      assert.strictEqual(answers.filter((body) => body === "meanwhile").length, 1)
    }).pipe(Effect.provide(homeserver)))

  it.effect("invents no chat when database and markers are lost: a diagnostic, and !register mends it", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const bot = yield* server.as("bot")
      const first = yield* startBot({ database: yield* aDatabase })
      const room = yield* aChat(alice)
      yield* first.stop
      yield* bot.setRoomAccountData(room, markerType, {})

      const second = yield* startBot({ database: yield* aDatabase })
      yield* TestClock.adjust("1 second")
      const report = second.log.find(({ event }) => event === "matrix_reconcile_complete")
      assert.deepInclude(report?.data, { skipped: 1, restored: 0, reasons: { "skipped.no_marker": 1 } })
      assert.deepStrictEqual(yield* second.chats, [])

      const diagnostic = yield* answerTo(alice, room, yield* alice.say(room, "hello?"))
      const warning = second.log.find(({ event }) => event === "message_not_handled")
      assert.include(warning?.data, { room, user: alice.userId })
      assert.include(bodyOf(diagnostic), String(warning?.data["code"]))
      assert.deepStrictEqual(warning?.data["repair"], { "skipped.no_marker": 1 })
      const refused = yield* answerTo(alice, room, yield* alice.say(room, "!rename Tea"))
      assert.include(bodyOf(refused), "!register")
      assert.deepStrictEqual(yield* second.chats, [])

      yield* answerTo(alice, room, yield* alice.say(room, "!register Tea again"))
      const answer = yield* answerTo(alice, room, yield* alice.say(room, "hello!"))
      assert.strictEqual(bodyOf(answer), "hello!")
      const marker = yield* bot.roomAccountData(room, markerType)
      assert.propertyVal(marker, "title", "Tea again")
    }).pipe(Effect.provide(homeserver)))

  it.effect("writes a missing marker again when the database still knows the chat", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const bot = yield* server.as("bot")
      const database = yield* aDatabase
      const first = yield* startBot({ database })
      const room = yield* aChat(alice)
      const marker = yield* bot.roomAccountData(room, markerType)
      yield* first.stop
      yield* bot.setRoomAccountData(room, markerType, {})

      const second = yield* startBot({ database })
      yield* answerTo(alice, room, yield* alice.say(room, "still there?"))
      yield* TestClock.adjust("1 second")
      const report = second.log.find(({ event }) => event === "matrix_reconcile_complete")
      assert.deepInclude(report?.data["reasons"], { "unchanged.marker_missing": 1 })
      assert.deepStrictEqual(yield* bot.roomAccountData(room, markerType), marker)
    }).pipe(Effect.provide(homeserver)))

  it.effect("keeps the local binding when two rooms claim one chat, and says so", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const bot = yield* server.as("bot")
      const database = yield* aDatabase
      const first = yield* startBot({ database })
      const tea = yield* aChat(alice, "Tea")
      const coffee = yield* aChat(alice, "Coffee")
      const before = yield* first.chats
      yield* first.stop
      const marker = yield* bot.roomAccountData(tea, markerType)
      if (typeof marker !== "object" || marker === null) return assert.fail("no marker")
      yield* bot.setRoomAccountData(coffee, markerType, { ...marker, room_id: coffee, revision: 7 })

      const second = yield* startBot({ database })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(whatMatters(yield* second.chats), whatMatters(before))
      const report = second.log.find(({ event }) => event === "matrix_reconcile_complete")
      assert.include(report?.data, { conflicts: 1 })
    }).pipe(Effect.provide(homeserver)))

  it.effect("detaches a chat when the bot is kicked, live and while it is down, and takes it up when it is asked back", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      const database = yield* aDatabase
      const first = yield* startBot({ database })
      const tea = yield* aChat(alice, "Tea")
      const coffee = yield* aChat(alice, "Coffee")
      const [before] = (yield* first.chats).filter(({ title }) => title === "Tea")
      yield* alice.kick(tea, botId)
      yield* TestClock.adjust("1 second")
      const titled = (chats: ReadonlyArray<Chat>, title: string) => chats.find((chat) => chat.title === title)
      assert.include(titled(yield* first.chats, "Tea"), { binding: null, detached: "kicked" })
      const finding = first.log.find(({ event }) => event === "matrix_reconcile_finding")
      assert.include(finding?.data, { outcome: "Detached", reason: "kicked", roomId: tea, chatId: before?.id })
      yield* first.stop
      yield* alice.ban(coffee, botId)

      const second = yield* startBot({ database })
      yield* TestClock.adjust("1 second")
      assert.include(titled(yield* second.chats, "Coffee"), { binding: null, detached: "banned" })

      yield* alice.invite(tea, botId)
      yield* alice.waitFor(tea, (event) => bodyOf(event).includes("goes on where it stopped"))
      assert.strictEqual(titled(yield* second.chats, "Tea")?.id, before?.id)
      yield* answerTo(alice, tea, yield* alice.say(tea, "back?"))
    }).pipe(Effect.provide(homeserver)))

  it.effect("follows a room that is upgraded, with the same chat", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      const bot = yield* startBot({ database: yield* aDatabase })
      const old = yield* aChat(alice, "Tea")
      const [before] = yield* bot.chats
      const successor = yield* alice.upgrade(old)
      yield* alice.invite(successor, botId)
      yield* alice.waitFor(successor, (event) => event.sender === botId && event.type === "m.room.message")
      const [after, ...others] = yield* bot.chats
      assert.deepStrictEqual(others, [])
      assert.strictEqual(after?.id, before?.id)
      assert.strictEqual(after?.binding?.roomId, successor)
      yield* answerTo(alice, successor, yield* alice.say(successor, "moved?"))
    }).pipe(Effect.provide(homeserver)))

  it.effect("signs in again as the same device after a soft logout", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const database = yield* aDatabase
      const bot = yield* startBot({ database })
      const room = yield* aChat(alice)
      const session = Context.get(database, Store).session
      const device = yield* session.deviceId
      yield* server.signOut("bot", { softLogout: true })
      const question = yield* alice.say(room, "still here?")
      yield* TestClock.adjust("10 seconds")
      yield* answerTo(alice, room, question)
      assert.strictEqual(yield* session.deviceId, device)
      assert.isDefined(bot.log.find(({ event }) => event === "sync_loop_restarted"))
    }).pipe(Effect.provide(homeserver)))

  it.effect("ends with an error that says what to do when its session is dead", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const bot = yield* startBot({ database: yield* aDatabase })
      yield* aChat(alice)
      yield* server.signOut("bot")
      yield* TestClock.adjust("1 minute")
      const error = yield* Effect.flip(Fiber.join(bot.fiber))
      assert.propertyVal(error, "_tag", "SessionEnded")
      assert.match(String(error), /homing sign-out/)
    }).pipe(Effect.provide(homeserver)))
})
