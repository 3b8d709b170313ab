import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect, serverError } from "../../src/layers/Homeserver/Faults.ts"
import type { Person } from "../../src/layers/Homeserver/Person.ts"
import { Store } from "../../src/layers/Store.ts"
import { aChat, aDatabase, answerTo, botId, homeserver, startBot } from "./World.ts"

const encrypt = (person: Person, room: string) =>
  person.setState(room, "m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" })

/** What became of a message, once something did. */
const outcome = Effect.fnUntraced(function*(database: Context.Context<Store>, event: string) {
  const record = yield* Context.get(database, Store).inbox.find(event).pipe(
    Effect.tap(() => Effect.yieldNow),
    Effect.repeat({ until: (record) => record !== undefined && record.state !== "pending" })
  )
  return record?.reason ?? record?.state
})

/** One message before encryption is switched on, and one after. */
const twoSides = Effect.fnUntraced(function*(alice: Person, room: string) {
  const before = yield* alice.say(room, "!rename Before")
  yield* encrypt(alice, room)
  const after = yield* alice.say(room, "!rename After")
  return { before, after }
})

describe("a message in clear", () => {
  it.effect("is answered up to the moment when encryption is switched on, and not from then on", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      const database = yield* aDatabase
      const bot = yield* startBot({ database })
      const room = yield* aChat(alice)
      const { after, before } = yield* twoSides(alice, room)
      assert.strictEqual(yield* outcome(database, before), "answered")
      assert.strictEqual(yield* outcome(database, after), "not_encrypted")
      assert.deepStrictEqual((yield* bot.chats).map(({ title }) => title), ["Before"])
      const warnings = bot.log.filter(({ event }) => event === "message_not_trusted")
      assert.deepStrictEqual(warnings.map(({ data }) => data), [
        { room, user: alice.userId, event: after, reason: "not_encrypted" }
      ])
    }).pipe(Effect.provide(homeserver)))

  it.effect("is not passed over in silence: the room is told once, for the sake of somebody whom the bot may answer", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const [alice, mallory] = [yield* server.as("alice"), yield* server.as("mallory")]
      const database = yield* aDatabase
      yield* startBot({ database, settings: { allowedUsers: [alice.userId] } })
      const { outbox } = Context.get(database, Store)
      const room = yield* aChat(alice)
      yield* alice.invite(room, mallory.userId)
      yield* mallory.join(room)
      yield* encrypt(alice, room)
      assert.strictEqual(yield* outcome(database, yield* alice.say(room, "one")), "not_encrypted")
      assert.strictEqual(yield* outcome(database, yield* alice.say(room, "two")), "not_encrypted")
      const told = yield* outbox.answersTo(`in_clear.${room}`)
      assert.strictEqual(told.length, 1)
      assert.include(told[0]?.excerpt, "A message here was not encrypted")

      const other = yield* aChat(alice, "Other")
      yield* alice.invite(other, mallory.userId)
      yield* mallory.join(other)
      yield* encrypt(alice, other)
      assert.strictEqual(yield* outcome(database, yield* mallory.say(other, "one")), "not_encrypted")
      assert.deepStrictEqual(yield* outbox.answersTo(`in_clear.${other}`), [])
      assert.strictEqual(yield* outcome(database, yield* alice.say(other, "two")), "not_encrypted")
      assert.strictEqual((yield* outbox.answersTo(`in_clear.${other}`)).length, 1)
    }).pipe(Effect.provide(homeserver)))

  it.effect("is told from one before by what came while the bot was away, too", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      const database = yield* aDatabase
      const first = yield* startBot({ database })
      const room = yield* aChat(alice)
      yield* first.stop
      const { after, before } = yield* twoSides(alice, room)
      const second = yield* startBot({ database })
      assert.strictEqual(yield* outcome(database, before), "answered")
      assert.strictEqual(yield* outcome(database, after), "not_encrypted")
      assert.deepStrictEqual((yield* second.chats).map(({ title }) => title), ["Before"])
    }).pipe(Effect.provide(homeserver)))

  it.effect("is told from one before in what the server left out and the bot caught up with", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const database = yield* aDatabase
      const first = yield* startBot({ database })
      const room = yield* aChat(alice)
      yield* first.stop
      const { after, before } = yield* twoSides(alice, room)
      const last = yield* alice.say(room, "!rename Last")
      yield* server.inject({ user: botId, path: "/sync", effect: FaultEffect.Gap() })
      yield* startBot({ database })
      assert.strictEqual(yield* outcome(database, before), "answered")
      assert.strictEqual(yield* outcome(database, after), "not_encrypted")
      assert.strictEqual(yield* outcome(database, last), "not_encrypted")
    }).pipe(Effect.provide(homeserver)))

  it.effect("is told from one before in a room that is held because its history cannot be fetched", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const database = yield* aDatabase
      const store = Context.get(database, Store)
      const first = yield* startBot({ database })
      const room = yield* aChat(alice)
      yield* first.stop
      yield* server.inject({ path: "/messages", user: botId, count: 1_000_000, effect: serverError(500) })
      yield* server.inject({ user: botId, path: "/sync", effect: FaultEffect.Gap() })
      const { after, before } = yield* twoSides(alice, room)
      yield* startBot({ database })
      yield* TestClock.adjust("1 minute")
      assert.deepInclude((yield* store.inbox.heldRooms)[0], { roomId: room, wasEncrypted: false })
      assert.deepStrictEqual([...(yield* store.encryptedRooms([room]))], [room])
      // From now on no answer tells that the room is encrypted.
      yield* server.clearFaults
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* outcome(database, before), "answered")
      assert.strictEqual(yield* outcome(database, after), "not_encrypted")

      // Encrypted before it was held: to switch it on once more says nothing.
      yield* server.inject({ path: "/messages", user: botId, count: 1_000_000, effect: serverError(500) })
      yield* server.inject({ user: botId, path: "/sync", effect: FaultEffect.Gap() })
      const again = yield* twoSides(alice, room)
      yield* TestClock.adjust("1 minute")
      yield* server.clearFaults
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* outcome(database, again.before), "not_encrypted")
    }).pipe(Effect.provide(homeserver)))

  it.effect("is told from one before by a bot whose database was lost", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      const first = yield* startBot({ database: yield* aDatabase })
      const room = yield* aChat(alice)
      yield* answerTo(alice, room, yield* alice.say(room, "one"))
      yield* first.stop
      const { after, before } = yield* twoSides(alice, room)
      const database = yield* aDatabase
      yield* startBot({ database })
      assert.strictEqual(yield* outcome(database, before), "answered")
      assert.strictEqual(yield* outcome(database, after), "not_encrypted")
    }).pipe(Effect.provide(homeserver)))
})
