import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { settingNames } from "../../src/domain/ChatSettings.ts"
import { commandNames } from "../../src/domain/Command.ts"
import { markerType } from "../../src/domain/Marker.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { ago } from "../../src/programs/Commands/ListChats.ts"
import { aChat, aDatabase, answerTo, bodyOf, botId, homeserver, startBot } from "./World.ts"

const aChatWithAlice = Effect.gen(function*() {
  const server = yield* Homeserver
  const alice = yield* server.as("alice")
  const carol = yield* server.as("carol")
  const bot = yield* startBot({
    database: yield* aDatabase,
    settings: { allowedUsers: [alice.userId, carol.userId] }
  })
  const room = yield* aChat(alice, "Tea")
  const ask = (body: string) =>
    alice.say(room, body).pipe(Effect.flatMap((question) => answerTo(alice, room, question)), Effect.map(bodyOf))
  return { server, alice, carol, bot, room, ask }
})

describe("commands", () => {
  it.effect("!help lists every command", () =>
    Effect.gen(function*() {
      const { ask } = yield* aChatWithAlice
      const help = yield* ask("!help")
      for (const name of commandNames) assert.include(help, `!${name}`)
      for (const name of settingNames()) assert.include(help, `\`${name}\``)
    }).pipe(Effect.provide(homeserver)))

  it.effect("!rename changes the title here and in the marker", () =>
    Effect.gen(function*() {
      const { ask, bot, room, server } = yield* aChatWithAlice
      assert.include(yield* ask(`!rename "Earl Grey"`), "Earl Grey")
      const [chat] = yield* bot.chats
      assert.include(chat, { title: "Earl Grey", revision: 2, markerRevision: 2 })
      assert.deepInclude(yield* (yield* server.as("bot")).roomAccountData(room, markerType), {
        title: "Earl Grey",
        revision: 2
      })
    }).pipe(Effect.provide(homeserver)))

  it.effect("!rename without a title says how it is used, and changes nothing", () =>
    Effect.gen(function*() {
      const { ask, bot } = yield* aChatWithAlice
      assert.include(yield* ask("!rename"), "!help rename")
      assert.include((yield* bot.chats)[0], { title: "Tea" })
    }).pipe(Effect.provide(homeserver)))

  it.effect("!archive puts a chat away and !register opens it again", () =>
    Effect.gen(function*() {
      const { ask, bot } = yield* aChatWithAlice
      assert.include(yield* ask("!archive"), "archived")
      assert.include(yield* ask("hello?"), "!unarchive")
      assert.notInclude(yield* ask("!chats"), "Tea")
      assert.include(yield* ask("!register"), "open again")
      assert.strictEqual(yield* ask("hello!"), "hello!")
      assert.include((yield* bot.chats)[0], { archived: false, title: "Tea" })
    }).pipe(Effect.provide(homeserver)))

  it.effect("!unarchive opens an archived chat again, here and in the marker", () =>
    Effect.gen(function*() {
      const { ask, bot, room, server } = yield* aChatWithAlice
      assert.include(yield* ask("!unarchive"), "`Tea` is not archived")
      assert.include(yield* ask("!archive"), "!unarchive")
      assert.include(yield* ask("!unarchive"), "`Tea` is open again")
      assert.strictEqual(yield* ask("hello!"), "hello!")
      assert.include((yield* bot.chats)[0], { archived: false, revision: 3, markerRevision: 3 })
      const marker = yield* (yield* server.as("bot")).roomAccountData(room, markerType)
      assert.deepInclude(marker, { archived: false, revision: 3 })
    }).pipe(Effect.provide(homeserver)))

  it.effect("!chats all shows archived chats, too, and the archived ones are a word away when no chat is open", () =>
    Effect.gen(function*() {
      const { alice, ask, room } = yield* aChatWithAlice
      yield* ask("!archive")
      assert.include(yield* ask("!chats"), "`!chats all`")
      const coffee = yield* aChat(alice, "Coffee")
      const [open, all] = [yield* ask("!chats"), yield* ask("!chats all")]
      assert.include(open, `- \`Coffee\` – [open](https://matrix.to/#/${encodeURIComponent(coffee)})`)
      assert.notInclude(open, "Tea")
      assert.include(all, "- `Coffee` – ")
      assert.include(all, `- \`Tea\` (archived) – [open](https://matrix.to/#/${encodeURIComponent(room)})`)
      assert.strictEqual(yield* ask("!chats archived"), all)
    }).pipe(Effect.provide(homeserver)))

  it.effect("!chats tells when somebody last wrote", () =>
    Effect.gen(function*() {
      const { alice, ask } = yield* aChatWithAlice
      const coffee = yield* aChat(alice, "Coffee")
      yield* aChat(alice, "Silence")
      yield* answerTo(alice, coffee, yield* alice.say(coffee, "hello"))
      const saying = (time: string) =>
        Effect.map(ask("!chats"), (list) => assert.match(list, new RegExp(`Coffee.*, last message ${time}$`, "m")))
      yield* saying("just now")
      yield* TestClock.adjust("61 seconds")
      yield* saying("1 minute ago")
      assert.notMatch(yield* ask("!chats"), /Silence.*last message/)
    }).pipe(Effect.provide(homeserver)))

  it.each(
    [
      ["59 seconds", "just now"],
      ["1 minute", "1 minute ago"],
      ["119 minutes", "1 hour ago"],
      ["3 hours", "3 hours ago"],
      ["50 hours", "2 days ago"]
    ] as const
  )("what was %s ago is told as %s", (time, words) => assert.strictEqual(ago(Duration.toMillis(time)), words))

  it.effect("!chats shows many chats page by page, each once", () =>
    Effect.gen(function*() {
      const { alice, ask, bot } = yield* aChatWithAlice
      for (let n = 1; n <= 40; n++) yield* aChat(alice, `Chat ${n}`)
      const pages = [yield* ask("!chats"), yield* ask("!chats 2"), yield* ask("!chats all 3")]
      assert.deepStrictEqual(pages.map((page) => page.split("\n")[0]), [
        "Your chats, page 1 of 3:",
        "Your chats, page 2 of 3:",
        "Your chats, page 3 of 3:"
      ])
      assert.deepStrictEqual(pages.map((page) => page.split("\n").at(-1)).slice(0, 2), [
        "Type `!chats 2` for the next page.",
        "Type `!chats 3` for the next page."
      ])
      const listed = pages.flatMap((page) => [...page.matchAll(/^- `(.*?)`/gm)].map(([, title]) => title))
      const titles = (yield* bot.chats).map(({ title }) => title)
      assert.deepStrictEqual(listed.toSorted(), titles.toSorted())
      assert.lengthOf(pages[2]?.match(/^- /gm) ?? [], 1)
      assert.include(yield* ask("!chats 4"), "There is no page 4: type `!chats 3` for the last one.")
    }).pipe(Effect.provide(homeserver)), 20_000)

  it.effect("!chats links the rooms of the person who asks, and nobody else's", () =>
    Effect.gen(function*() {
      const { ask, carol, room } = yield* aChatWithAlice
      yield* aChat(carol, "Coffee")
      const list = yield* ask("!chats")
      assert.include(list, "Tea")
      assert.include(list, encodeURIComponent(room))
      assert.notInclude(list, "Coffee")
    }).pipe(Effect.provide(homeserver)))

  it.effect("!status tells account, chats and the last reconciliation", () =>
    Effect.gen(function*() {
      const { ask } = yield* aChatWithAlice
      const status = yield* ask("!status")
      for (const part of [botId, "1 chat,", "last reconciliation"]) assert.include(status, part)
    }).pipe(Effect.provide(homeserver)))

  it.effect("!register leaves the marker of a newer version alone", () =>
    Effect.gen(function*() {
      const { alice, bot, room, server } = yield* aChatWithAlice
      yield* bot.stop
      const newer = { version: 2, chat: "something else" }
      yield* (yield* server.as("bot")).setRoomAccountData(room, markerType, newer)
      const lost = yield* startBot({ database: yield* aDatabase })
      yield* TestClock.adjust("1 second")
      const answer = yield* answerTo(alice, room, yield* alice.say(room, "!register"))
      assert.include(bodyOf(answer), "newer version")
      assert.deepStrictEqual(yield* lost.chats, [])
      assert.deepStrictEqual(yield* (yield* server.as("bot")).roomAccountData(room, markerType), newer)
    }).pipe(Effect.provide(homeserver)))

  it.effect("!why tells what became of the message that it replies to, or of a reference code, in this room only", () =>
    Effect.gen(function*() {
      const { alice, ask, carol, room } = yield* aChatWithAlice
      const question = yield* alice.say(room, "hello")
      yield* answerTo(alice, room, question)
      const why = yield* alice.say(room, "!why", { "m.relates_to": { "m.in_reply_to": { event_id: question } } })
      assert.include(bodyOf(yield* answerTo(alice, room, why)), "It was answered")
      assert.include(yield* ask("!why"), "Reply to the message")
      assert.include(yield* ask("!why 0000000Z"), "nothing")
      const elsewhere = yield* aChat(carol, "Coffee")
      const secret = yield* carol.say(elsewhere, "a secret")
      yield* answerTo(carol, elsewhere, secret)
      assert.include(yield* ask(`!why ${secret}`), "nothing")
    }).pipe(Effect.provide(homeserver)))

  it.effect("a typo gets a suggestion", () =>
    Effect.gen(function*() {
      const { ask } = yield* aChatWithAlice
      assert.include(yield* ask("!renmae Tea"), "!rename")
    }).pipe(Effect.provide(homeserver)))

  it.effect("a title is shown as it is, never as markup", () =>
    Effect.gen(function*() {
      const { alice, room } = yield* aChatWithAlice
      const answer = yield* answerTo(
        alice,
        room,
        yield* alice.say(room, "!rename [click](https://evil.test) <b>me</b>")
      )
      assert.strictEqual(
        answer.content["formatted_body"],
        "<p>This chat is now called <code>[click](https://evil.test) &lt;b&gt;me&lt;/b&gt;</code>. I may not rename the room, so it keeps its name.</p>"
      )
    }).pipe(Effect.provide(homeserver)))

  it.effect("only the owner changes a chat", () =>
    Effect.gen(function*() {
      const { alice, bot, carol, room } = yield* aChatWithAlice
      yield* alice.invite(room, carol.userId)
      yield* carol.join(room)
      for (const command of ["!rename Mine", "!archive", "!unarchive", "!set backlog skip"]) {
        const refused = yield* answerTo(carol, room, yield* carol.say(room, command))
        assert.include(bodyOf(refused), "Only the owner", command)
      }
      assert.deepInclude((yield* bot.chats)[0], { title: "Tea", archived: false, revision: 1 })
    }).pipe(Effect.provide(homeserver)))
})

describe("invites", () => {
  it.effect("from an allowed user make a chat: joined, registered, marked, greeted", () =>
    Effect.gen(function*() {
      const { alice, bot, room, server } = yield* aChatWithAlice
      // The sync that brings the join knows nothing of the marker yet: the chat is told once more that it stands.
      yield* TestClock.adjust("1 second")
      const [chat] = yield* bot.chats
      assert.deepInclude(chat, { title: "Tea", owner: alice.userId, archived: false, revision: 1, markerRevision: 1 })
      assert.deepInclude(yield* (yield* server.as("bot")).roomAccountData(room, markerType), {
        version: 1,
        account: botId,
        chat_id: chat?.id,
        room_id: room,
        owner: alice.userId,
        title: "Tea"
      })
    }).pipe(Effect.provide(homeserver)))

  it.effect("from anybody else are declined, with a reason", () =>
    Effect.gen(function*() {
      const { bot, server } = yield* aChatWithAlice
      const mallory = yield* server.as("mallory")
      const room = yield* mallory.createRoom({ name: "Trap", invite: [botId] })
      yield* TestClock.adjust("1 minute")
      const memberships = (yield* mallory.messages(room)).filter(({ state_key }) => state_key === botId)
      assert.deepStrictEqual(memberships.map(({ content }) => content["membership"]), ["invite", "leave"])
      assert.include(String(memberships[1]?.content["reason"]), "ask whoever runs me")
      assert.isDefined(bot.log.find(({ event, data }) => event === "invite_declined" && data["room"] === room))
      assert.strictEqual((yield* bot.chats).length, 1)
    }).pipe(Effect.provide(homeserver)))

  it.effect("that came while the bot was down are accepted when it starts", () =>
    Effect.gen(function*() {
      const server = yield* Homeserver
      const alice = yield* server.as("alice")
      const database = yield* aDatabase
      const first = yield* startBot({ database })
      yield* aChat(alice, "Tea")
      yield* first.stop
      const room = yield* alice.createRoom({ name: "Coffee", invite: [botId] })
      yield* startBot({ database })
      yield* alice.waitFor(room, ({ sender, type }) => sender === botId && type === "m.room.message")
    }).pipe(Effect.provide(homeserver)))
})
