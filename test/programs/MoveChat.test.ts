import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import { ChatId } from "../../src/domain/Ids.ts"
import { markerType } from "../../src/domain/Marker.ts"
import { Checkpoint } from "../../src/layers/Checkpoint.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect } from "../../src/layers/Homeserver/Faults.ts"
import type { Person } from "../../src/layers/Homeserver/Person.ts"
import { Store } from "../../src/layers/Store.ts"
import { mortal } from "./Mortal.ts"
import { inTime } from "./Provisioned.ts"
import { aChat, aDatabase, answerTo, bodyOf, botId, homeserver, repliedTo, startBot } from "./World.ts"

const asking = (person: Person) => (room: string, body: string) =>
  person.say(room, body).pipe(Effect.flatMap((question) => answerTo(person, room, question)), Effect.map(bodyOf))

/** Alice's bot, with its chat Tea, in which she has said something. */
const aBotWithTea = Effect.gen(function*() {
  const server = yield* Homeserver
  const [alice, account] = [yield* server.as("alice"), yield* server.as("bot")]
  const database = yield* aDatabase
  const bot = yield* startBot({ database })
  const tea = yield* aChat(alice, "Tea")
  const ask = asking(alice)
  yield* ask(tea, "hello")
  const markerOf = (room: string) => account.roomAccountData(room, markerType)
  const chats = Context.get(database, Store).chats
  const titlesByRoom = Effect.map(
    chats.all,
    (all) => Object.fromEntries(all.map(({ binding, id, title }) => [binding?.roomId ?? id, title]))
  )
  return { server, alice, account, database, bot, tea, ask, markerOf, chats, titlesByRoom }
})

const greetingIn = (person: Person, room: string) =>
  Effect.map(person.waitFor(room, ({ sender, type }) => sender === botId && type === "m.room.message"), bodyOf)

/** The same, where the bot was kicked out of Tea and is invited to a new room. */
const withoutRoom = Effect.gen(function*() {
  const world = yield* aBotWithTea
  const { alice, tea } = world
  yield* alice.kick(tea, botId)
  yield* TestClock.adjust("1 second")
  const lounge = yield* alice.createRoom({ name: "Lounge", invite: [botId] })
  return { ...world, lounge, greeting: yield* greetingIn(alice, lounge) }
})

const reportOf = (bot: { readonly log: ReadonlyArray<{ readonly event: string; readonly data: unknown }> }) =>
  bot.log.find(({ event }) => event === "matrix_reconcile_complete")?.data

describe("!move", () => {
  it.effect("takes a chat that lost its room to the one that the bot was invited to, as that offers", () =>
    Effect.gen(function*() {
      const { ask, chats, greeting, lounge, markerOf, tea, titlesByRoom } = yield* withoutRoom
      assert.include(greeting, "You have a chat without a room: `Tea`. Type `!move Tea`")
      const before = (yield* chats.all).find(({ title }) => title === "Tea")
      assert.include(yield* ask(lounge, "!chats"), `\`Tea\` (no room: kicked), id \`${before?.id}\``)
      assert.strictEqual(yield* ask(lounge, "!move Tea"), "`Tea` goes on in this room.")
      assert.deepStrictEqual(yield* titlesByRoom, { [lounge]: "Tea" }, "the chat that was born there is gone")
      const [after] = yield* chats.all
      assert.deepInclude(after, {
        id: before?.id ?? ChatId.make("none"),
        revision: 2,
        markerRevision: 2,
        formerRoom: null,
        detached: null
      })
      assert.deepInclude(yield* markerOf(lounge), { chat_id: before?.id, title: "Tea", room_name: "Lounge" })
      assert.deepStrictEqual(yield* markerOf(tea), {})
      assert.strictEqual(yield* ask(lounge, "and on"), "and on")
      assert.include(yield* ask(lounge, "!move tea"), "`Tea` goes on in this room.")
    }).pipe(Effect.provide(homeserver)))

  it.effect("takes a chat out of the room that shows it, which then shows none and gets a chat of its own", () =>
    Effect.gen(function*() {
      const { alice, ask, bot, database, markerOf, tea, titlesByRoom } = yield* aBotWithTea
      const lounge = yield* aChat(alice, "Lounge")
      assert.include(
        yield* ask(lounge, "!move Tea"),
        `[the room of before](https://matrix.to/#/${encodeURIComponent(tea)})`
      )
      assert.deepStrictEqual(yield* titlesByRoom, { [lounge]: "Tea" })
      assert.deepStrictEqual(yield* markerOf(tea), {})
      assert.include(yield* ask(tea, "hello?"), "!register")
      yield* ask(tea, "!register")
      assert.deepStrictEqual(yield* titlesByRoom, { [lounge]: "Tea", [tea]: "Tea" })
      yield* bot.stop
      const again = yield* startBot({ database })
      yield* TestClock.adjust("1 second")
      assert.include(reportOf(again), { unchanged: 2, conflicts: 0, skipped: 0 })
    }).pipe(Effect.provide(homeserver)))

  it.effect("takes nothing to a room that shows a chat in which somebody said something, or that of somebody else", () =>
    Effect.gen(function*() {
      const { alice, ask, server, titlesByRoom } = yield* aBotWithTea
      const lounge = yield* aChat(alice, "Lounge")
      yield* ask(lounge, "hello")
      const before = yield* titlesByRoom
      assert.include(yield* ask(lounge, "!move Tea"), "This room shows the chat `Lounge`")
      const carol = yield* server.as("carol")
      const carols = yield* aChat(carol, "Coffee")
      yield* carol.invite(carols, alice.userId)
      yield* alice.join(carols)
      assert.include(yield* ask(carols, "!move Tea"), "somebody else")
      assert.include(yield* asking(carol)(carols, "!move Tea"), "You have no chat of this title")
      const { [carols]: coffee, ...others } = yield* titlesByRoom
      assert.deepStrictEqual([others, coffee], [before, "Coffee"])
    }).pipe(Effect.provide(homeserver)))

  it.effect("asks for the id where titles repeat", () =>
    Effect.gen(function*() {
      const { alice, ask, chats } = yield* aBotWithTea
      const other = yield* aChat(alice, "Tea")
      yield* ask(other, "hello")
      const lounge = yield* aChat(alice, "Lounge")
      const asked = yield* ask(lounge, "!move Tea")
      const both = (yield* chats.all).filter(({ title }) => title === "Tea")
      for (const { id } of both) assert.include(asked, id)
      const listed = yield* ask(lounge, "!chats")
      for (const { id } of both) assert.include(listed, `, id \`${id}\``)
      const second = both.find(({ binding }) => binding?.roomId === other)
      assert.include(yield* ask(lounge, `!move ${second?.id}`), "`Tea` goes on in this room")
    }).pipe(Effect.provide(homeserver)))

  it.effect("changes nothing when the homeserver does not let it write", () =>
    Effect.gen(function*() {
      const { ask, lounge, markerOf, server, titlesByRoom } = yield* withoutRoom
      const [before, marker] = [yield* titlesByRoom, yield* markerOf(lounge)]
      yield* server.inject({
        method: "PUT",
        path: `/account_data/${markerType}`,
        user: botId,
        effect: FaultEffect.Answer({ status: 403, body: { errcode: "M_FORBIDDEN", error: "No." } })
      })
      assert.include(yield* ask(lounge, "!move Tea"), "nothing was changed")
      assert.deepStrictEqual([yield* titlesByRoom, yield* markerOf(lounge)], [before, marker])
      assert.strictEqual(yield* ask(lounge, "!move Tea"), "`Tea` goes on in this room.")
    }).pipe(Effect.provide(homeserver)))
})

/** Alice types `!move Tea` in Lounge, where the bot dies at its nth place; Infinity: never. The places that it passed, and what came of it. */
const killedAt = Effect.fnUntraced(function*(nth: number, kept: boolean) {
  const server = yield* Homeserver
  const [alice, account] = [yield* server.as("alice"), yield* server.as("bot")]
  const database = yield* aDatabase
  const before = yield* startBot({ database })
  const rooms = { tea: yield* aChat(alice, "Tea"), lounge: yield* aChat(alice, "Lounge") }
  yield* asking(alice)(rooms.tea, "hello")
  yield* inTime(before.stop)

  const places: Array<string> = []
  const death = mortal(nth)
  let listening = false
  const pass = (place: string) => {
    if (listening) places.push(place)
    death.pass()
  }
  const dying = yield* startBot({ database }).pipe(Effect.provideService(Checkpoint, pass))
  yield* inTime(Effect.sleep("10 seconds"))
  listening = true
  death.listen()
  const question = yield* alice.say(rooms.lounge, "!move Tea")
  yield* inTime(Effect.gen(function*() {
    for (let second = 0; second < 40 && !death.isDead(); second++) yield* Effect.sleep("1 second")
  }))
  yield* inTime(dying.stop)
  listening = false

  const next = kept ? database : yield* aDatabase
  const note = `killed at ${places[nth - 1]}, the ${nth}th place, database ${kept ? "kept" : "lost"}`
  const bot = yield* startBot({ database: next })
  yield* inTime(Effect.sleep("20 seconds"))
  assert.notInclude(bot.log.map(({ event }) => event), "message_not_handled", note)
  if (kept) {
    const answers = (yield* alice.messages(rooms.lounge)).filter((event) => repliedTo(event) === question)
    assert.strictEqual(answers.length, 1, `answered once: ${note}`)
  } else {
    // Where the move was not kept, Alice asks again: a room whose chat may have been used, for all that is known, keeps it.
    yield* inTime(asking(alice)(rooms.lounge, "!move Tea"))
  }
  yield* inTime(Effect.sleep("20 seconds"))
  const shown = Object.fromEntries((yield* bot.chats).map(({ binding, title }) => [binding?.roomId, title]))
  const untouched = { [rooms.tea]: "Tea", [rooms.lounge]: "Lounge" }
  const isUntouched = !kept && Object.keys(shown).length === 2
  assert.deepStrictEqual(shown, isUntouched ? untouched : { [rooms.lounge]: "Tea" }, note)
  // Without a database nobody knows that it was left behind: there it only loses.
  if (kept) assert.deepStrictEqual(yield* account.roomAccountData(rooms.tea, markerType), {}, note)
  for (const { binding, formerRoom, id } of yield* bot.chats) {
    assert.strictEqual(formerRoom, null, note)
    assert.deepInclude(yield* account.roomAccountData(String(binding?.roomId), markerType), { chat_id: id }, note)
  }
  yield* inTime(bot.stop)
  const last = yield* startBot({ database: next })
  yield* inTime(Effect.sleep("10 seconds"))
  assert.include(reportOf(last), { unchanged: isUntouched ? 2 : 1, conflicts: 0, restored: 0, updated: 0 }, note)
  yield* inTime(last.stop)
  return places
})

describe("!move, killed at any place,", () => {
  for (const kept of [true, false]) {
    it.effect(
      `shows the chat in one room, its database ${kept ? "kept" : "lost"}`,
      () =>
        Effect.gen(function*() {
          const places = yield* killedAt(Infinity, true).pipe(Effect.scoped, Effect.provide(homeserver))
          assert.includeMembers(places, ["write marker:before", "write marker:after"])
          for (const [index, place] of places.entries()) {
            if (place.endsWith(":inside") && place === places[index - 1]) continue
            yield* killedAt(index + 1, kept).pipe(Effect.scoped, Effect.provide(homeserver))
          }
        }),
      180_000
    )
  }
})
