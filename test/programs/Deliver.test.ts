import { assert, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import { referenceCodeOf } from "../../src/domain/Diagnostic.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect, rateLimited, serverError } from "../../src/layers/Homeserver/Faults.ts"
import { Store } from "../../src/layers/Store.ts"
import { becameOf } from "../../src/programs/Why.ts"
import { aChat, aDatabase, answerTo, bodyOf, homeserver, repliedTo, startBot } from "./World.ts"

const aConversation = Effect.gen(function*() {
  const database = yield* aDatabase
  const server = yield* Homeserver
  const alice = yield* server.as("alice")
  yield* startBot({ database })
  return { alice, room: yield* aChat(alice), server, store: Context.get(database, Store) }
})

const refused = FaultEffect.Answer({ status: 400, body: { errcode: "M_BAD_JSON", error: "No." } })

it.effect("a reply that waits to be sent again tells the operator how often it was tried, and why it waits", () =>
  Effect.gen(function*() {
    const { alice, room, server, store } = yield* aConversation
    yield* server.inject({ path: "/send/", effect: serverError(502) })
    yield* server.inject({ path: "/send/", effect: rateLimited(600_000) })
    const question = yield* alice.say(room, "hello")
    yield* TestClock.adjust("1 minute")

    const [waiting] = yield* store.outbox.list({ states: ["pending"], limit: 10 })
    assert.deepInclude(waiting, { inboxKey: question, attempts: 2, reason: "RateLimited" })
    const record = yield* store.inbox.find(question)
    if (record === undefined) return assert.fail("the question is not known")
    assert.include(
      becameOf(record, yield* store.outbox.answersTo(question)).join("\n"),
      "waits to be sent again, after 2 attempts (RateLimited)."
    )

    yield* TestClock.adjust("10 minutes")
    yield* answerTo(alice, room, question)
    const [sent] = yield* store.outbox.answersTo(question)
    assert.deepInclude(sent, { state: "sent", attempts: 3, reason: undefined })
  }).pipe(Effect.provide(homeserver)))

it.effect("an answer that the homeserver refuses is followed by a word with the reference code, where the answer was to stand", () =>
  Effect.gen(function*() {
    const { alice, room, server, store } = yield* aConversation
    const root = yield* alice.say(room, "a thread")
    yield* answerTo(alice, room, root)
    yield* server.inject({ path: "/send/", effect: refused })
    const question = yield* alice.say(room, "hello", { "m.relates_to": { rel_type: "m.thread", event_id: root } })
    const told = yield* answerTo(alice, room, question)
    assert.strictEqual(
      bodyOf(told),
      `The homeserver does not take my answer. Ask in other words, or give the operator this code: **${
        referenceCodeOf(question)
      }**`
    )
    assert.deepInclude(told.content["m.relates_to"], { rel_type: "m.thread", event_id: root })
    yield* TestClock.adjust("1 second")
    const answers = yield* store.outbox.answersTo(question)
    assert.deepStrictEqual(answers.map(({ reason, state }) => [state, reason]), [
      ["dead", "rejected: M_BAD_JSON"],
      ["sent", undefined]
    ])
  }).pipe(Effect.provide(homeserver)))

it.effect("a homeserver that refuses that, too, is told nothing more", () =>
  Effect.gen(function*() {
    const { alice, room, server, store } = yield* aConversation
    yield* server.inject({ path: "/send/", count: 2, effect: refused })
    const question = yield* alice.say(room, "hello")
    const next = yield* alice.say(room, "and now?")
    yield* answerTo(alice, room, next)
    yield* TestClock.adjust("1 minute")
    assert.isFalse((yield* alice.messages(room)).some((event) => repliedTo(event) === question))
    assert.deepStrictEqual((yield* store.outbox.answersTo(question)).map(({ state }) => state), ["dead", "dead"])
  }).pipe(Effect.provide(homeserver)))
