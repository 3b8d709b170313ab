import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Stream } from "effect"
import { largestFiles } from "../../src/domain/Attachment.ts"
import { referenceCodeOf } from "../../src/domain/Diagnostic.ts"
import { file } from "../../src/domain/Message.ts"
import { Checkpoint } from "../../src/layers/Checkpoint.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect, serverError } from "../../src/layers/Homeserver/Faults.ts"
import type { Person } from "../../src/layers/Homeserver/Person.ts"
import { MatrixMedia } from "../../src/layers/MatrixClient.ts"
import { Responder } from "../../src/layers/Responder.ts"
import { Store } from "../../src/layers/Store.ts"
import { inTime } from "./Provisioned.ts"
import { aChat, aDatabase, answerTo, bodyOf, type Bot, botId, homeserver, repliedTo, startBot } from "./World.ts"

/** Sends back what it is sent, under another name, and a file of so many bytes when it is asked for one. */
const returning = Layer.effect(
  Responder,
  Effect.map(MatrixMedia, (media) =>
    Responder.of({
      respond: (_chat, { attachment, body }) => {
        if (attachment === undefined) {
          return Stream.make(file({ name: "zeros", mimetype: "x/y", bytes: new Uint8Array(Number(body)) }))
        }
        return Stream.fromEffect(Effect.map(
          media.download(attachment, { limit: 1000 }),
          (bytes) =>
            file({
              name: `../back-${attachment.name}`,
              mimetype: attachment.mimetype ?? "",
              bytes,
              ...(body === "" ? {} : { caption: `*${body}*` })
            })
        ))
      }
    }))
)

const bytes = Uint8Array.from([1, 2, 3, 250])

const upload = (person: Person, content: Uint8Array) =>
  Effect.map(
    person.request("POST", "/_matrix/media/v3/upload", content),
    (answer) =>
      typeof answer === "object" && answer !== null && "content_uri" in answer ? answer.content_uri : undefined
  )

/** Shows a picture; the id of the event. */
const show = Effect.fnUntraced(function*(
  person: Person,
  room: string,
  more: Readonly<Record<string, unknown>> = {}
) {
  const url = yield* upload(person, bytes)
  return yield* person.send(room, "m.room.message", {
    msgtype: "m.image",
    body: "cat.png",
    info: { mimetype: "image/png", size: bytes.length },
    url,
    ...more
  })
})

const aConversation = Effect.fnUntraced(function*(options: Partial<Parameters<typeof startBot>[0]> = {}) {
  const server = yield* Homeserver
  const alice = yield* server.as("alice")
  const database = yield* aDatabase
  const bot = yield* startBot({ database, ...options })
  const room = yield* aChat(alice)
  return { server, alice, bot, database, room }
})

const saidIn = (person: Person, room: string) =>
  Effect.map(
    person.messages(room),
    (events) => events.filter(({ sender, type }) => sender === botId && type === "m.room.message")
  )

const fetched = (person: Person, url: unknown) =>
  Effect.map(
    person.request("GET", String(url).replace("mxc:/", "/_matrix/client/v1/media/download")),
    (body) => body instanceof Uint8Array ? new Uint8Array(body) : body
  )

const uploadsOf = (server: Homeserver["Service"]) =>
  Effect.map(
    server.requests,
    (all) => all.filter(({ path, status, user }) => path.endsWith("/upload") && user === botId && status === 200).length
  )

describe("a file that somebody sends", () => {
  it.effect("is named by a bot that only echoes, with what was said with it", () =>
    Effect.gen(function*() {
      const { alice, room } = yield* aConversation()
      const plain = yield* answerTo(alice, room, yield* show(alice, room))
      assert.strictEqual(bodyOf(plain), "You sent me an image, `cat.png` (image/png, 4 bytes).")
      const said = yield* answerTo(alice, room, yield* show(alice, room, { filename: "cat.png", body: "my cat" }))
      assert.strictEqual(bodyOf(said), "You sent me an image, `cat.png` (image/png, 4 bytes).\n\nmy cat")
    }).pipe(Effect.provide(homeserver)))

  it.effect("has a command in what is said with it, and none in its name", () =>
    Effect.gen(function*() {
      const { alice, room } = yield* aConversation()
      const named = yield* answerTo(alice, room, yield* show(alice, room, { body: "!help" }))
      assert.include(bodyOf(named), "You sent me an image")
      const said = yield* answerTo(alice, room, yield* show(alice, room, { filename: "cat.png", body: "!rename Cats" }))
      assert.include(bodyOf(said), "This chat is now called `Cats`")
    }).pipe(Effect.provide(homeserver)))

  it.effect("is for the bot in a larger room when it is mentioned with it", () =>
    Effect.gen(function*() {
      const { alice, server, room } = yield* aConversation()
      const bob = yield* server.as("bob")
      yield* alice.invite(room, bob.userId)
      yield* bob.join(room)
      yield* show(alice, room)
      const meant = yield* show(alice, room, { "m.mentions": { user_ids: [botId] } })
      yield* answerTo(alice, room, meant)
      assert.lengthOf(yield* saidIn(alice, room), 2, "greeting, one answer")
    }).pipe(Effect.provide(homeserver)))

  it.effect("that cannot be found by what stands there is passed over, and the next message is answered", () =>
    Effect.gen(function*() {
      const { alice, database, room } = yield* aConversation()
      const bad = yield* show(alice, room, { url: "https://evil.example/cat.png" })
      yield* answerTo(alice, room, yield* alice.say(room, "hello"))
      const { inbox } = Context.get(database, Store)
      assert.include(yield* inbox.find(bad), { state: "ignored", reason: "malformed" })
    }).pipe(Effect.provide(homeserver)))

  it.effect("is read by the responder, which answers with a file", () =>
    Effect.gen(function*() {
      const { alice, room } = yield* aConversation({ responder: returning })
      const question = yield* show(alice, room, { filename: "cat.png", body: "my cat" })
      const answer = yield* answerTo(alice, room, question)
      const { url, ...content } = answer.content
      assert.deepStrictEqual(content, {
        msgtype: "m.image",
        body: "*my cat*",
        format: "org.matrix.custom.html",
        formatted_body: "<p><em>my cat</em></p>",
        filename: ".._back-cat.png",
        info: { mimetype: "image/png", size: 4 },
        "m.mentions": { user_ids: [alice.userId] },
        "m.relates_to": { "m.in_reply_to": { event_id: question } }
      })
      assert.deepStrictEqual(yield* fetched(alice, url), bytes)
    }).pipe(Effect.provide(homeserver)))

  it.effect("that is too large for the responder ends in a diagnostic", () =>
    Effect.gen(function*() {
      const { alice, bot, room } = yield* aConversation({ responder: returning })
      const url = yield* upload(alice, new Uint8Array(1001))
      const answer = yield* answerTo(alice, room, yield* show(alice, room, { url }))
      assert.strictEqual(answer.content["msgtype"], "m.notice")
      const warning = bot.log.find(({ event }) => event === "message_not_handled")
      assert.include(String(warning?.data["detail"]), "more than 1000 bytes")
    }).pipe(Effect.provide(homeserver)))

  it.effect("that does not come in a minute ends in a diagnostic", () =>
    Effect.gen(function*() {
      const { alice, bot, room, server } = yield* aConversation({ responder: returning })
      yield* server.inject({ user: botId, path: "/download/", count: 10, effect: FaultEffect.Stalled() })
      const question = yield* show(alice, room)
      yield* inTime(Effect.sleep("61 seconds"))
      yield* answerTo(alice, room, question)
      const warning = bot.log.find(({ event }) => event === "message_not_handled")
      assert.include(String(warning?.data["detail"]), "did not come within 1m")
    }).pipe(Effect.provide(homeserver)))
})

describe("a file that the bot sends", () => {
  it.effect("is named in its body when there is nothing to say, and is just a file when its type is none", () =>
    Effect.gen(function*() {
      const { alice, room } = yield* aConversation({ responder: returning })
      const answer = yield* answerTo(alice, room, yield* alice.say(room, "3"))
      assert.deepInclude(answer.content, { msgtype: "m.file", body: "zeros", filename: "zeros" })
      assert.deepStrictEqual(yield* fetched(alice, answer.content["url"]), new Uint8Array(3))
    }).pipe(Effect.provide(homeserver)))

  it.effect("is not sent when it is too large to keep, and the person is told", () =>
    Effect.gen(function*() {
      const { alice, bot, room } = yield* aConversation({ responder: returning })
      const answer = yield* answerTo(alice, room, yield* alice.say(room, String(largestFiles + 1)))
      assert.include(bodyOf(answer), "at most 20 MB together")
      const warning = bot.log.find(({ event }) => event === "message_not_handled")
      assert.deepInclude(warning?.data, { problem: "FilesTooLarge" })
    }).pipe(Effect.provide(homeserver)))

  it.effect("that the homeserver does not take is given up with the reason, which the person is told, and holds up nothing", () =>
    Effect.gen(function*() {
      const { alice, database, room } = yield* aConversation({ responder: returning })
      const tooLarge = yield* alice.say(room, String(11 * 1024 * 1024))
      const told = bodyOf(yield* answerTo(alice, room, tooLarge))
      assert.match(told, /^The homeserver does not take my answer, because it is too large/)
      assert.include(told, referenceCodeOf(tooLarge))
      yield* answerTo(alice, room, yield* alice.say(room, "3"))
      const [record] = yield* Context.get(database, Store).outbox.answersTo(tooLarge)
      assert.deepInclude(record, { state: "dead", reason: "too_large" })
    }).pipe(Effect.provide(homeserver)))

  it.effect("is uploaded once however often it has to be sent, a restart between", () =>
    Effect.gen(function*() {
      const { alice, bot, database, room, server } = yield* aConversation({ responder: returning })
      yield* server.inject({ user: botId, path: "/send/", count: 1_000_000, effect: serverError(503) })
      const question = yield* alice.say(room, "3")
      yield* inTime(Effect.sleep("10 seconds"))
      yield* inTime(bot.stop)
      yield* server.clearFaults
      yield* startBot({ database, responder: returning })
      yield* answerTo(alice, room, question)
      assert.strictEqual(yield* uploadsOf(server), 1)
    }).pipe(Effect.provide(homeserver)))

  it.effect("is uploaded again when nobody knows whether it was", () =>
    Effect.gen(function*() {
      const { alice, room, server } = yield* aConversation({ responder: returning })
      yield* server.inject({ user: botId, path: "/upload", effect: FaultEffect.LostAnswer() })
      const question = yield* alice.say(room, "3")
      const answer = yield* inTime(answerTo(alice, room, question))
      assert.deepStrictEqual(yield* fetched(alice, answer.content["url"]), new Uint8Array(3))
    }).pipe(Effect.provide(homeserver)))

  it.effect("that waits when it is dropped is not sent, and holds up nothing", () =>
    Effect.gen(function*() {
      const { alice, database, room, server } = yield* aConversation({ responder: returning })
      const { outbox } = Context.get(database, Store)
      yield* server.inject({ user: botId, path: "/upload", effect: FaultEffect.Delay({ time: "20 seconds" }) })
      const question = yield* alice.say(room, "3")
      yield* inTime(Effect.sleep("5 seconds"))
      const [waiting] = yield* outbox.answersTo(question)
      assert(waiting?.state === "pending")
      yield* outbox.drop(waiting.transactionId)
      yield* inTime(answerTo(alice, room, yield* alice.say(room, "4")))
      assert.isEmpty((yield* saidIn(alice, room)).filter((event) => repliedTo(event) === question))
    }).pipe(Effect.provide(homeserver)))

  it.effect("in clear is no answer any more in a room that is encrypted before it is sent", () =>
    Effect.gen(function*() {
      const { alice, database, room, server } = yield* aConversation({ responder: returning })
      yield* server.inject({ user: botId, path: "/send/", count: 1_000_000, effect: serverError(503) })
      const question = yield* alice.say(room, "3")
      yield* inTime(Effect.sleep("3 seconds"))
      assert.strictEqual(yield* uploadsOf(server), 1, "in clear, for a plain room")
      yield* alice.setState(room, "m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" })
      yield* server.clearFaults
      yield* inTime(Effect.sleep("2 minutes"))
      // The client in memory has no keys: it gives up on the message, but has uploaded what the room needs.
      assert.deepInclude((yield* Context.get(database, Store).outbox.answersTo(question))[0], { state: "dead" })
      assert.strictEqual(yield* uploadsOf(server), 2)
      assert.lengthOf(yield* saidIn(alice, room), 1, "the greeting")
    }).pipe(Effect.provide(homeserver)))

  it.effect("is sent once, and is whole, wherever the bot was killed on the way", () =>
    Effect.gen(function*() {
      const places: Array<string> = []
      yield* oneLife(() => ({ pass: (place) => void places.push(place), ended: undefined }))
      for (const place of ["upload:before", "upload:after", "Store.outbox.uploaded:after", "send message:after"]) {
        assert.include(places, place)
      }
      for (const [index, place] of places.entries()) {
        // Between any two statements of a transaction it is the same: nothing was kept yet.
        if (place.endsWith(":inside") && place === places[index - 1]) continue
        yield* oneLife(() => mortal(index + 1))
      }
    }), 120_000)
})

interface Fate {
  readonly pass: (place: string) => void
  /** Whether it has come to its end; undefined for one that lives. */
  readonly ended: (() => boolean) | undefined
}

/** Dies when it passes its nth place, as by `kill -9`: what passes another place after that passes none of it. */
const mortal = (nth: number): Fate => {
  let left = nth
  let dead = false
  return {
    ended: () => dead,
    pass: () => {
      if (dead || --left <= 0) {
        dead = true
        throw new Error("killed")
      }
    }
  }
}

/** Somebody sends a picture to a bot with this fate, and is answered by it, or by the next one on its database. */
const oneLife = (fateOf: () => Fate) =>
  Effect.gen(function*() {
    const server = yield* Homeserver
    const alice = yield* server.as("alice")
    const database = yield* aDatabase
    let fate: Fate | undefined
    const bot: Bot = yield* startBot({ database, responder: returning }).pipe(
      Effect.provideService(Checkpoint, (place) => fate?.pass(place))
    )
    const room = yield* aChat(alice)
    yield* inTime(Effect.sleep("10 seconds"))
    fate = fateOf()
    const { ended } = fate
    const question = yield* show(alice, room)
    if (ended !== undefined) {
      yield* inTime(Effect.sleep("1 second").pipe(Effect.repeat({ until: ended })))
      yield* inTime(bot.stop)
      yield* startBot({ database, responder: returning })
    }
    yield* inTime(Effect.andThen(answerTo(alice, room, question), Effect.sleep("1 minute")))
    const answers = (yield* saidIn(alice, room)).filter((event) => repliedTo(event) === question)
    assert.lengthOf(answers, 1)
    assert.deepStrictEqual(yield* fetched(alice, answers[0]?.content["url"]), bytes)
    assert.deepInclude(yield* Context.get(database, Store).outbox.counts, { pending: 0, dead: 0 })
    fate = undefined
  }).pipe(Effect.scoped, Effect.provide(homeserver))
