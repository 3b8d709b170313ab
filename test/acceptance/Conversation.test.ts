import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { startReadyBot } from "./Bot.ts"
import { synapse } from "./Homeserver.ts"
import { bodyOf, makePerson, repliesTo } from "./Person.ts"
import { markerOf, openChat, scenario } from "./Scenario.ts"

describe("an invite", () => {
  it.live("of an allowed user is taken: the bot joins, registers a chat, writes its marker and greets", () =>
    Effect.gen(function*() {
      const { account, alice, behindTheBot, start } = yield* scenario()
      yield* start
      const room = yield* alice.createRoom({ name: "Groceries", invite: [account.userId] })
      const greeting = yield* alice.hears(room, account.userId)
      assert.match(bodyOf(greeting), /!help/)
      assert.strictEqual(greeting.content["msgtype"], "m.notice")
      assert.strictEqual(yield* alice.membership(room, account.userId), "join")

      const marker = yield* markerOf(yield* behindTheBot, room)
      assert.strictEqual(marker?.room_id, room)
      assert.strictEqual(marker?.owner, alice.userId)
      assert.strictEqual(marker?.title, "Groceries")
      assert.strictEqual(marker?.archived, false)
    }))

  it.live("into a room for two is listed as a direct chat until the bot is sent away", () =>
    Effect.gen(function*() {
      const { account, alice, behindTheBot, start } = yield* scenario()
      yield* start
      const lobby = yield* openChat(alice, account.userId)
      const room = yield* alice.createRoom({ direct: true, invite: [account.userId] })
      yield* alice.hears(room, account.userId)
      const bot = yield* behindTheBot
      assert.deepStrictEqual(yield* bot.directRoomsWith(alice.userId), [room])
      yield* alice.kick(room, account.userId)
      assert.match(yield* alice.asks(lobby, "!chats"), /no room: kicked/)
      yield* Effect.repeat(bot.directRoomsWith(alice.userId), {
        until: (rooms) => rooms === undefined,
        schedule: Schedule.spaced("100 millis")
      })
    }))

  it.live("that came while the bot was down is taken at the next start", () =>
    Effect.gen(function*() {
      const { account, alice, start } = yield* scenario()
      yield* (yield* start).stop
      const room = yield* alice.createRoom({ invite: [account.userId] })
      yield* start
      yield* alice.hears(room, account.userId)
      assert.strictEqual(yield* alice.asks(room, "are you there?"), "are you there?")
    }))

  it.live("of somebody who is not allowed is declined, and what they say is not answered but with that, once", () =>
    Effect.gen(function*() {
      const mallory = yield* makePerson("mallory")
      const { account, alice, environment } = yield* scenario()
      const bot = yield* startReadyBot({ ...environment, HOMING_ALLOWED_USERS: alice.userId })
      const trap = yield* mallory.createRoom({ invite: [account.userId] })
      const refused = yield* bot.logs("invite_declined", ({ annotations }) => annotations["room"] === trap)
      assert.strictEqual(refused.annotations["reason"], "invite_not_allowed")
      const declined = yield* mallory.waitFor(
        "the invite to be declined",
        ({ content, stateKey }) => stateKey === account.userId && content["membership"] === "leave"
      )
      assert.match(String(declined.content["reason"]), /^My operator has not allowed/)

      const room = yield* openChat(alice, account.userId)
      yield* alice.invite(room, mallory.userId)
      yield* mallory.join(room)
      const unheard = yield* mallory.send(room, "!help", { "m.mentions": { user_ids: [account.userId] } })
      const heard = yield* alice.asks(room, "hello", { "m.mentions": { user_ids: [account.userId] } })
      assert.strictEqual(heard, "hello")
      assert.match(alice.repliesUntilNow(unheard).join(), /^My operator has not allowed/)
    }))
})

describe("a message", () => {
  it.live("is answered with a reply to it", () =>
    Effect.gen(function*() {
      const { account, alice, start } = yield* scenario()
      yield* start
      const room = yield* openChat(alice, account.userId)
      const question = yield* alice.send(room, "hello there")
      const answer = yield* alice.reply(question)
      assert.strictEqual(bodyOf(answer), "hello there")
      assert.strictEqual(answer.sender, account.userId)
      assert.strictEqual(answer.content["msgtype"], "m.text")
      assert.strictEqual(repliesTo(answer), question)
    }))

  it.live("is answered in the order in which it was sent, once", () =>
    Effect.gen(function*() {
      const { account, alice, start } = yield* scenario()
      yield* start
      const room = yield* openChat(alice, account.userId)
      const bodies = Array.from({ length: 15 }, (_, i) => `message ${i}`)
      const questions = yield* Effect.forEach(bodies, (body) => alice.send(room, body))
      yield* Effect.forEach(questions, alice.reply)
      assert.deepStrictEqual(alice.saidUntilNow(room, account.userId).slice(1), bodies)
    }))

  it.live("that is a notice is not answered, and an edit changes the answer that there is", () =>
    Effect.gen(function*() {
      const { account, alice, start } = yield* scenario()
      yield* start
      const room = yield* openChat(alice, account.userId)
      const notice = yield* alice.send(room, "beep", { msgtype: "m.notice" })
      const question = yield* alice.send(room, "first")
      yield* alice.reply(question)
      const edit = yield* alice.edit(room, question, "second")
      yield* alice.asks(room, "last")
      assert.deepStrictEqual(alice.repliesUntilNow(notice), [])
      assert.deepStrictEqual(alice.repliesUntilNow(edit), [])
      assert.deepStrictEqual(alice.saidUntilNow(room, account.userId).slice(1), ["first", "* second", "last"])
    }))

  it.live("is answered under the homeserver's rate limit too, late but in order", () =>
    Effect.gen(function*() {
      const { account, alice, proxy, start } = yield* scenario()
      yield* start
      const room = yield* openChat(alice, account.userId)
      yield* limitRate(account.userId)
      const bodies = Array.from({ length: 8 }, (_, i) => `message ${i}`)
      const questions = yield* Effect.forEach(bodies, (body) => alice.send(room, body))
      yield* Effect.forEach(questions, alice.reply)
      assert.deepStrictEqual(alice.saidUntilNow(room, account.userId).slice(1), bodies)
      assert.isTrue(proxy.requests.some(({ status }) => status === 429))
    }))
})

describe("the commands", () => {
  it.live("answer, and what they change stands in the marker", () =>
    Effect.gen(function*() {
      const { account, alice, behindTheBot, start } = yield* scenario()
      yield* start
      const room = yield* openChat(alice, account.userId, "Groceries")
      const bot = yield* behindTheBot
      const before = yield* markerOf(bot, room)

      const help = yield* alice.asks(room, "!help")
      for (const command of ["!chats", "!rename", "!archive", "!register", "!status"]) assert.include(help, command)
      assert.include(yield* alice.asks(room, "!chats"), "Groceries")
      assert.include(yield* alice.asks(room, "!status"), account.userId)

      assert.include(yield* alice.asks(room, "!rename Shopping list"), "Shopping list")
      assert.include(yield* alice.asks(room, "!chats"), "Shopping list")
      const renamed = yield* markerOf(bot, room)
      assert.strictEqual(renamed?.title, "Shopping list")
      assert.strictEqual(renamed?.chat_id, before?.chat_id)
      assert.isAbove(renamed?.revision ?? 0, before?.revision ?? 0)

      assert.include(yield* alice.asks(room, "!archive"), "archived")
      assert.strictEqual((yield* markerOf(bot, room))?.archived, true)
      assert.match(yield* alice.asks(room, "anybody here?"), /archived/)

      assert.include(yield* alice.asks(room, "!register"), "open again")
      const opened = yield* markerOf(bot, room)
      assert.strictEqual(opened?.archived, false)
      assert.strictEqual(opened?.chat_id, before?.chat_id)
      assert.strictEqual(yield* alice.asks(room, "anybody here?"), "anybody here?")
    }))

  it.live("suggest the right one for a typo", () =>
    Effect.gen(function*() {
      const { account, alice, start } = yield* scenario()
      yield* start
      const room = yield* openChat(alice, account.userId)
      assert.include(yield* alice.asks(room, "!renam Shopping"), "!rename")
    }))
})

/** Synapse's own limit for one account: two messages, then one a second. */
const limitRate = (user: string) =>
  Effect.promise(() =>
    fetch(`${synapse.url}/_synapse/admin/v1/users/${user}/override_ratelimit`, {
      method: "POST",
      headers: { authorization: `Bearer ${synapse.adminToken}` },
      body: JSON.stringify({ messages_per_second: 1, burst_count: 2 })
    })
  )
