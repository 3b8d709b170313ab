import { assert, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { rateLimited, serverError } from "../../src/layers/Homeserver/Faults.ts"
import { Store } from "../../src/layers/Store.ts"
import { becameOf } from "../../src/programs/Why.ts"
import { aChat, aDatabase, answerTo, homeserver, startBot } from "./World.ts"

it.effect("a reply that waits to be sent again tells the operator how often it was tried, and why it waits", () =>
  Effect.gen(function*() {
    const database = yield* aDatabase
    const store = Context.get(database, Store)
    const server = yield* Homeserver
    const alice = yield* server.as("alice")
    yield* startBot({ database })
    const room = yield* aChat(alice)
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
