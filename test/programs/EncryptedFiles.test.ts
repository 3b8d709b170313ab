import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Schedule } from "effect"
import { receipt } from "../../examples/receipt.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Door } from "../../src/layers/Homeserver/Door.ts"
import { serverError } from "../../src/layers/Homeserver/Faults.ts"
import * as MatrixClient from "../../src/layers/MatrixClient.ts"
import { temporaryDirectory } from "../layers/Store/Samples.ts"
import { openSealedFile, sendSealedPicture } from "./SdkFiles.ts"
import { type SdkPerson, sdkPerson } from "./SdkPerson.ts"
import { aDatabase, type Bot, botId, startBot } from "./World.ts"

const world = Door.layer().pipe(
  Layer.provideMerge(Homeserver.layer({ users: ["bot", "alice"].map((name) => ({ name, password: "password" })) }))
)

const picture = { name: "cat.png", bytes: Uint8Array.from({ length: 50_000 }, (_, index) => index % 256) }

/** A bot that gives receipts, each life of it on the same keys and the same database. */
const aBot = Effect.gen(function*() {
  const { url } = yield* Door
  const dataDir = yield* temporaryDirectory
  const database = yield* aDatabase
  return startBot({
    database,
    responder: receipt,
    settings: { dataDir, homeserverUrl: new URL(url) },
    client: MatrixClient.layer
  })
})

/** A client that is ended in the middle of setting itself up leaves promises behind that nobody holds. */
const logs = (bot: Bot, wanted: RegExp) =>
  Effect.sync(() => bot.log.some(({ event }) => wanted.test(event))).pipe(
    Effect.repeat({ until: (logged) => logged, schedule: Schedule.spaced("20 millis") })
  )

const isFile = (person: SdkPerson) => (room: string) =>
  person.until(() => person.said(room).find((event) => event.getContent()["msgtype"] === "m.file"))

const uploadsOfBot = Effect.flatMap(Homeserver, ({ requests }) => requests).pipe(
  Effect.map((all) => all.filter(({ path, user }) => path.endsWith("/media/v3/upload") && user === botId))
)

layer(world, { excludeTestServices: true })("files in encrypted rooms", (it) => {
  it.effect(
    "are read and sent, and the homeserver sees neither the files nor their names",
    () =>
      Effect.gen(function*() {
        const bot = yield* yield* aBot
        const alice = yield* sdkPerson("alice", "password")
        const room = yield* alice.createRoom("Post office", botId)
        yield* alice.greetingIn(room)
        const answer = yield* alice.answerTo(room, yield* sendSealedPicture(alice, room, picture))
        const body = String(answer.getContent()["body"])
        assert.include(body, "cat.png\n50000 bytes\nSHA-256 ")

        const sent = yield* isFile(alice)(room)
        assert.isTrue(sent.isEncrypted())
        assert.include(sent.getContent(), { body: "receipt.txt", filename: "receipt.txt" })
        const { bytes, stored } = yield* openSealedFile(alice, sent)
        assert.strictEqual(new TextDecoder().decode(bytes), body)
        assert.notInclude(new TextDecoder().decode(stored), "SHA-256")
        assert.deepStrictEqual((yield* uploadsOfBot).map(({ query }) => query), [{}])
        const seen = yield* (yield* (yield* Homeserver).as("alice")).messages(room)
        assert.notInclude(JSON.stringify(seen), "mxc:")
        yield* logs(bot, /^device_(?:not_)?verified$/)
      }).pipe(Effect.scoped),
    30_000
  )

  it.effect(
    "are uploaded once, and are whole, when the bot ends between the upload and the message",
    () =>
      Effect.gen(function*() {
        const { clearFaults, inject } = yield* Homeserver
        const start = yield* aBot
        const before = (yield* uploadsOfBot).length
        const first = yield* start
        const alice = yield* sdkPerson("alice", "password")
        const room = yield* alice.createRoom("Post office", botId)
        yield* alice.greetingIn(room)
        // The text goes out, and then nothing more.
        yield* inject({ user: botId, path: "/send/m.room.", skip: 1, count: 1_000_000, effect: serverError(503) })
        const question = yield* sendSealedPicture(alice, room, picture)
        const answer = yield* alice.answerTo(room, question)
        yield* logs(first, /^device_(?:not_)?verified$/)
        yield* logs(first, /^reply_delayed$/)
        yield* first.stop
        yield* clearFaults
        const second = yield* start
        const { bytes } = yield* openSealedFile(alice, yield* isFile(alice)(room))
        assert.strictEqual(new TextDecoder().decode(bytes), answer.getContent()["body"])
        assert.strictEqual((yield* uploadsOfBot).length, before + 1)
        yield* logs(second, /^device_(?:not_)?verified$/)
      }).pipe(Effect.scoped),
    30_000
  )
})
