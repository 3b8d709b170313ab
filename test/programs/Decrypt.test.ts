import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { lockedInCompanyText, referenceCodeOf } from "../../src/domain/Diagnostic.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import type { Person } from "../../src/layers/Homeserver/Person.ts"
import * as MatrixClient from "../../src/layers/MatrixClient.ts"
import { Store } from "../../src/layers/Store.ts"
import { checkStore } from "../../src/programs/Doctor/DataChecks.ts"
import { aChat, aDatabase, answerTo, bodyOf, botId, homeserver, repliedTo, startBot } from "./World.ts"

const sealed = (ciphertext: string) => ({
  algorithm: "m.megolm.v1.aes-sha2",
  ciphertext,
  session_id: "s",
  device_id: "D"
})

describe("encrypted messages that cannot be read", () => {
  it.effect(
    "make the bot unready when there are several and no other, and are counted in !status",
    () =>
      Effect.gen(function*() {
        const alice = yield* (yield* Homeserver).as("alice")
        const bot = yield* startBot({ database: yield* aDatabase })
        const room = yield* aChat(alice)
        assert.isUndefined(yield* bot.whyNotReady)
        for (const ciphertext of ["b25l", "dHdv"]) {
          yield* alice.send(room, "m.room.encrypted", sealed(ciphertext))
          yield* Effect.repeat(TestClock.adjust("1 second"), { times: 25 })
        }
        assert.isUndefined(yield* bot.whyNotReady)
        yield* alice.send(room, "m.room.encrypted", sealed("dGhyZWU"))
        yield* Effect.repeat(TestClock.adjust("1 second"), { times: 25 })
        assert.include(yield* bot.whyNotReady, "3 of the last 3 encrypted messages could not be decrypted")
        const status = yield* answerTo(alice, room, yield* alice.say(room, "!status"))
        assert.include(bodyOf(status), "0 encrypted messages read since the start, 3 that could not be")
      }).pipe(Effect.provide(homeserver)),
    20_000
  )

  /** A message that waits for its key, until the bot waits no longer. */
  const lockedMessage = Effect.fnUntraced(function*(person: Person, room: string, ciphertext: string) {
    yield* person.send(room, "m.room.encrypted", { ...sealed(ciphertext), session_id: ciphertext })
    yield* Effect.repeat(TestClock.adjust("1 second"), { times: 25 })
  })
  const company = Effect.fnUntraced(function*(alice: Person) {
    const bob = yield* (yield* Homeserver).as("bob")
    const room = yield* aChat(alice)
    yield* alice.invite(room, bob.userId)
    yield* bob.join(room)
    return { bob, room }
  })
  const notices = (alice: Person, room: string) =>
    Effect.map(
      alice.messages(room),
      (events) =>
        events.filter((event) => event.sender === botId && bodyOf(event).startsWith("I cannot read")).map(bodyOf)
    )

  it.effect(
    "are tried again by the client that comes after a lost session, which may have what the one before it waited for",
    () =>
      Effect.gen(function*() {
        const server = yield* Homeserver
        const alice = yield* server.as("alice")
        const bot = yield* startBot({ database: yield* aDatabase })
        const room = yield* aChat(alice)
        yield* lockedMessage(alice, room, "b25l")
        const tried = () => bot.log.filter(({ event }) => event === "message_not_decrypted").length
        assert.strictEqual(tried(), 1)
        yield* server.signOut("bot", { softLogout: true })
        yield* Effect.repeat(TestClock.adjust("1 second"), { times: 20 })
        assert.strictEqual(tried(), 2)
      }).pipe(Effect.provide(homeserver)),
    20_000
  )

  it.effect(
    "are told to a larger room once, when there are several, also across a restart",
    () =>
      Effect.gen(function*() {
        const alice = yield* (yield* Homeserver).as("alice")
        const database = yield* aDatabase
        const bot = yield* startBot({ database })
        const { bob, room } = yield* company(alice)
        yield* lockedMessage(alice, room, "b25l")
        yield* lockedMessage(bob, room, "dHdv")
        assert.deepStrictEqual(yield* notices(alice, room), [])
        yield* bot.stop
        yield* startBot({ database })
        yield* Effect.repeat(TestClock.adjust("1 second"), { times: 25 })
        assert.deepStrictEqual(yield* notices(alice, room), [])
        for (const ciphertext of ["dGhyZWU", "Zm91cg", "Zml2ZQ"]) yield* lockedMessage(bob, room, ciphertext)
        assert.deepStrictEqual(yield* notices(alice, room), [lockedInCompanyText])
      }).pipe(Effect.provide(homeserver)),
    20_000
  )

  it.effect(
    "are not told to a larger room of those whom the bot would not answer",
    () =>
      Effect.gen(function*() {
        const alice = yield* (yield* Homeserver).as("alice")
        yield* startBot({ database: yield* aDatabase, settings: { allowedUsers: [alice.userId] } })
        const { bob, room } = yield* company(alice)
        for (const ciphertext of ["b25l", "dHdv", "dGhyZWU", "Zm91cg"]) yield* lockedMessage(bob, room, ciphertext)
        assert.deepStrictEqual(yield* notices(alice, room), [])
        yield* lockedMessage(alice, room, "Zml2ZQ")
        assert.deepStrictEqual(yield* notices(alice, room), [lockedInCompanyText])
      }).pipe(Effect.provide(homeserver)),
    20_000
  )

  const heardAs = (person: Person, room: string, question: string) =>
    Effect.map(person.messages(room), (events) => events.some((event) => repliedTo(event) === question))
  const toTheBot = { "m.mentions": { user_ids: [botId] } }

  it.effect("hold up nobody, when they are of somebody whom the bot does not answer", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      yield* startBot({ database: yield* aDatabase, settings: { allowedUsers: [alice.userId] } })
      const { bob, room } = yield* company(alice)
      for (const session_id of ["b25l", "dHdv", "dGhyZWU"]) {
        yield* bob.send(room, "m.room.encrypted", { ...sealed(session_id), session_id })
      }
      const question = yield* alice.say(room, "hello", toTheBot)
      yield* Effect.repeat(TestClock.adjust("1 second"), { times: 5 })
      assert.isTrue(yield* heardAs(alice, room, question))
    }).pipe(Effect.provide(homeserver)))

  it.effect("wait for their keys together", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      yield* startBot({ database: yield* aDatabase })
      const room = yield* aChat(alice)
      for (const session_id of ["b25l", "dHdv", "dGhyZWU"]) {
        yield* alice.send(room, "m.room.encrypted", { ...sealed(session_id), session_id })
      }
      const question = yield* alice.say(room, "hello", toTheBot)
      yield* Effect.repeat(TestClock.adjust("1 second"), { times: 15 })
      assert.isFalse(yield* heardAs(alice, room, question))
      yield* Effect.repeat(TestClock.adjust("1 second"), { times: 10 })
      assert.isTrue(yield* heardAs(alice, room, question))
    }).pipe(Effect.provide(homeserver)))

  it.effect("bring to light a bug: they are settled as failed, for the operator, and the bot goes on", () =>
    Effect.gen(function*() {
      const alice = yield* (yield* Homeserver).as("alice")
      const database = yield* aDatabase
      const broken = Layer.effect(
        MatrixClient.MatrixCrypto,
        Effect.map(
          MatrixClient.MatrixCrypto,
          (crypto) => ({ ...crypto, decrypt: () => Effect.die(new Error("a bug")) })
        )
      )
      const client = Layer.provideMerge(broken, MatrixClient.layerMemory).pipe(
        Layer.provide(Layer.succeed(Homeserver, yield* Homeserver))
      )
      const bot = yield* startBot({ database, client })
      const room = yield* aChat(alice)
      const poison = yield* alice.send(room, "m.room.encrypted", sealed("a"))
      const question = yield* alice.say(room, "hello")
      yield* TestClock.adjust("2 seconds")
      assert.isTrue(yield* heardAs(alice, room, question))
      assert.deepInclude(yield* Context.get(database, Store).inbox.find(poison), {
        state: "failed",
        code: referenceCodeOf(poison)
      })
      assert.isTrue(bot.log.some(({ data, event }) => event === "message_not_opened" && data["user"] === alice.userId))
    }).pipe(Effect.provide(homeserver)))

  it.effect(
    "are told by homing doctor, also of a bot that cannot be asked",
    () =>
      Effect.gen(function*() {
        const alice = yield* (yield* Homeserver).as("alice")
        const database = yield* aDatabase
        const bot = yield* startBot({ database })
        const room = yield* aChat(alice)
        const found = checkStore(undefined).pipe(
          Effect.map((checks) => checks.find(({ name }) => name === "decryption")),
          Effect.provide(database)
        )
        assert.isUndefined(yield* found)
        for (const ciphertext of ["b25l", "dHdv"]) yield* lockedMessage(alice, room, ciphertext)
        assert.deepInclude(yield* found, { verdict: "ok", finding: "0 of the last 2 encrypted messages were read." })
        yield* lockedMessage(alice, room, "dGhyZWU")
        yield* bot.stop
        const finding = "3 of the last 3 encrypted messages could not be decrypted."
        assert.deepInclude(yield* found, { verdict: "warn", finding })
      }).pipe(Effect.provide(homeserver)),
    20_000
  )
})
