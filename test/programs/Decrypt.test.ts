import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { aChat, aDatabase, answerTo, bodyOf, homeserver, startBot } from "./World.ts"

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
})
