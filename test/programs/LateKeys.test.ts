import { assert, layer } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import type { MatrixEvent } from "matrix-js-sdk/lib/matrix.js"
import { lockedText } from "../../src/domain/Diagnostic.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect } from "../../src/layers/Homeserver/Faults.ts"
import { type SdkPerson, sdkPerson } from "./SdkPerson.ts"
import { keyedBot, Wire, wiredWorld } from "./Wire.ts"

/** The bot waits 20 s for a key; with this clock, 4 s. */
const hurry = 5

const bodyOf = (event: MatrixEvent): string => String(event.getContent()["body"])
const lockedIn = (person: SdkPerson, room: string) => person.said(room).filter((event) => bodyOf(event) === lockedText)

const until = (condition: () => boolean) =>
  Effect.sync(condition).pipe(Effect.repeat({ until: (met) => met, schedule: Schedule.spaced("20 millis") }))

layer(wiredWorld(["bot1", "bot2", "bot3", "bot4", "bot5", "ann", "bea", "cat", "dot", "eve"]), {
  excludeTestServices: true
})(
  "an event whose key comes late",
  (it) => {
    it.effect("is answered when the key comes, and nothing is said of it", () =>
      Effect.gen(function*() {
        const wire = yield* Wire
        const bot = yield* keyedBot("bot1")
        const ann = yield* sdkPerson("ann", "password")
        const room = yield* ann.createRoom("Tea", bot.userId)
        const other = yield* ann.createRoom("Coffee", bot.userId)
        for (const one of [room, other]) yield* ann.greetingIn(one)
        yield* ann.answerTo(other, yield* ann.say(other, "the key of this room is there"))
        yield* wire.holdKeysOf(ann.userId)
        const late = yield* ann.say(room, "late")
        // Answered in another room, thus seen in this one.
        yield* ann.answerTo(other, yield* ann.say(other, "not held up"))
        yield* wire.releaseKeys
        assert.strictEqual(bodyOf(yield* ann.answerTo(room, late)), "late")
        assert.deepStrictEqual(lockedIn(ann, room), [])
      }).pipe(Effect.scoped), 20_000)

    it.effect(
      "holds up what stands behind it no longer than the patience; the room is told once",
      () =>
        Effect.gen(function*() {
          const wire = yield* Wire
          const bot = yield* keyedBot("bot2", { hurry })
          const phone = yield* sdkPerson("bea", "password")
          const laptop = yield* sdkPerson("bea", "password")
          const room = yield* phone.createRoom("Tea", bot.userId)
          yield* phone.greetingIn(room)
          // Each device has keys of its own; those of the laptop have arrived.
          yield* laptop.answerTo(room, yield* laptop.say(room, "first"))
          yield* wire.holdKeysOf(phone.userId)
          const locked = yield* phone.say(room, "locked")
          const behind = yield* laptop.say(room, "behind")
          const asked = performance.now()
          assert.strictEqual(bodyOf(yield* laptop.answerTo(room, behind)), "behind")
          const waited = (performance.now() - asked) * hurry
          assert.isAbove(waited, 15_000)
          assert.isBelow(waited, 30_000)
          assert.lengthOf(lockedIn(laptop, room), 1)

          const lockedToo = yield* phone.say(room, "locked, too")
          yield* laptop.answerTo(room, yield* laptop.say(room, "behind that"))
          assert.lengthOf(lockedIn(laptop, room), 1)

          yield* wire.releaseKeys
          assert.strictEqual(bodyOf(yield* laptop.answerTo(room, locked)), "locked")
          assert.strictEqual(bodyOf(yield* laptop.answerTo(room, lockedToo)), "locked, too")
          const answers = laptop.said(room).filter((event) => event.getSender() === bot.userId).map(bodyOf)
          assert.sameMembers(answers.slice(1), ["first", lockedText, "behind", "behind that", "locked", "locked, too"])
        }).pipe(Effect.scoped),
      45_000
    )

    it.effect(
      "is tried again after every restart, without another word, and answered when the key is there",
      () =>
        Effect.gen(function*() {
          const wire = yield* Wire
          const first = yield* keyedBot("bot3", { hurry })
          const cat = yield* sdkPerson("cat", "password")
          const room = yield* cat.createRoom("Tea", first.userId)
          yield* cat.greetingIn(room)
          yield* wire.holdKeysOf(cat.userId)
          const locked = yield* cat.say(room, "locked")
          const given = (log: typeof first.log) =>
            until(() => log.some(({ event }) => event === "message_not_decrypted"))
          yield* given(first.log)
          yield* first.stop
          const second = yield* keyedBot("bot3", { before: first, hurry })
          yield* given(second.log)
          yield* second.stop
          assert.isAtMost(lockedIn(cat, room).length, 1)

          yield* wire.releaseKeys
          yield* keyedBot("bot3", { before: first, hurry })
          assert.strictEqual(bodyOf(yield* cat.answerTo(room, locked)), "locked")
          assert.lengthOf(lockedIn(cat, room), 1)
        }).pipe(Effect.scoped),
      45_000
    )

    it.effect(
      "makes the bot unready when nothing fresh can be read, whatever it has read of what came before",
      () =>
        Effect.gen(function*() {
          const wire = yield* Wire
          const first = yield* keyedBot("bot5", { hurry })
          const eve = yield* sdkPerson("eve", "password")
          const room = yield* eve.createRoom("Tea", first.userId)
          yield* eve.greetingIn(room)
          yield* first.stop
          const waiting = yield* eve.say(room, "came while the bot was away")
          const second = yield* keyedBot("bot5", { before: first, hurry })
          yield* eve.answerTo(room, waiting)

          yield* Effect.promise(() => eve.client.getCrypto()?.forceDiscardSession(room) ?? Promise.resolve())
          yield* wire.holdKeysOf(eve.userId)
          for (const body of ["one", "two", "three"]) yield* eve.say(room, body)
          yield* until(() => second.log.filter(({ event }) => event === "message_not_decrypted").length === 3)
          assert.include(yield* second.whyNotReady, "3 of the last 3 encrypted messages could not be decrypted")
        }).pipe(Effect.scoped),
      45_000
    )

    it.effect(
      "is none, when the bot's own keys are late: it joins when people can encrypt for it",
      () =>
        Effect.gen(function*() {
          const { inject } = yield* Homeserver
          const dot = yield* sdkPerson("dot", "password")
          const room = yield* dot.createRoom("Tea", "@bot4:homing.test")
          const effect = FaultEffect.Delay({ time: "1500 millis" })
          yield* inject({ user: "@bot4:homing.test", path: "/keys/upload", count: 3, effect })
          const bot = yield* keyedBot("bot4")
          yield* dot.sees(room, bot.userId)
          const hasty = yield* dot.say(room, "the first words")
          assert.strictEqual(bodyOf(yield* dot.answerTo(room, hasty)), "the first words")
        }).pipe(Effect.scoped),
      20_000
    )
  }
)
