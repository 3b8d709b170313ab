import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { serverError } from "../../src/layers/Homeserver/Faults.ts"
import type { Person } from "../../src/layers/Homeserver/Person.ts"
import { Store } from "../../src/layers/Store.ts"
import { joinedRooms } from "./Provisioned.ts"
import { aChat, aDatabase, answerTo, bodyOf, botId, homeserver, startBot } from "./World.ts"

const goodbye = "This chat is deleted. Goodbye!"

const aConversation = Effect.gen(function*() {
  const server = yield* Homeserver
  const alice = yield* server.as("alice")
  const account = yield* server.as("bot")
  const database = yield* aDatabase
  const bot = yield* startBot({ database })
  const room = yield* aChat(alice)
  return { server, alice, account, bot, database, room, store: Context.get(database, Store) }
})

/** Alice has made two chats with `!new`, and is in their rooms and in her Space. */
const aSpace = Effect.gen(function*() {
  const world = yield* aConversation
  const { account, alice, room } = world
  for (const title of ["Plans", "Garden"]) yield* answerTo(alice, room, yield* alice.say(room, `!new ${title}`))
  const rooms = yield* joinedRooms(account)
  const madeFor = (title: string) =>
    rooms.find(({ origin }) => origin?.kind === "chat" && origin.title === title)?.roomId ?? ""
  const [plans, garden] = [madeFor("Plans"), madeFor("Garden")]
  const space = rooms.find(({ isSpace }) => isSpace)?.roomId ?? ""
  for (const made of [plans, garden, space]) yield* alice.join(made)
  const state = alice.request("GET", `/_matrix/client/v3/rooms/${encodeURIComponent(space)}/state`)
  /** What the Space lists now. */
  const listed = Effect.map(
    state,
    (body) =>
      (Array.isArray(body) ? body : []).flatMap(({ content, state_key, type }) =>
        type === "m.space.child" && Array.isArray(content.via) ? [String(state_key)] : []
      )
  )
  return { ...world, plans, garden, space, listed }
})

const react = (person: Person, room: string, target: string, key = "🗑️") =>
  person.send(room, "m.reaction", { "m.relates_to": { rel_type: "m.annotation", event_id: target, key } })

const asked = Effect.fnUntraced(function*(person: Person, room: string) {
  return yield* answerTo(person, room, yield* person.say(room, "!delete"))
})

const goodbyes = Effect.fnUntraced(function*(person: Person, room: string) {
  return (yield* person.messages(room)).filter((event) => event.sender === botId && bodyOf(event) === goodbye).length
})

const leaves = (person: Person, room: string) =>
  person.waitFor(
    room,
    ({ content, sender, type }) => sender === botId && type === "m.room.member" && content["membership"] === "leave"
  )

describe("a chat that is to be deleted", () => {
  it.effect("is, when its owner clicks the button: it is forgotten, said goodbye to, and left", () =>
    Effect.gen(function*() {
      const { account, alice, bot, database, room, store } = yield* aConversation
      const question = yield* asked(alice, room)
      const button = yield* alice.waitFor(room, ({ sender, type }) => sender === botId && type === "m.reaction")
      assert.deepStrictEqual(button.content, {
        "m.relates_to": { rel_type: "m.annotation", event_id: question.event_id, key: "🗑️" }
      })
      assert.lengthOf(yield* bot.chats, 1)
      // Without the variation selector, as some clients write it.
      yield* react(alice, room, question.event_id, "🗑")
      // Twice is once.
      yield* react(alice, room, question.event_id, "✅")
      yield* leaves(alice, room)
      assert.deepStrictEqual(yield* bot.chats, [])
      assert.deepStrictEqual(yield* account.roomAccountData(room, "dev.homing.chat"), {})
      assert.strictEqual(yield* goodbyes(alice, room), 1)
      while ((yield* store.outbox.pendingRooms).length > 0) yield* Effect.yieldNow
      yield* bot.stop
      const again = yield* startBot({ database })
      const other = yield* aChat(alice, "Other")
      yield* answerTo(alice, other, yield* alice.say(other, "hello"))
      assert.lengthOf(yield* again.chats, 1)
    }).pipe(Effect.provide(homeserver)))

  it.effect("is, when its owner types so after the question, and not before it", () =>
    Effect.gen(function*() {
      const { alice, bot, room } = yield* aConversation
      const hasty = yield* answerTo(alice, room, yield* alice.say(room, "!delete confirm"))
      assert.include(bodyOf(hasty), "nothing to confirm")
      yield* asked(alice, room)
      yield* alice.say(room, "!delete confirm")
      yield* leaves(alice, room)
      assert.deepStrictEqual(yield* bot.chats, [])
      assert.strictEqual(yield* goodbyes(alice, room), 1)
    }).pipe(Effect.provide(homeserver)))

  it.effect("takes no chat with it that came into the room meanwhile", () =>
    Effect.gen(function*() {
      const { alice, bot, database, room } = yield* aConversation
      yield* asked(alice, room)
      yield* bot.stop
      yield* alice.say(room, "!delete confirm")
      yield* alice.say(room, "!register Second")
      const question = yield* alice.say(room, "hello?")
      const again = yield* startBot({ database })
      assert.strictEqual(bodyOf(yield* answerTo(alice, room, question)), "hello?")
      assert.deepStrictEqual((yield* again.chats).map(({ binding, title }) => [binding?.roomId, title]), [[
        room,
        "Second"
      ]])
      const late = yield* answerTo(alice, room, yield* alice.say(room, "!delete confirm"))
      assert.include(bodyOf(late), "nothing to confirm")
    }).pipe(Effect.provide(homeserver)))

  it.effect("stays when somebody else says yes, or its owner something else, or to something else", () =>
    Effect.gen(function*() {
      const { alice, bot, room, server, store } = yield* aConversation
      const bea = yield* server.as("bea")
      yield* alice.invite(room, bea.userId)
      yield* bea.join(room)
      const refused = yield* answerTo(bea, room, yield* bea.say(room, "!delete"))
      assert.include(bodyOf(refused), "Only the owner")
      const question = yield* asked(alice, room)
      const reactions = [
        yield* react(bea, room, question.event_id),
        yield* react(alice, room, question.event_id, "👍"),
        yield* react(alice, room, refused.event_id)
      ]
      const other = yield* answerTo(bea, room, yield* bea.say(room, "!delete confirm"))
      assert.include(bodyOf(other), "nothing to confirm")
      assert.lengthOf(yield* bot.chats, 1)
      for (const reaction of reactions) assert.isUndefined(yield* store.inbox.find(reaction), "it costs no row")
    }).pipe(Effect.provide(homeserver)))

  it.effect("stays when the yes comes after ten minutes, and its owner is told", () =>
    Effect.gen(function*() {
      const { alice, bot, room, store } = yield* aConversation
      const question = yield* asked(alice, room)
      yield* TestClock.adjust("11 minutes")
      yield* react(alice, room, question.event_id)
      yield* alice.waitFor(room, (event) => event.sender === botId && bodyOf(event).startsWith("That was too late"))
      const again = yield* react(alice, room, question.event_id, "✅")
      yield* answerTo(alice, room, yield* alice.say(room, "hello"))
      assert.isUndefined(yield* store.inbox.find(again))
      assert.lengthOf(yield* bot.chats, 1)
    }).pipe(Effect.provide(homeserver)))

  it.effect("is deleted by an edited command no more than any other is carried out", () =>
    Effect.gen(function*() {
      const { alice, bot, room, store } = yield* aConversation
      const said = yield* alice.say(room, "hello")
      yield* answerTo(alice, room, said)
      yield* asked(alice, room)
      const edit = yield* alice.say(room, "* !delete confirm", {
        "m.new_content": { msgtype: "m.text", body: "!delete confirm" },
        "m.relates_to": { rel_type: "m.replace", event_id: said }
      })
      yield* answerTo(alice, room, yield* alice.say(room, "the end"))
      assert.include(yield* store.inbox.find(edit), { state: "ignored", reason: "edit" })
      assert.lengthOf(yield* bot.chats, 1)
    }).pipe(Effect.provide(homeserver)))

  for (const path of ["/send/m.room.message", "/account_data/dev.homing.chat", "/leave"]) {
    it.effect(`ends so when the server takes no ${path} before the bot is stopped`, () =>
      Effect.gen(function*() {
        const { account, alice, bot, database, room, server, store } = yield* aConversation
        const question = yield* asked(alice, room)
        yield* server.inject({ path, user: botId, count: 1000, effect: serverError(502) })
        yield* react(alice, room, question.event_id)
        while ((yield* bot.chats).length > 0) yield* Effect.yieldNow
        const stopping = yield* Effect.forkChild(bot.stop)
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(stopping)
        const again = yield* startBot({ database })
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* again.chats, [], "the marker, where it stands, restores nothing")
        yield* server.clearFaults
        for (let i = 0; i < 3; i++) yield* TestClock.adjust("1 minute")
        yield* leaves(alice, room)
        assert.strictEqual(yield* goodbyes(alice, room), 1)
        assert.deepStrictEqual(yield* account.roomAccountData(room, "dev.homing.chat"), {})
        assert.deepStrictEqual(yield* again.chats, [])
        while ((yield* store.outbox.pendingRooms).length > 0) yield* Effect.yieldNow
      }).pipe(Effect.provide(homeserver)))
  }

  it.effect("is taken out of the Space that lists it, and no other is", () =>
    Effect.gen(function*() {
      const { account, alice, bot, database, garden, listed, plans } = yield* aSpace
      assert.sameMembers(yield* listed, [plans, garden])
      yield* react(alice, plans, (yield* asked(alice, plans)).event_id)
      yield* leaves(alice, plans)
      assert.deepStrictEqual(yield* listed, [garden])
      yield* bot.stop
      const again = yield* startBot({ database })
      yield* answerTo(alice, garden, yield* alice.say(garden, "hello"))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* listed, [garden])
      assert.notInclude((yield* joinedRooms(account)).map(({ roomId }) => roomId), plans)
      assert.lengthOf(yield* again.chats, 2)
    }).pipe(Effect.provide(homeserver)))

  it.effect("is taken out of the Space by the next start, where the server did not take that before", () =>
    Effect.gen(function*() {
      const { alice, bot, database, garden, listed, plans, server } = yield* aSpace
      const question = yield* asked(alice, plans)
      yield* server.inject({ path: "/state/m.space.child", user: botId, count: 1000, effect: serverError(502) })
      yield* react(alice, plans, question.event_id)
      while ((yield* bot.chats).length > 2) yield* Effect.yieldNow
      const stopping = yield* Effect.forkChild(bot.stop)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(stopping)
      assert.sameMembers(yield* listed, [plans, garden])
      yield* startBot({ database })
      yield* server.clearFaults
      for (let i = 0; i < 3; i++) yield* TestClock.adjust("1 minute")
      yield* leaves(alice, plans)
      assert.deepStrictEqual(yield* listed, [garden])
    }).pipe(Effect.provide(homeserver)))

  it.effect("is deleted and left also where the bot has no say in the Space any more", () =>
    Effect.gen(function*() {
      const { account, alice, garden, listed, plans, space } = yield* aSpace
      yield* account.setState(space, "m.room.power_levels", { users: { [alice.userId]: 100 }, state_default: 100 })
      yield* react(alice, plans, (yield* asked(alice, plans)).event_id)
      yield* leaves(alice, plans)
      assert.sameMembers(yield* listed, [plans, garden])
      assert.strictEqual(yield* goodbyes(alice, plans), 1)
    }).pipe(Effect.provide(homeserver)))

  it.effect("does not come back with its marker, nor with the room that was made for it", () =>
    Effect.gen(function*() {
      const { account, alice, bot, database, room } = yield* aConversation
      yield* alice.say(room, "!new Plans")
      const made = yield* alice.waitFor(room, (event) =>
        event.sender === botId && bodyOf(event).includes("has a room now"))
      const plans = /#\/(!\S+?)\?via/.exec(decodeURIComponent(bodyOf(made)))?.[1] ?? ""
      yield* alice.join(plans)
      const marker = yield* account.roomAccountData(plans, "dev.homing.chat")
      const question = yield* asked(alice, plans)
      yield* react(alice, plans, question.event_id)
      yield* leaves(alice, plans)
      yield* bot.stop
      // As if the bot had never left, and its marker came with a backup of the server.
      yield* alice.invite(plans, botId)
      yield* account.join(plans)
      yield* account.setRoomAccountData(plans, "dev.homing.chat", Object.fromEntries(Object.entries(Object(marker))))
      const again = yield* startBot({ database })
      yield* answerTo(alice, room, yield* alice.say(room, "hello"))
      assert.deepStrictEqual(
        (yield* again.chats).map(({ title }) =>
          title
        ),
        ["Tea"]
      )
      const diagnostic = yield* answerTo(alice, plans, yield* alice.say(plans, "are you there?"))
      assert.include(bodyOf(diagnostic), "!register")
      const opened = yield* answerTo(alice, plans, yield* alice.say(plans, "!register Anew"))
      assert.include(bodyOf(opened), "Anew")
      assert.lengthOf(yield* again.chats, 2)
    }).pipe(Effect.provide(homeserver)))
})
