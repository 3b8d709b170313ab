import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ReferenceCode, UserId } from "../../src/domain/Ids.ts"
import { text, type TextReply } from "../../src/domain/Message.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Responder } from "../../src/layers/Responder.ts"
import { Store } from "../../src/layers/Store.ts"
import { aChat, aDatabase, answerTo, bodyOf, type Bot, botId, homeserver, repliedTo, startBot } from "./World.ts"

/** A responder that does what the message says. */
const moody = Layer.succeed(
  Responder,
  Responder.of({
    respond: (_chat, message) => {
      switch (message.body) {
        case "fail":
          return Stream.fail("no idea")
        case "throw":
          return Stream.sync(() => {
            throw new Error("a bug")
          })
        case "interrupt":
          return Stream.fromEffect(Effect.interrupt)
        case "half":
          return Stream.concat(Stream.make(text("the first half")), Stream.fail("lost the thread"))
        case "much":
          return Stream.map(Stream.range(1, 80), (n) => text(String(n)))
        case "blank":
          return Stream.make(text("  "), text("words"), text(""))
        case "odd": {
          // As from a responder in JavaScript.
          const said: TextReply = JSON.parse("\"hello\"")
          return Stream.make(said)
        }
        case "twice":
          return Stream.make(text("one"), text("two"))
        case "hang":
          return Stream.never
        default:
          return Stream.make(text(message.body))
      }
    }
  })
)

const aConversation = Effect.fnUntraced(function*(options: Partial<Parameters<typeof startBot>[0]> = {}) {
  const server = yield* Homeserver
  const alice = yield* server.as("alice")
  const database = yield* aDatabase
  const bot = yield* startBot({ database, ...options })
  const room = yield* aChat(alice)
  return { server, alice, bot, database, room }
})

const warnings = ({ log }: Bot) => log.filter(({ event }) => event === "message_not_handled")

describe("handling a message", () => {
  it.effect("refers to the message that it answers", () =>
    Effect.gen(function*() {
      const { alice, room } = yield* aConversation()
      const question = yield* alice.say(room, "hello")
      const answer = yield* answerTo(alice, room, question)
      assert.deepInclude(answer.content, {
        msgtype: "m.text",
        body: "hello",
        "m.relates_to": { "m.in_reply_to": { event_id: question } },
        "m.mentions": { user_ids: [alice.userId] }
      })
      assert.notProperty(answer.content, "formatted_body")
    }).pipe(Effect.provide(homeserver)))

  it.effect("stays in the thread of the message", () =>
    Effect.gen(function*() {
      const { alice, room } = yield* aConversation()
      const root = yield* alice.say(room, "root")
      const question = yield* alice.say(room, "in the thread", {
        "m.relates_to": {
          rel_type: "m.thread",
          event_id: root,
          is_falling_back: true,
          "m.in_reply_to": { event_id: root }
        }
      })
      const answer = yield* answerTo(alice, room, question)
      assert.deepStrictEqual(answer.content["m.relates_to"], {
        rel_type: "m.thread",
        event_id: root,
        is_falling_back: false,
        "m.in_reply_to": { event_id: question }
      })
    }).pipe(Effect.provide(homeserver)))

  it.effect("stays in the thread with the answer to a command, and with a diagnostic", () =>
    Effect.gen(function*() {
      const { alice, room } = yield* aConversation({ responder: moody })
      const root = yield* alice.say(room, "root")
      for (const body of ["!status", "!delete", "!nonsense", "fail"]) {
        const question = yield* alice.say(room, body, { "m.relates_to": { rel_type: "m.thread", event_id: root } })
        const answer = yield* answerTo(alice, room, question)
        assert.deepInclude(answer.content["m.relates_to"], { rel_type: "m.thread", event_id: root }, body)
      }
    }).pipe(Effect.provide(homeserver)))

  it.effect("hears a reply to itself in a larger room, in a thread too, and no message that only stands behind one of its own", () =>
    Effect.gen(function*() {
      const { alice, server } = yield* aConversation()
      const group = yield* alice.createRoom({ name: "Group", invite: [botId, (yield* server.as("bea")).userId] })
      yield* alice.waitFor(group, ({ sender, type }) => sender === botId && type === "m.room.message")
      yield* (yield* server.as("bea")).join(group)
      const root = yield* alice.say(group, `${botId} root`)
      const said = yield* answerTo(alice, group, root)
      const inThread = (isFallback: boolean) => ({
        "m.relates_to": {
          rel_type: "m.thread",
          event_id: root,
          is_falling_back: isFallback,
          "m.in_reply_to": { event_id: said.event_id }
        }
      })
      const passedOver = yield* alice.say(group, "behind it", inThread(true))
      const heard = yield* alice.say(group, "to it", inThread(false))
      assert.strictEqual(bodyOf(yield* answerTo(alice, group, heard)), "to it")
      assert.notInclude((yield* alice.messages(group)).map(repliedTo), passedOver)
    }).pipe(Effect.provide(homeserver)))

  it.effect("renders markdown, and lets no script through", () =>
    Effect.gen(function*() {
      const { alice, room } = yield* aConversation()
      const answer = yield* answerTo(
        alice,
        room,
        yield* alice.say(
          room,
          `**bold** <script>alert(1)</script> [x](javascript:alert(1)) <img src="https://evil.test/x">`
        )
      )
      assert.strictEqual(answer.content["format"], "org.matrix.custom.html")
      assert.strictEqual(answer.content["formatted_body"], "<p><strong>bold</strong>  <a>x</a> </p>")
    }).pipe(Effect.provide(homeserver)))

  it.effect("sends the replies of one message in order", () =>
    Effect.gen(function*() {
      const { alice, room } = yield* aConversation({ responder: moody })
      const question = yield* alice.say(room, "twice")
      const first = yield* answerTo(alice, room, question)
      const second = yield* alice.waitFor(room, ({ sender }) => sender === botId, { after: first.event_id })
      assert.deepStrictEqual([bodyOf(first), bodyOf(second)], ["one", "two"])
    }).pipe(Effect.provide(homeserver)))

  for (const mood of ["fail", "throw", "interrupt", "half"]) {
    it.effect(`answers with one diagnostic when the responder meets "${mood}", and goes on`, () =>
      Effect.gen(function*() {
        const { alice, bot, room } = yield* aConversation({ responder: moody })
        const diagnostic = yield* answerTo(alice, room, yield* alice.say(room, mood))
        const warning = bot.log.find(({ event }) => event === "message_not_handled")
        assert.strictEqual(warning?.level, "Warn")
        assert.include(warning?.data, { problem: "HandlerFailed", room, user: alice.userId })
        assert.include(bodyOf(diagnostic), String(warning?.data["code"]))
        assert.strictEqual(diagnostic.content["msgtype"], "m.notice")
        const after = yield* answerTo(alice, room, yield* alice.say(room, "and now?"))
        assert.strictEqual(bodyOf(after), "and now?")
        const said = (yield* alice.messages(room)).filter(({ sender, type }) =>
          sender === botId && type === "m.room.message"
        )
        assert.strictEqual(said.length, 3, "greeting, diagnostic, answer")
      }).pipe(Effect.provide(homeserver)))
  }

  it.effect("stops a responder that comes to no end, and goes on with the next message", () =>
    Effect.gen(function*() {
      const { alice, bot, room } = yield* aConversation({
        responder: moody,
        settings: { handlerTimeout: Duration.seconds(20) }
      })
      const endless = yield* alice.say(room, "hang")
      const next = yield* alice.say(room, "and now?")
      yield* TestClock.adjust("1 second")
      yield* TestClock.adjust("20 seconds")
      const diagnostic = yield* answerTo(alice, room, endless)
      assert.include(bodyOf(diagnostic), "20s")
      assert.include(bot.log.find(({ event }) => event === "message_not_handled")?.data, { problem: "TookTooLong" })
      assert.strictEqual(bodyOf(yield* answerTo(alice, room, next)), "and now?")
    }).pipe(Effect.provide(homeserver)))

  it.effect("leaves a message open that it is stopped in the middle of", () =>
    Effect.gen(function*() {
      const database = yield* aDatabase
      const { alice, bot, room } = yield* aConversation({ database, responder: moody })
      const question = yield* alice.say(room, "hang")
      yield* TestClock.adjust("1 second")
      const stopping = yield* Effect.forkChild(bot.stop)
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(stopping)
      const record = yield* Context.get(database, Store).inbox.find(question)
      assert.strictEqual(record?.state, "pending")
      assert.isEmpty(bot.log.filter(({ event }) => event === "message_not_handled"))
    }).pipe(Effect.provide(homeserver)))

  it.effect("delays no other room by one that hangs", () =>
    Effect.gen(function*() {
      const { alice, bot, room } = yield* aConversation({ responder: moody })
      const other = yield* aChat(alice, "Other")
      yield* alice.say(room, "hang")
      yield* answerTo(alice, other, yield* alice.say(other, "hello"))
      // What hangs is given its time to finish.
      const stopping = yield* Effect.forkChild(bot.stop)
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(stopping)
    }).pipe(Effect.provide(homeserver)))

  it.effect("asks the server once about a room that nobody knows, and tells a busy one only once", () =>
    Effect.gen(function*() {
      const { alice, bot, room, server } = yield* aConversation()
      yield* bot.stop
      const account = yield* server.as("bot")
      yield* account.setRoomAccountData(room, "dev.homing.chat", {})
      const lost = yield* startBot({ database: yield* aDatabase })
      yield* TestClock.adjust("1 second")

      const before = (yield* server.requests).length
      const diagnostic = yield* answerTo(alice, room, yield* alice.say(room, "one"))
      const reads = (yield* server.requests).slice(before).filter(({ method, path }) =>
        method === "GET" && !path.endsWith("/sync")
      )
      assert.strictEqual(reads.length, 2, "one repair: state and account data")
      assert.include(bodyOf(diagnostic), "!register")

      yield* alice.say(room, "two")
      yield* alice.say(room, "three")
      yield* answerTo(alice, room, yield* alice.say(room, "!rename Nothing"))
      const told = (yield* alice.messages(room)).filter(({ sender, type }) =>
        sender === botId && type === "m.room.message"
      )
      assert.strictEqual(told.length, 3, "greeting, one diagnostic for the messages, one for the command")
      assert.strictEqual(warnings(lost).length, 2, "and so is the log")

      yield* TestClock.adjust("1 minute")
      yield* answerTo(alice, room, yield* alice.say(room, "four"))
    }).pipe(Effect.provide(homeserver)))

  it.effect("repairs a busy room that nobody knows less and less often, and gives each message the code of the one that was told", () =>
    Effect.gen(function*() {
      const { alice, bot, room, server } = yield* aConversation()
      yield* bot.stop
      const account = yield* server.as("bot")
      yield* account.setRoomAccountData(room, "dev.homing.chat", {})
      const database = yield* aDatabase
      const { inbox } = Context.get(database, Store)
      const lost = yield* startBot({ database })
      yield* TestClock.adjust("1 second")

      const before = (yield* server.requests).length
      const question = yield* alice.say(room, "number 0")
      const diagnostic = yield* answerTo(alice, room, question)
      const code = ReferenceCode.make(String(warnings(lost)[0]?.data["code"]))
      assert.include(bodyOf(diagnostic), code)
      for (let number = 1; number < 100; number++) {
        const next = yield* alice.say(room, `number ${number}`)
        yield* TestClock.adjust("10 seconds")
        if (number <= 6) assert.include(yield* inbox.find(next), { state: "failed", code })
      }
      assert.include(yield* inbox.findByCode(code), { key: question })
      const reads = (yield* server.requests).slice(before).filter(({ path, user }) =>
        user === botId && path.endsWith("/state")
      )
      // At 0, 1, 3, 7 and 15 minutes: of sixteen.
      assert.deepStrictEqual(warnings(lost).map(({ data }) => data["others"]), [0, 6, 11, 23, 47])
      assert.strictEqual(reads.length, 5)
      const told = (yield* alice.messages(room)).filter(({ sender, type }) =>
        sender === botId && type === "m.room.message"
      )
      assert.strictEqual(told.length, 1 + 5)

      yield* account.setRoomAccountData(room, "dev.homing.chat", { version: 1, chat_id: "no marker" })
      yield* TestClock.adjust("1 second")
      yield* answerTo(alice, room, yield* alice.say(room, "!rename Nothing"))
      yield* answerTo(alice, room, yield* alice.say(room, "!register"))
      assert.strictEqual(bodyOf(yield* answerTo(alice, room, yield* alice.say(room, "at last"))), "at last")
    }).pipe(Effect.provide(homeserver)))

  it.effect("looks again for the chat of a room at once when the room has changed", () =>
    Effect.gen(function*() {
      const { alice, bot, room, server } = yield* aConversation()
      yield* bot.stop
      const account = yield* server.as("bot")
      const marker = yield* account.roomAccountData(room, "dev.homing.chat")
      yield* account.setRoomAccountData(room, "dev.homing.chat", {})
      const lost = yield* startBot({ database: yield* aDatabase })
      yield* TestClock.adjust("1 second")
      yield* answerTo(alice, room, yield* alice.say(room, "lost"))
      // It shows nothing, but is another room now.
      yield* account.setRoomAccountData(room, "dev.homing.chat", { version: 1, more: true })
      yield* TestClock.adjust("1 second")
      yield* alice.say(room, "still lost")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(warnings(lost).map(({ data }) => data["repair"]), [
        { "skipped.no_marker": 1 },
        { "skipped.malformed_marker": 1 }
      ])
      yield* account.setRoomAccountData(room, "dev.homing.chat", Object.assign({}, marker))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(bodyOf(yield* answerTo(alice, room, yield* alice.say(room, "found"))), "found")
    }).pipe(Effect.provide(homeserver)))

  it.effect("ignores its own messages, notices, edits and strangers, each for a reason", () =>
    Effect.gen(function*() {
      const { alice, bot, room, server } = yield* aConversation({
        settings: { allowedUsers: [UserId.make("@alice:homing.test")] }
      })
      const mallory = yield* server.as("mallory")
      const group = yield* alice.createRoom({ name: "Group", invite: [botId, mallory.userId] })
      yield* alice.waitFor(group, ({ sender, type }) => sender === botId && type === "m.room.message")
      yield* mallory.join(group)
      yield* mallory.say(group, `${botId}: hello`)
      yield* alice.say(room, "a notice", { msgtype: "m.notice" })
      yield* answerTo(alice, room, yield* alice.say(room, "hello"))
      yield* alice.say(room, "* hallo", {
        "m.new_content": { msgtype: "m.text", body: "hallo" },
        "m.relates_to": { rel_type: "m.replace", event_id: "$nobody-knows" }
      })
      yield* alice.say(group, "not for the bot")
      yield* answerTo(alice, group, yield* alice.say(group, `${botId}: for the bot`))
      yield* answerTo(alice, room, yield* alice.say(room, "the end"))
      const said = (yield* alice.messages(room)).filter(({ sender, type }) =>
        sender === botId && type === "m.room.message"
      )
      assert.deepStrictEqual(said.slice(1).map(bodyOf), ["hello", "the end"])
      const inGroup = (yield* alice.messages(group)).filter(({ sender, type }) =>
        sender === botId && type === "m.room.message"
      )
      assert.deepStrictEqual(inGroup.slice(1).map((event) => bodyOf(event).split(",")[0]), [
        "My operator has not allowed `@mallory:homing.test` to talk to me",
        `${botId}: for the bot`
      ])
      assert.isEmpty(bot.log.filter(({ event }) => event === "message_not_handled"))
    }).pipe(Effect.provide(homeserver)))

  it.effect("leaves what it has no key for in the inbox, and says nothing in clear in an encrypted room", () =>
    Effect.gen(function*() {
      const { alice, bot, database, room } = yield* aConversation()
      const secret = (ciphertext: string) => ({
        algorithm: "m.megolm.v1.aes-sha2",
        ciphertext,
        session_id: "s",
        device_id: "D",
        sender_key: "k"
      })
      const before = (yield* alice.messages(room)).length
      const locked = yield* alice.send(room, "m.room.encrypted", secret("b25l"))
      // Of the same key, which is not waited for twice.
      yield* alice.send(room, "m.room.encrypted", secret("dHdv"))
      const clear = yield* alice.say(room, "in plain text, while that was allowed")
      yield* alice.setState(room, "m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" })
      const { inbox } = Context.get(database, Store)
      yield* TestClock.adjust("10 seconds")
      assert.include(yield* inbox.find(clear), { state: "pending" }, "it waits for the key of the one before it")
      yield* TestClock.adjust("20 seconds")
      assert.include(yield* inbox.find(clear), { state: "answered" })
      assert.include(yield* inbox.find(locked), { state: "pending" })
      const warning = bot.log.find(({ event }) => event === "message_not_decrypted")
      assert.include(warning?.data, { room, event: locked, reason: "NO_CRYPTO" })
      // The client in memory has no keys to answer with.
      const said = (yield* alice.messages(room)).slice(before).filter(({ sender }) => sender === botId)
      assert.deepStrictEqual(said, [])
    }).pipe(Effect.provide(homeserver)))

  it.effect("cuts an answer that has no end, and says so to both", () =>
    Effect.gen(function*() {
      const { alice, bot, room } = yield* aConversation({ responder: moody })
      const question = yield* alice.say(room, "much")
      yield* answerTo(alice, room, yield* alice.say(room, "and now?"))
      const said = (yield* alice.messages(room)).filter((event) => repliedTo(event) === question).map(bodyOf)
      assert.lengthOf(said, 51)
      assert.deepStrictEqual(said.slice(-2), ["50", "There was more: I say no more than 50 messages in one answer."])
      assert.deepInclude(bot.log.find(({ event }) => event === "replies_cut")?.data, { event: question, kept: 50 })
    }).pipe(Effect.provide(homeserver)))

  it.effect("says nothing that nobody would see", () =>
    Effect.gen(function*() {
      const { alice, room } = yield* aConversation({ responder: moody })
      const question = yield* alice.say(room, "blank")
      yield* answerTo(alice, room, yield* alice.say(room, "and now?"))
      const said = (yield* alice.messages(room)).filter((event) => repliedTo(event) === question).map(bodyOf)
      assert.deepStrictEqual(said, ["words"])
    }).pipe(Effect.provide(homeserver)))

  it.effect("tells whoever wrote the responder when it says what is no reply", () =>
    Effect.gen(function*() {
      const { alice, bot, room } = yield* aConversation({ responder: moody })
      assert.include(bodyOf(yield* answerTo(alice, room, yield* alice.say(room, "odd"))), "Something went wrong")
      assert.include(String(warnings(bot)[0]?.data["detail"]), "a value of type string, which is no reply: say text(…)")
    }).pipe(Effect.provide(homeserver)))

  it.effect("takes a command behind its name for one, and leaves other words as they are", () =>
    Effect.gen(function*() {
      const { alice, room, server } = yield* aConversation()
      const bob = yield* server.as("bob")
      yield* alice.invite(room, bob.userId)
      yield* bob.join(room)
      const mention = { "m.mentions": { user_ids: [botId] } }
      const command = yield* alice.say(room, `${botId}: !chats`, mention)
      assert.include(bodyOf(yield* answerTo(alice, room, command)), "Your chats")
      const words = yield* alice.say(room, `${botId}, hello`, mention)
      assert.strictEqual(bodyOf(yield* answerTo(alice, room, words)), `${botId}, hello`)
    }).pipe(Effect.provide(homeserver)))
})
