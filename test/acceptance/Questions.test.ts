import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { botOf, startReadyBot } from "./Bot.ts"
import { bodyOf, type Seen } from "./Person.ts"
import { openChat, scenario } from "./Scenario.ts"

const typingIn = (room: string, event: Seen): ReadonlyArray<unknown> | undefined => {
  const users = event.content["user_ids"]
  return event.type === "m.typing" && event.room === room && Array.isArray(users) ? users : undefined
}

/** Whether this says that `user` has read up to `event`. */
const isReceipt = (seen: Seen, event: string, user: string): boolean =>
  seen.type === "m.receipt" && JSON.stringify(seen.content[event] ?? {}).includes(user)

const relationOf = (event: Seen): Readonly<Record<string, unknown>> => {
  const relation = event.content["m.relates_to"]
  return typeof relation === "object" && relation !== null ? { ...relation } : {}
}

describe("an answer", () => {
  it.live("that takes long is seen coming, and what it answers is seen to be read", () =>
    Effect.gen(function*() {
      const { account, alice, environment } = yield* scenario()
      yield* startReadyBot(environment, botOf("test/acceptance/Thinker.ts"))
      const lobby = yield* openChat(alice, account.userId)
      const room = yield* openChat(alice, account.userId)
      const question = yield* alice.send(room, "think")
      yield* alice.waitFor("the bot to type", (event) => typingIn(room, event)?.includes(account.userId) === true)
      assert.deepStrictEqual(alice.repliesUntilNow(question), [])
      yield* alice.asks(lobby, "enough")
      assert.strictEqual(bodyOf(yield* alice.reply(question)), "think")
      yield* alice.waitFor("the bot to type no more", (event) => typingIn(room, event)?.length === 0)
      yield* alice.waitFor("the question to be read", (event) => isReceipt(event, question, account.userId))
    }))

  it.live("is edited with its question, removed with it where that is set, and stays in its thread", () =>
    Effect.gen(function*() {
      const { account, alice, start } = yield* scenario()
      yield* start
      const room = yield* openChat(alice, account.userId)
      const removed = (event: string) => (seen: Seen) =>
        seen.type === "m.room.redaction" && seen.sender === account.userId && seen.content["redacts"] === event

      const kept = yield* alice.send(room, "stays")
      const keptAnswer = yield* alice.reply(kept)
      yield* alice.redact(room, kept)

      const question = yield* alice.send(room, "the old words")
      const answer = yield* alice.reply(question)
      yield* alice.edit(room, question, "the new words")
      const edited = yield* alice.waitFor(
        "the answer to be edited",
        (event) => relationOf(event)["event_id"] === answer.id
      )
      assert.strictEqual(edited.sender, account.userId)
      assert.strictEqual(relationOf(edited)["rel_type"], "m.replace")
      assert.deepInclude(edited.content["m.new_content"], { body: "the new words" })

      yield* alice.asks(room, "!set redactions follow")
      yield* alice.redact(room, question)
      yield* alice.waitFor("the answer to be removed", removed(answer.id))

      const root = yield* alice.send(room, "a thread")
      yield* alice.reply(root)
      const inThread = yield* alice.send(room, "in it", {
        "m.relates_to": {
          rel_type: "m.thread",
          event_id: root,
          is_falling_back: true,
          "m.in_reply_to": { event_id: root }
        }
      })
      assert.deepInclude(relationOf(yield* alice.reply(inThread)), { rel_type: "m.thread", event_id: root })
      assert.isFalse(alice.sawUntilNow(removed(keptAnswer.id)))
    }))
})
