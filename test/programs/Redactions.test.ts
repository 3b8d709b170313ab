import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { text } from "../../src/domain/Message.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect, serverError } from "../../src/layers/Homeserver/Faults.ts"
import type { Person } from "../../src/layers/Homeserver/Person.ts"
import { Responder } from "../../src/layers/Responder.ts"
import { Store } from "../../src/layers/Store.ts"
import { aChat, aDatabase, answerTo, botId, homeserver, startBot } from "./World.ts"

const line = Layer.succeed(
  Responder,
  Responder.of({ respond: (_chat, { body }) => Stream.fromIterable(body.split("\n").map(text)) })
)

/** A chat whose answers follow their questions, or not. */
const aConversation = Effect.fnUntraced(function*(redactions: "keep" | "follow") {
  const server = yield* Homeserver
  const alice = yield* server.as("alice")
  const database = yield* aDatabase
  const bot = yield* startBot({ database, responder: line })
  const room = yield* aChat(alice)
  yield* answerTo(alice, room, yield* alice.say(room, `!set redactions ${redactions}`))
  return { server, alice, bot, database, room, store: Context.get(database, Store) }
})

/** What the bot said that can still be read: the greeting and what it says of the setting are left out. */
const readable = Effect.fnUntraced(function*(person: Person, room: string) {
  const said = (yield* person.messages(room)).filter(({ sender, type }) =>
    sender === botId && type === "m.room.message"
  )
  return said.slice(2).flatMap(({ content }) => content["body"] === undefined ? [] : [content["body"]])
})

/** Waits until nothing waits to be said in a room. */
const quiet = Effect.fnUntraced(function*(store: Store["Service"], room: string) {
  while ((yield* store.outbox.pendingRooms).some((one) => one === room)) yield* Effect.yieldNow
})

describe("a question that is redacted", () => {
  it.effect("takes its answer with it where the chat wants it so, with all parts and edits", () =>
    Effect.gen(function*() {
      const { alice, room, store } = yield* aConversation("follow")
      const question = yield* alice.say(room, "one\ntwo")
      yield* answerTo(alice, room, question)
      const edit = yield* alice.say(room, "* three\nfour", {
        "m.new_content": { msgtype: "m.text", body: "three\nfour" },
        "m.relates_to": { rel_type: "m.replace", event_id: question }
      })
      while ((yield* store.inbox.find(edit))?.state !== "answered") yield* Effect.yieldNow
      yield* quiet(store, room)
      yield* alice.redact(room, question)
      yield* alice.waitFor(room, ({ sender, type }) => sender === botId && type === "m.room.redaction")
      yield* quiet(store, room)
      assert.deepStrictEqual(yield* readable(alice, room), [])
      const late = yield* alice.say(room, "* five", {
        "m.new_content": { msgtype: "m.text", body: "five" },
        "m.relates_to": { rel_type: "m.replace", event_id: question }
      })
      yield* answerTo(alice, room, yield* alice.say(room, "the end"))
      assert.include(yield* store.inbox.find(late), { state: "ignored", reason: "redacted" })
      assert.deepStrictEqual(yield* readable(alice, room), ["the end"])
    }).pipe(Effect.provide(homeserver)))

  it.effect("leaves its answer where it stands otherwise", () =>
    Effect.gen(function*() {
      const { alice, room, store } = yield* aConversation("keep")
      const question = yield* alice.say(room, "one")
      yield* answerTo(alice, room, question)
      yield* alice.redact(room, question)
      yield* answerTo(alice, room, yield* alice.say(room, "the end"))
      yield* quiet(store, room)
      assert.deepStrictEqual(yield* readable(alice, room), ["one", "the end"])
    }).pipe(Effect.provide(homeserver)))

  it.effect("drops what was not sent, and takes back what may have been, once, also by a bot that was stopped meanwhile", () =>
    Effect.gen(function*() {
      const { alice, bot, database, room, server, store } = yield* aConversation("follow")
      // The first part is carried out, but the bot cannot know; from then on nothing gets through.
      yield* server.inject({ path: "/send/", user: botId, effect: FaultEffect.LostAnswer() })
      yield* server.inject({ path: "/send/", user: botId, count: 1000, effect: serverError(502) })
      const question = yield* alice.say(room, "one\ntwo\nthree")
      yield* alice.waitFor(room, ({ content }) => content["body"] === "one")
      while ((yield* store.outbox.list({ states: ["pending"], limit: 9 })).length < 3) yield* Effect.yieldNow
      const stopping = yield* Effect.forkChild(bot.stop)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(stopping)
      yield* alice.redact(room, question)
      yield* server.clearFaults
      yield* startBot({ database, responder: line })
      yield* TestClock.adjust("10 seconds")
      yield* alice.waitFor(room, ({ sender, type }) => sender === botId && type === "m.room.redaction")
      yield* quiet(store, room)
      assert.deepStrictEqual(yield* readable(alice, room), [])
      const [first, , third] = yield* store.outbox.answersTo(question)
      assert.include(first, { state: "sent" })
      assert.include(third, { state: "dropped" })
      const redacted = (yield* alice.messages(room)).flatMap(({ content, redacts, sender, type }) =>
        sender === botId && type === "m.room.redaction" ? [content["redacts"] ?? redacts] : []
      )
      assert.strictEqual(new Set(redacted).size, redacted.length, "each once")
      assert.include(redacted, first?.eventId)
    }).pipe(Effect.provide(homeserver)))
})
