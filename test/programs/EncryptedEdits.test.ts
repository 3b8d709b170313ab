import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Door } from "../../src/layers/Homeserver/Door.ts"
import * as MatrixClient from "../../src/layers/MatrixClient.ts"
import { temporaryDirectory } from "../layers/Store/Samples.ts"
import { sdkPerson } from "./SdkPerson.ts"
import { aDatabase, botId, startBot } from "./World.ts"

const world = Door.layer().pipe(
  Layer.provideMerge(Homeserver.layer({ users: ["bot", "alice"].map((name) => ({ name, password: "password" })) }))
)

layer(world, { excludeTestServices: true })("in an encrypted room", (it) => {
  it.effect(
    "an edit of a question is followed by its answer, and the server reads neither",
    () =>
      Effect.gen(function*() {
        const { url } = yield* Door
        yield* startBot({
          database: yield* aDatabase,
          settings: { dataDir: yield* temporaryDirectory, homeserverUrl: new URL(url) },
          client: MatrixClient.layer
        })
        const alice = yield* sdkPerson("alice", "password")
        const room = yield* alice.createRoom("Tea", botId)
        yield* alice.greetingIn(room)
        const question = yield* alice.say(room, "the old words")
        const answer = yield* alice.answerTo(room, question)
        yield* alice.edit(room, question, "the new words")
        // The SDK shows the answer with its newest edit.
        yield* alice.until(() =>
          answer.replacingEvent()?.getContent()["m.new_content"] === undefined ? undefined : true
        )
        assert.strictEqual(answer.getContent()["body"], "the new words")
        assert.isTrue(answer.replacingEvent()?.isEncrypted())
        const seen = yield* (yield* (yield* Homeserver).as("alice")).messages(room)
        assert.notInclude(JSON.stringify(seen), "words")
      }).pipe(Effect.scoped),
    20_000
  )
})
