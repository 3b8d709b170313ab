import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { logged, until } from "./KeyedBot.ts"
import { sdkPerson } from "./SdkPerson.ts"
import { cryptoOf, newIdentity, signedDevices } from "./SdkVerifying.ts"
import { keyedBot, Wire, wiredWorld } from "./Wire.ts"

layer(wiredWorld(["bot", "ann"]), { excludeTestServices: true })("a key that went to another session only", (it) => {
  it.effect(
    "is had from that one, when the account's identity has signed both",
    () =>
      Effect.gen(function*() {
        const wire = yield* Wire
        const owner = yield* sdkPerson("bot", "password")
        yield* newIdentity(owner.client, "bot", "password")
        const first = yield* keyedBot("bot")
        const device = String((yield* logged(first, "matrix_authenticated"))["device"])
        yield* logged(first, "device_not_verified")
        yield* until(Effect.map(signedDevices(owner.client, owner.userId), (seen) => device in seen))
        yield* Effect.promise(() => cryptoOf(owner.client).crossSignDevice(device))
        yield* first.stop
        const bot = yield* keyedBot("bot", { before: first })
        yield* logged(bot, "device_verified")

        const ann = yield* sdkPerson("ann", "password")
        const room = yield* ann.createRoom("Tea", bot.userId)
        yield* ann.greetingIn(room)
        yield* wire.loseKeys(ann.userId, device)
        const question = yield* ann.say(room, "Do you read me?")
        yield* Effect.sleep("6 seconds")
        for (const r of yield* (yield* Homeserver).requests) {
          if (r.path.includes("sendToDevice")) console.log(r.user, r.path)
        }
        console.log(
          JSON.stringify(bot.log.slice(-8)),
          owner.said(room).map((e) => e.getContent()["body"]),
          owner.unreadable(room).length,
          device,
          owner.deviceId
        )
        assert.strictEqual((yield* ann.answerTo(room, question)).getContent()["body"], "Do you read me?")
      }).pipe(Effect.scoped),
    30_000
  )
})
