import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import { UserId } from "../../src/domain/Ids.ts"
import { markerType } from "../../src/domain/Marker.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect } from "../../src/layers/Homeserver/Faults.ts"
import type { Person } from "../../src/layers/Homeserver/Person.ts"
import { Store } from "../../src/layers/Store.ts"
import { joinedRooms } from "./Provisioned.ts"
import { aChat, aDatabase, answerTo, bodyOf, botId, homeserver, startBot } from "./World.ts"

const olga = UserId.make("@olga:homing.test")

/** Alice has a chat; Olga, the operator, talks to the bot alone. */
const anOffice = Effect.gen(function*() {
  const server = yield* Homeserver
  const [alice, operator, account] = [yield* server.as("alice"), yield* server.as("olga"), yield* server.as("bot")]
  const database = yield* aDatabase
  const bot = yield* startBot({ database, settings: { admins: [olga], allowedUsers: [alice.userId] } })
  const tea = yield* aChat(alice, "Tea")
  const office = yield* aChat(operator, "Office")
  const ask = (body: string, person: Person = operator, room: string = office) =>
    person.say(room, body).pipe(Effect.flatMap((question) => answerTo(person, room, question)), Effect.map(bodyOf))
  return { account, alice, ask, bot, database, office, operator, server, store: Context.get(database, Store), tea }
})

describe("!admin", () => {
  it.effect("is for the operators, who may talk to the bot whoever else may", () =>
    Effect.gen(function*() {
      const { ask } = yield* anOffice
      const status = yield* ask("!admin status")
      assert.include(status, "2 chats, 0 of them without a room")
      assert.match(status, /- running, last sync answer just now$/)
      assert.include(yield* ask("!admin"), "`!admin leave <room id>`")
      assert.include(yield* ask("!help"), "`!admin chats [page]`")
      assert.include(yield* ask("!amdin"), "Did you mean `!admin`?")
      assert.include(yield* ask("!admin chat"), "Did you mean chats?")
    }).pipe(Effect.provide(homeserver)))

  it.effect("is no command to anybody else, nor where somebody else listens", () =>
    Effect.gen(function*() {
      const { alice, ask, office, operator, tea } = yield* anOffice
      const unknown = (yield* ask("!xyzzy", alice, tea)).replaceAll("xyzzy", "admin")
      for (const body of ["!admin", "!admin chats", "!admin leave me"]) {
        assert.strictEqual(yield* ask(body, alice, tea), unknown)
      }
      assert.notInclude(yield* ask("!help", alice, tea), "admin")
      assert.notInclude(yield* ask("!help admin", alice, tea), "outbox")
      assert.notInclude(yield* ask("!amdin", alice, tea), "admin")

      yield* operator.invite(office, alice.userId)
      yield* alice.join(office)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* ask("!admin status"), unknown)
      assert.notInclude(yield* ask("!help"), "admin")
    }).pipe(Effect.provide(homeserver)))

  it.effect("works in a room that shows no chat", () =>
    Effect.gen(function*() {
      const { account, ask, bot, office } = yield* anOffice
      yield* bot.stop
      yield* account.setRoomAccountData(office, markerType, {})
      yield* startBot({ database: yield* aDatabase, settings: { admins: [olga] } })
      yield* TestClock.adjust("1 second")
      assert.include(yield* ask("!admin chats"), "1 chat:")
    }).pipe(Effect.provide(homeserver)))

  it.effect("lists everybody's chats, a page at a time", () =>
    Effect.gen(function*() {
      const { alice, ask, tea } = yield* anOffice
      for (let number = 1; number <= 20; number++) yield* aChat(alice, `Room ${number}`)
      yield* answerTo(alice, tea, yield* alice.say(tea, "hello"))
      const first = yield* ask("!admin chats")
      assert.include(first, "22 chats, page 1 of 2:")
      assert.include(first, `- \`Tea\` of \`${alice.userId}\`, open, [\`${tea}\`](https://matrix.to/#/`)
      assert.include(first, "last message just now")
      assert.strictEqual((yield* ask("!admin chats 2")).split("\n").filter((line) => line.startsWith("-")).length, 2)
      assert.strictEqual(yield* ask("!admin chats 3"), "There is no page 3: the last one is 2.")
    }).pipe(Effect.provide(homeserver)))

  it.effect("tells what a start would find, and changes nothing", () =>
    Effect.gen(function*() {
      const { alice, ask, bot, store } = yield* anOffice
      const lounge = yield* alice.createRoom({ name: "Lounge", invite: [botId] })
      yield* (yield* (yield* Homeserver).as("bot")).join(lounge)
      yield* store.chats.put((yield* bot.chats)[0] ?? assert.fail("no chat"))
      const before = yield* bot.chats
      const reports = yield* store.reports.latest(100)
      const told = yield* ask("!admin reconcile")
      assert.match(told, /^```\nA start would find 3 rooms on the server and/)
      assert.match(told, /Nothing was changed\.\n```$/)
      assert.deepStrictEqual(yield* bot.chats, before)
      assert.deepStrictEqual(yield* store.reports.latest(100), reports)
    }).pipe(Effect.provide(homeserver)))

  it.effect("sends a message again that could not be delivered, or never", () =>
    Effect.gen(function*() {
      const { alice, ask, server, tea } = yield* anOffice
      assert.strictEqual(yield* ask("!admin outbox"), "Everything was delivered.")
      const refused = FaultEffect.Answer({ status: 403, body: { errcode: "M_FORBIDDEN", error: "No." } })
      yield* server.inject({ path: encodeURIComponent(tea) + "/send", count: 2, effect: refused })
      const one = yield* alice.say(tea, "one ``` two")
      yield* alice.say(tea, "two")
      yield* TestClock.adjust("1 second")
      const list = yield* ask("!admin outbox")
      assert.include(list, "forbidden (attempts: 1)")
      assert.match(list, /^````\n/, "fenced by more than what it holds")
      const [second = "", first = ""] = Array.from(list.matchAll(/dead {2}(\S+)/g), ([, id]) => id)
      assert.include(yield* ask(`!admin outbox drop ${second}`), "will not be sent")
      assert.include(yield* ask(`!admin outbox retry ${first}`), "within a minute")
      assert.include(yield* ask(`!admin outbox retry ${second}`), "There is no message")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(bodyOf(yield* answerTo(alice, tea, one)), "one ``` two")
      assert.strictEqual(yield* ask("!admin outbox"), "Everything was delivered.")
    }).pipe(Effect.provide(homeserver)))

  it.effect("leaves a room, whose chat is kept and comes back with an invite", () =>
    Effect.gen(function*() {
      const { account, alice, ask, bot, office, tea } = yield* anOffice
      const told = yield* ask(`!admin leave ${tea}`)
      assert.include(told, `I have left \`${tea}\`. Its chat \`Tea\` is kept`)
      assert.include((yield* bot.chats).find(({ title }) => title === "Tea"), { binding: null, detached: "left" })
      assert.deepStrictEqual((yield* joinedRooms(account)).map(({ roomId }) => String(roomId)), [office])
      yield* TestClock.adjust("1 second")
      assert.include(yield* ask(`!admin leave ${tea}`), "I am not in")
      assert.include(yield* ask(`!admin leave ${office}`), "leave it yourself")
      yield* alice.invite(tea, botId)
      yield* alice.waitFor(tea, (event) => bodyOf(event).includes("goes on where it stopped"))
    }).pipe(Effect.provide(homeserver)))
})
