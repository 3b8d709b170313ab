import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { serverError } from "../../src/layers/Homeserver/Faults.ts"
import { logged } from "./KeyedBot.ts"
import { sdkPerson } from "./SdkPerson.ts"
import { keyedBot, Wire, wiredWorld } from "./Wire.ts"

layer(wiredWorld(["bot", "ann"]), { excludeTestServices: true })("a key that only another session was given", (it) => {
  it.effect(
    "is asked of that session, when it has the account's identity",
    () =>
      Effect.gen(function*() {
        const wire = yield* Wire
        const bot = yield* keyedBot("bot")
        const device = String((yield* logged(bot, "device_verified"))["device"])
        const owner = yield* sdkPerson("bot", "password", readFileSync(join(bot.dataDir, "recovery.key"), "utf8"))

        const ann = yield* sdkPerson("ann", "password")
        const room = yield* ann.createRoom("Tea", bot.userId)
        yield* ann.greetingIn(room)
        yield* wire.loseKeys(ann.userId, device)
        // The backup would have it, too, a little later.
        const noBackup = { user: bot.userId, path: "/room_keys/", count: 1_000, effect: serverError(503) }
        yield* (yield* Homeserver).inject(noBackup)
        const question = yield* ann.say(room, "Do you read me?")
        yield* owner.reads(room, question)
        assert.strictEqual((yield* ann.answerTo(room, question)).getContent()["body"], "Do you read me?")
      }).pipe(Effect.scoped),
    30_000
  )
})
