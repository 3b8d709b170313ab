import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { mostEdits } from "../../src/domain/Edit.ts"
import { text } from "../../src/domain/Message.ts"
import type { RawEvent } from "../../src/domain/SyncBatch.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect, serverError } from "../../src/layers/Homeserver/Faults.ts"
import type { Person } from "../../src/layers/Homeserver/Person.ts"
import { Responder } from "../../src/layers/Responder.ts"
import { Store } from "../../src/layers/Store.ts"
import { aChat, aDatabase, answerTo, bodyOf, botId, homeserver, startBot } from "./World.ts"

/** A responder that says each line by itself. */
const line = Layer.succeed(
  Responder,
  Responder.of({
    respond: (_chat, { body }) => Stream.fromIterable(body.split("\n").filter((words) => words !== "").map(text))
  })
)

const aConversation = Effect.fnUntraced(function*(options: Partial<Parameters<typeof startBot>[0]> = {}) {
  const server = yield* Homeserver
  const alice = yield* server.as("alice")
  const database = yield* aDatabase
  const bot = yield* startBot({ database, responder: line, ...options })
  const room = yield* aChat(alice)
  return { server, alice, bot, database, room, store: Context.get(database, Store) }
})

const edit = (person: Person, room: string, target: string, body: string, extra: Record<string, unknown> = {}) =>
  person.say(room, `* ${body}`, {
    "m.new_content": { msgtype: "m.text", body, ...extra },
    "m.relates_to": { rel_type: "m.replace", event_id: target }
  })

const relationOf = (event: RawEvent): Readonly<Record<string, unknown>> => {
  const relation = event.content["m.relates_to"]
  return typeof relation === "object" && relation !== null ? Object.fromEntries(Object.entries(relation)) : {}
}

const newBodyOf = (event: RawEvent): string => {
  const content = event.content["m.new_content"]
  return typeof content === "object" && content !== null && "body" in content ? String(content.body) : ""
}

/** What the bot's messages say now, as a client shows them: the newest edit of each, and nothing that was redacted. The greeting is left out. */
const shown = Effect.fnUntraced(function*(person: Person, room: string) {
  const bodies = new Map<string, string>()
  for (const event of yield* person.messages(room)) {
    if (event.sender !== botId || event.type !== "m.room.message" || event.content["body"] === undefined) continue
    const { event_id: target, rel_type: type } = relationOf(event)
    if (type !== "m.replace") bodies.set(event.event_id, bodyOf(event))
    else if (bodies.has(String(target))) bodies.set(String(target), newBodyOf(event))
  }
  return [...bodies.values()].slice(1)
})

/** Waits until an event of the inbox is settled and all that was to be said in the room was said. */
const settled = Effect.fnUntraced(function*(store: Store["Service"], key: string, room: string) {
  while (true) {
    const record = yield* store.inbox.find(key)
    const waiting = yield* store.outbox.pendingRooms
    if (record !== undefined && record.state !== "pending" && !waiting.some((one) => one === room)) return record
    yield* Effect.yieldNow
  }
})

describe("an edit of a question that was answered", () => {
  it.effect("is followed by its answer", () =>
    Effect.gen(function*() {
      const { alice, room, store } = yield* aConversation()
      const question = yield* alice.say(room, "helo")
      const answer = yield* answerTo(alice, room, question)
      const edited = yield* edit(alice, room, question, "hello")
      const follow = yield* alice.waitFor(room, ({ sender }) => sender === botId, { after: edited })
      assert.deepStrictEqual(follow.content, {
        msgtype: "m.text",
        body: "* hello",
        "m.mentions": {},
        "m.new_content": { msgtype: "m.text", body: "hello", "m.mentions": { user_ids: [alice.userId] } },
        "m.relates_to": { rel_type: "m.replace", event_id: answer.event_id }
      })
      assert.strictEqual((yield* store.inbox.find(edited))?.state, "answered")
      assert.deepStrictEqual(yield* shown(alice, room), ["hello"])
    }).pipe(Effect.provide(homeserver)))

  it.effect("makes more parts of the answer, and fewer, and more again", () =>
    Effect.gen(function*() {
      const { alice, room, store } = yield* aConversation()
      const question = yield* alice.say(room, "one\ntwo")
      yield* settled(store, question, room)
      for (const words of [["a", "b", "c"], ["d"], ["e", "f"], [], ["g"]]) {
        yield* settled(store, yield* edit(alice, room, question, words.join("\n")), room)
        assert.deepStrictEqual(yield* shown(alice, room), words)
      }
      const replies = (yield* alice.messages(room)).filter((event) => event.sender === botId && newBodyOf(event) === "")
      assert.include(JSON.stringify(replies.at(-1)?.content), question, "what is added answers the question")
    }).pipe(Effect.provide(homeserver)))

  it.effect("counts as the last of several in a row", () =>
    Effect.gen(function*() {
      const { alice, room, store } = yield* aConversation()
      const question = yield* alice.say(room, "first")
      yield* answerTo(alice, room, question)
      yield* edit(alice, room, question, "second")
      const last = yield* edit(alice, room, question, "third")
      yield* settled(store, last, room)
      assert.deepStrictEqual(yield* shown(alice, room), ["third"])
    }).pipe(Effect.provide(homeserver)))

  it.effect("that came while the bot worked on the first words is answered after these", () =>
    Effect.gen(function*() {
      const begun = yield* Deferred.make<void>()
      const ready = yield* Deferred.make<void>()
      const slow = Layer.succeed(
        Responder,
        Responder.of({
          respond: (_chat, { body }) =>
            body !== "slow" ? Stream.make(text(body)) : Stream.fromEffect(
              Deferred.succeed(begun, undefined).pipe(
                Effect.andThen(Deferred.await(ready)),
                Effect.as(text("the old answer"))
              )
            )
        })
      )
      const { alice, room, store } = yield* aConversation({ responder: slow })
      const other = yield* aChat(alice, "Other")
      const question = yield* alice.say(room, "slow")
      yield* Deferred.await(begun)
      const edited = yield* edit(alice, room, question, "new words")
      // Taken in, because what came after it was answered.
      yield* answerTo(alice, other, yield* alice.say(other, "hello"))
      yield* Deferred.succeed(ready, undefined)
      yield* settled(store, edited, room)
      assert.deepStrictEqual(yield* shown(alice, room), ["new words"])
    }).pipe(Effect.provide(homeserver)))

  it.effect("is answered once by a bot that was stopped, or lost the answers of the server, in the middle", () =>
    Effect.gen(function*() {
      const { alice, bot, database, room, server, store } = yield* aConversation()
      const question = yield* alice.say(room, "one")
      yield* answerTo(alice, room, question)
      // Carried out, but the bot cannot know: it is asked for again, with the same transaction id.
      yield* server.inject({ path: "/send/", user: botId, count: 2, effect: FaultEffect.LostAnswer() })
      const edited = yield* edit(alice, room, question, "two\nthree")
      while ((yield* store.inbox.find(edited))?.state !== "answered") yield* Effect.yieldNow
      const stopping = yield* Effect.forkChild(bot.stop)
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(stopping)
      yield* startBot({ database, responder: line })
      yield* TestClock.adjust("10 seconds")
      yield* settled(store, edited, room)
      assert.deepStrictEqual(yield* shown(alice, room), ["two", "three"])
      const sent = (yield* alice.messages(room)).filter(({ sender, type }) =>
        sender === botId && type === "m.room.message"
      )
      assert.lengthOf(sent, 4, "greeting, answer, its edit, the second part")
    }).pipe(Effect.provide(homeserver)))

  it.effect("waits behind an answer that is not sent yet", () =>
    Effect.gen(function*() {
      const { alice, room, server, store } = yield* aConversation()
      yield* server.inject({ path: "/send/", user: botId, count: 3, effect: serverError(502) })
      const question = yield* alice.say(room, "one")
      while ((yield* store.inbox.find(question))?.state !== "answered") yield* Effect.yieldNow
      const edited = yield* edit(alice, room, question, "two")
      while ((yield* store.inbox.find(edited))?.state !== "answered") yield* Effect.yieldNow
      for (let i = 0; i < 4; i++) yield* TestClock.adjust("10 seconds")
      yield* settled(store, edited, room)
      assert.deepStrictEqual(yield* shown(alice, room), ["two"])
    }).pipe(Effect.provide(homeserver)))

  it.effect("in a thread has its new parts there", () =>
    Effect.gen(function*() {
      const { alice, room, store } = yield* aConversation()
      const root = yield* alice.say(room, "root")
      const question = yield* alice.say(room, "one", { "m.relates_to": { rel_type: "m.thread", event_id: root } })
      yield* answerTo(alice, room, question)
      const edited = yield* edit(alice, room, question, "two\nthree")
      yield* settled(store, edited, room)
      const added = (yield* alice.messages(room)).find((event) => event.sender === botId && bodyOf(event) === "three")
      assert.deepInclude(added?.content["m.relates_to"], {
        rel_type: "m.thread",
        event_id: root,
        is_falling_back: false,
        "m.in_reply_to": { event_id: question }
      })
    }).pipe(Effect.provide(homeserver)))

  it.effect("is let through the gate as its message was, and by the same rules", () =>
    Effect.gen(function*() {
      const { alice, server, store } = yield* aConversation()
      const bea = yield* server.as("bea")
      const group = yield* alice.createRoom({ name: "Group", invite: [botId, bea.userId] })
      yield* alice.waitFor(group, ({ sender, type }) => sender === botId && type === "m.room.message")
      yield* bea.join(group)
      const question = yield* bea.say(group, `${botId} one`)
      yield* answerTo(bea, group, question)
      // Without the mention it is still the message that the bot was given.
      yield* settled(store, yield* edit(bea, group, question, "two"), group)
      assert.deepStrictEqual(yield* shown(alice, group), ["two"])
      const notice = yield* edit(bea, group, question, "three", { msgtype: "m.notice" })
      assert.include(yield* settled(store, notice, group), { state: "ignored", reason: "notice" })
      yield* answerTo(alice, group, yield* alice.say(group, "!set members owner"))
      const late = yield* edit(bea, group, question, "four")
      assert.include(yield* settled(store, late, group), { state: "ignored", reason: "not_the_owner" })
    }).pipe(Effect.provide(homeserver)))

  it.effect("of somebody else, in another room, of an edit, of what was ignored, and to or of a command, is not followed", () =>
    Effect.gen(function*() {
      const { alice, room, server, store } = yield* aConversation()
      const bea = yield* server.as("bea")
      const other = yield* aChat(alice, "Other")
      yield* alice.invite(room, bea.userId)
      yield* bea.join(room)
      const question = yield* alice.say(room, `${botId} one`)
      yield* answerTo(alice, room, question)
      const command = yield* alice.say(room, "!status")
      yield* answerTo(alice, room, command)
      const first = yield* edit(alice, room, question, "two")
      const passedOver = yield* alice.say(room, "not for the bot")
      yield* settled(store, passedOver, room)
      const keys = [
        [room, yield* edit(bea, room, question, "three")],
        [other, yield* edit(alice, other, question, "three")],
        [room, yield* edit(alice, room, first, "three")],
        [room, yield* edit(alice, room, passedOver, `${botId} three`)],
        [room, yield* edit(alice, room, command, "three")],
        [room, yield* edit(alice, room, question, "!archive")],
        [room, yield* edit(alice, room, "$nothing", "three")]
      ] as const
      for (const [room, key] of keys) {
        assert.include(yield* settled(store, key, room), { state: "ignored", reason: "edit" })
      }
      assert.deepStrictEqual((yield* shown(alice, room)).filter((body) => !body.startsWith("I am running")), ["two"])
      assert.isFalse((yield* store.chats.all).some(({ archived }) => archived))
    }).pipe(Effect.provide(homeserver)))

  it.effect(`is followed ${mostEdits} times`, () =>
    Effect.gen(function*() {
      const { alice, room, store } = yield* aConversation()
      const question = yield* alice.say(room, "one")
      yield* answerTo(alice, room, question)
      for (let i = 1; i <= mostEdits; i++) yield* edit(alice, room, question, `words ${i}`)
      const last = yield* edit(alice, room, question, "too many")
      assert.include(yield* settled(store, last, room), { state: "ignored", reason: "edited_too_often" })
      assert.deepStrictEqual(yield* shown(alice, room), [`words ${mostEdits}`])
    }).pipe(Effect.provide(homeserver)))

  it.effect("puts the answer in the place of a diagnostic, when it can be answered now", () =>
    Effect.gen(function*() {
      const responder = Layer.succeed(
        Responder,
        Responder.of({
          respond: (_chat, { body }) => body === "fail" ? Stream.fail("no idea") : Stream.make(text(body))
        })
      )
      const { alice, room, store } = yield* aConversation({ responder })
      const question = yield* alice.say(room, "fail")
      yield* answerTo(alice, room, question)
      yield* settled(store, yield* edit(alice, room, question, "better"), room)
      assert.deepStrictEqual(yield* shown(alice, room), ["better"])
      const failed = yield* edit(alice, room, question, "fail")
      assert.include(yield* settled(store, failed, room), { state: "failed" })
      const said = yield* shown(alice, room)
      assert.strictEqual(said[0], "better")
      assert.lengthOf(said, 2, "the answer stays, and the diagnostic stands below")
    }).pipe(Effect.provide(homeserver)))
})
