import { assert, layer } from "@effect/vitest"
import { Context, Effect } from "effect"
import type { IgnoreReason } from "../../src/domain/Policy.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Store } from "../../src/layers/Store.ts"
import { type SdkPerson, sdkPerson } from "./SdkPerson.ts"
import { keyedBot, wiredWorld } from "./Wire.ts"

/** What a homeserver does in the name of somebody: it needs no key for that. */
const inTheNameOf = (name: string) => Effect.flatMap(Homeserver, (homeserver) => homeserver.as(name))

layer(wiredWorld(["bot1", "bot2", "bot3", "ann", "bea"]), { excludeTestServices: true })(
  "what a homeserver writes in the name of people",
  (it) => {
    type KeyedBot = Effect.Success<ReturnType<typeof keyedBot>>

    const titles = (bot: KeyedBot) => Effect.map(bot.chats, (chats) => chats.map(({ title }) => title))
    const warnings = (bot: KeyedBot, reason: IgnoreReason) =>
      bot.log.filter(({ data, event }) => event === "message_not_trusted" && data["reason"] === reason)

    /** Why an event was not answered, when one that came after it was. */
    const reasonOf = Effect.fnUntraced(function*(bot: KeyedBot, ann: SdkPerson, room: string, event: string) {
      yield* ann.answerTo(room, yield* ann.say(room, "Still there?"))
      return (yield* Context.get(bot.database, Store).inbox.find(event))?.reason
    })
    const sealedEvent = Effect.fnUntraced(function*(name: string, room: string, id: string) {
      const found = (yield* (yield* inTheNameOf(name)).messages(room)).find(({ event_id }) => event_id === id)
      return found ?? assert.fail("the event is not in the room")
    })

    it.effect(
      "in clear is not carried out in an encrypted room, also after a restart; the operator is told once",
      () =>
        Effect.gen(function*() {
          const bot = yield* keyedBot("bot1")
          const ann = yield* sdkPerson("ann", "password")
          const room = yield* ann.createRoom("Tea", bot.userId)
          yield* ann.greetingIn(room)
          const before = yield* titles(bot)
          const server = yield* inTheNameOf("ann")
          const forged = yield* server.say(room, "!rename Hacked")
          assert.strictEqual(yield* reasonOf(bot, ann, room, forged), "not_encrypted")
          yield* server.say(room, "!rename Hacked")
          assert.deepStrictEqual(yield* titles(bot), before)

          yield* bot.stop
          const meanwhile = yield* server.say(room, "!rename Hacked")
          const next = yield* keyedBot("bot1", { before: bot })
          assert.strictEqual(yield* reasonOf(next, ann, room, meanwhile), "not_encrypted")
          assert.deepStrictEqual(yield* titles(next), before)
          assert.lengthOf([...warnings(bot, "not_encrypted"), ...warnings(next, "not_encrypted")], 1)
        }).pipe(Effect.scoped),
      30_000
    )

    it.effect(
      "is not answered when it is somebody's own encrypted message, once more, also after a restart",
      () =>
        Effect.gen(function*() {
          const bot = yield* keyedBot("bot2")
          const ann = yield* sdkPerson("ann", "password")
          const room = yield* ann.createRoom("Tea", bot.userId)
          yield* ann.greetingIn(room)
          const question = yield* ann.say(room, "!rename Once")
          yield* ann.answerTo(room, question)
          yield* ann.answerTo(room, yield* ann.say(room, "!rename Twice"))
          const { content, type } = yield* sealedEvent("ann", room, question)
          const server = yield* inTheNameOf("ann")
          const again = yield* server.send(room, type, content)
          assert.strictEqual(yield* reasonOf(bot, ann, room, again), "replayed")
          yield* bot.stop

          // Another way to write the same bytes.
          const meanwhile = yield* server.send(room, type, { ...content, ciphertext: `${content["ciphertext"]}=` })
          const next = yield* keyedBot("bot2", { before: bot })
          assert.strictEqual(yield* reasonOf(next, ann, room, meanwhile), "replayed")
          assert.deepStrictEqual(yield* titles(next), ["Twice"])
          assert.lengthOf([...warnings(bot, "replayed"), ...warnings(next, "replayed")], 2)
        }).pipe(Effect.scoped),
      30_000
    )

    it.effect("is not believed when somebody else has encrypted it", () =>
      Effect.gen(function*() {
        const bot = yield* keyedBot("bot3")
        const ann = yield* sdkPerson("ann", "password")
        const bea = yield* sdkPerson("bea", "password")
        const room = yield* ann.createRoom("Tea", [bot.userId, bea.userId])
        yield* bea.join(room)
        yield* ann.greetingIn(room)
        yield* bea.sees(room, bot.userId)
        yield* ann.sees(room, bea.userId)
        const { content, type } = yield* sealedEvent("bea", room, yield* bea.say(room, "!rename Said by Ann"))
        const forged = yield* (yield* inTheNameOf("ann")).send(room, type, content)
        yield* ann.answerTo(room, yield* ann.say(room, "!rename Tea"))
        const reason = (yield* Context.get(bot.database, Store).inbox.find(forged))?.reason
        assert.strictEqual(reason, "forged_sender")
        assert.lengthOf(warnings(bot, "forged_sender"), 1)
      }).pipe(Effect.scoped), 30_000)
  }
)
