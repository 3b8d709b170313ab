import { assert, layer } from "@effect/vitest"
import { Context, Effect, Schedule } from "effect"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { rateLimited, serverError } from "../../src/layers/Homeserver/Faults.ts"
import { Store } from "../../src/layers/Store.ts"
import { temporaryDirectory } from "../layers/Store/Samples.ts"
import { type SdkPerson, sdkPerson } from "./SdkPerson.ts"
import { keyedBot, Wire, wiredWorld } from "./Wire.ts"

const bots = ["clear", "restart", "waiting", "upgrade", "switch", "limited", "rejoins", "renewed", "hidden", "lost"]

const until = (condition: () => boolean) =>
  Effect.sync(condition).pipe(Effect.repeat({ until: (met) => met, schedule: Schedule.spaced("20 millis") }))

/** Until the bot has certainly been told what happened before. */
const twoSyncsOf = Effect.fnUntraced(function*(user: string) {
  const wire = yield* Wire
  const before = yield* wire.syncsOf(user)
  yield* wire.syncsOf(user).pipe(
    Effect.repeat({ until: (count) => count >= before + 2, schedule: Schedule.spaced("20 millis") })
  )
})

/** The homeserver takes nothing that this user says. */
const mute = Effect.fnUntraced(function*(user: string) {
  const { inject } = yield* Homeserver
  yield* inject({ user, method: "PUT", path: "/send/m.room.", count: 1_000_000, effect: serverError(503) })
})

const asked = Effect.fnUntraced(function*(person: SdkPerson, room: string, body: string) {
  const answer = yield* person.answerTo(room, yield* person.say(room, body))
  assert.strictEqual(answer.getContent()["body"], body)
  assert.isTrue(answer.isEncrypted())
})

layer(wiredWorld([...bots, "ann"]), { excludeTestServices: true })("an encrypted room hears nothing in clear", (it) => {
  const secretChat = Effect.fn("secretChat")(function*(name: string) {
    const bot = yield* keyedBot(name)
    const ann = yield* sdkPerson("ann", "password")
    const room = yield* ann.createRoom("Secret", bot.userId)
    yield* ann.greetingIn(room)
    yield* asked(ann, room, "before")
    return { bot, ann, room }
  })
  const nothingInClear = Effect.fnUntraced(function*(user: string, ...rooms: ReadonlyArray<string>) {
    const said = yield* (yield* Wire).saidInClearBy(user)
    assert.deepStrictEqual(said.filter((room) => rooms.includes(room)), [])
  })

  it.effect("when somebody writes in clear there, who is told so", () =>
    Effect.gen(function*() {
      const { ann, bot, room } = yield* secretChat("clear")
      yield* (yield* (yield* Homeserver).as("ann")).say(room, "for all to see")
      const words = () =>
        ann.said(room).find((event) => String(event.getContent()["body"]).startsWith("A message here was not"))
      yield* until(() => words() !== undefined)
      assert.isTrue(words()?.isEncrypted())
      yield* nothingInClear(bot.userId, room)
    }), 30_000)

  it.effect("right after a restart, of what waited in the outbox", () =>
    Effect.gen(function*() {
      const { ann, bot, room } = yield* secretChat("waiting")
      yield* mute(bot.userId)
      const question = yield* ann.say(room, "waits")
      yield* until(() => bot.log.some(({ event }) => event === "reply_delayed"))
      yield* bot.stop
      yield* (yield* Homeserver).clearFaults
      yield* keyedBot("waiting", { before: bot })
      assert.isTrue((yield* ann.answerTo(room, question)).isEncrypted())
      yield* nothingInClear(bot.userId, room)
    }).pipe(Effect.scoped), 30_000)

  it.effect("right after a restart, of what was asked meanwhile", () =>
    Effect.gen(function*() {
      const { ann, bot, room } = yield* secretChat("restart")
      yield* bot.stop
      const questions = yield* Effect.forEach(["one", "two", "three"], (body) => ann.say(room, body))
      yield* keyedBot("restart", { before: bot })
      for (const question of questions) assert.isTrue((yield* ann.answerTo(room, question)).isEncrypted())
      yield* nothingInClear(bot.userId, room)
    }).pipe(Effect.scoped), 30_000)

  it.effect("when the room is upgraded, the new one neither", () =>
    Effect.gen(function*() {
      const { ann, bot, room } = yield* secretChat("upgrade")
      const { replacement_room } = yield* Effect.promise(() => ann.client.upgradeRoom(room, "11"))
      yield* ann.sees(replacement_room, ann.userId)
      assert.isTrue(ann.client.getRoom(replacement_room)?.hasEncryptionStateEvent())
      yield* ann.invite(replacement_room, bot.userId)
      yield* ann.sees(replacement_room, bot.userId)
      yield* asked(ann, replacement_room, "after the move")
      yield* nothingInClear(bot.userId, room, replacement_room)
    }).pipe(Effect.scoped), 30_000)

  it.effect(
    "once the bot knows that encryption was switched on, not even what it has tried to say in clear before",
    () =>
      Effect.gen(function*() {
        const wire = yield* Wire
        const bot = yield* keyedBot("switch")
        const ann = yield* sdkPerson("ann", "password")
        const room = yield* ann.createRoom("Open", bot.userId, false)
        yield* ann.greetingIn(room)
        yield* mute(bot.userId)
        const question = yield* ann.say(room, "asked in clear")
        yield* until(() => bot.log.some(({ event }) => event === "reply_delayed"))
        yield* ann.encrypt(room)
        yield* twoSyncsOf(bot.userId)
        const tried = (yield* wire.saidInClearBy(bot.userId)).length
        yield* (yield* Homeserver).clearFaults
        assert.isTrue((yield* ann.answerTo(room, question)).isEncrypted())
        yield* asked(ann, room, "asked in secret")
        assert.lengthOf(yield* wire.saidInClearBy(bot.userId), tried)
      }).pipe(Effect.scoped),
    30_000
  )

  it.effect("when it was encrypted while the homeserver let the bot wait", () =>
    Effect.gen(function*() {
      const wire = yield* Wire
      const bot = yield* keyedBot("limited")
      const ann = yield* sdkPerson("ann", "password")
      const room = yield* ann.createRoom("Open", bot.userId, false)
      yield* ann.greetingIn(room)
      const { inject } = yield* Homeserver
      yield* inject({ user: bot.userId, method: "PUT", path: "/send/m.room.", effect: rateLimited(4_000) })
      const before = (yield* wire.saidInClearBy(bot.userId)).length
      const question = yield* ann.say(room, "asked in clear")
      yield* wire.saidInClearBy(bot.userId).pipe(
        Effect.repeat({ until: (said) => said.length > before, schedule: Schedule.spaced("20 millis") })
      )
      yield* ann.encrypt(room)
      yield* twoSyncsOf(bot.userId)
      assert.isTrue((yield* ann.answerTo(room, question)).isEncrypted())
      assert.lengthOf(yield* wire.saidInClearBy(bot.userId), before + 1)
    }).pipe(Effect.scoped), 30_000)

  it.effect(
    "when the bot comes back to it, and the homeserver conceals the encryption from then on",
    () =>
      Effect.gen(function*() {
        const wire = yield* Wire
        const bot = yield* keyedBot("rejoins")
        const ann = yield* sdkPerson("ann", "password")
        const room = yield* ann.createRoom("Open", bot.userId, false)
        yield* ann.greetingIn(room)
        yield* ann.answerTo(room, yield* ann.say(room, "asked in clear"))
        yield* ann.encrypt(room)
        yield* asked(ann, room, "asked in secret")
        const before = (yield* wire.saidInClearBy(bot.userId)).length
        yield* Effect.promise(() => ann.client.kick(room, bot.userId))
        yield* ann.sees(room, bot.userId, "leave")
        yield* wire.hideEncryptionFrom(bot.userId, true)
        yield* ann.invite(room, bot.userId)
        yield* ann.sees(room, bot.userId)
        yield* asked(ann, room, "are you back?")
        assert.lengthOf(yield* wire.saidInClearBy(bot.userId), before)
      }).pipe(Effect.scoped),
    30_000
  )

  it.effect("when the homeserver conceals the encryption from a new device of the bot", () =>
    Effect.gen(function*() {
      const wire = yield* Wire
      const { ann, bot, room } = yield* secretChat("renewed")
      yield* bot.stop
      yield* Context.get(bot.database, Store).session.forgetDevice
      yield* wire.hideEncryptionFrom(bot.userId, true)
      const fooled = yield* keyedBot("renewed", {
        before: { database: bot.database, dataDir: yield* temporaryDirectory }
      })
      yield* until(() => fooled.log.some(({ event }) => event === "device_not_verified" || event === "device_verified"))
      yield* ann.say(room, "out with it")
      yield* until(() =>
        fooled.log.some(({ event }) => /^(reply_delayed|message_answered|message_not_decrypted)$/.test(event))
      )
      yield* twoSyncsOf(bot.userId)
      yield* nothingInClear(bot.userId, room)
    }).pipe(Effect.scoped), 40_000)

  const syncs = [
    { name: "hidden", memory: "from its cursor", cursorIsKnown: true },
    { name: "lost", memory: "with a sync of everything", cursorIsKnown: false }
  ]
  for (const { cursorIsKnown, memory, name } of syncs) {
    it.effect(
      `when the homeserver conceals the encryption from a bot that starts again ${memory}`,
      () =>
        Effect.gen(function*() {
          const wire = yield* Wire
          const { ann, bot, room } = yield* secretChat(name)
          yield* bot.stop
          yield* wire.hideEncryptionFrom(bot.userId, true)
          const question = yield* ann.say(room, "out with it")
          // The person\'s client never comes back from that.
          if (!cursorIsKnown) yield* (yield* Homeserver).forgetPositions
          const fooled = yield* keyedBot(name, { before: bot })
          yield* until(() =>
            fooled.log.some(({ event }) => /^(reply_delayed|message_answered|message_not_decrypted)$/.test(event))
          )
          yield* twoSyncsOf(bot.userId)
          yield* nothingInClear(bot.userId, room)

          yield* fooled.stop
          yield* wire.hideEncryptionFrom(bot.userId, false)
          yield* keyedBot(name, { before: bot })
          if (cursorIsKnown) assert.isTrue((yield* ann.answerTo(room, question)).isEncrypted())
          yield* nothingInClear(bot.userId, room)
        }).pipe(Effect.scoped),
      40_000
    )
  }
})
