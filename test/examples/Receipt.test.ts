import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { answerTo, Homeserver, homeserver, openChat, readFile, sendFile, startBot } from "homing/testing"
import { receipt } from "../../examples/receipt.ts"

it.effect("gives a receipt for a picture", () =>
  Effect.gen(function*() {
    const alice = yield* (yield* Homeserver).as("alice")
    yield* startBot({ responder: receipt })
    const room = yield* openChat(alice, "Post office")
    const picture = { name: "dot.png", mimetype: "image/png", bytes: new Uint8Array([1, 2, 3]) }
    const answer = yield* answerTo(alice, room, yield* sendFile(alice, room, picture))
    assert.include(answer.content["body"], "dot.png\n3 bytes\nSHA-256 039058c6f2c0cb49")
    const sent = yield* alice.waitFor(room, ({ content }) => content["msgtype"] === "m.file")
    const text = new TextDecoder().decode(yield* readFile(alice, sent))
    assert.strictEqual(text, answer.content["body"])
  }).pipe(Effect.provide(homeserver)))
