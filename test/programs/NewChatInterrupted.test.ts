import { assert, describe, it } from "@effect/vitest"
import { type Context, Effect } from "effect"
import { markerType } from "../../src/domain/Marker.ts"
import { Checkpoint } from "../../src/layers/Checkpoint.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect } from "../../src/layers/Homeserver/Faults.ts"
import type { Person } from "../../src/layers/Homeserver/Person.ts"
import type { Store } from "../../src/layers/Store.ts"
import { mortal } from "./Mortal.ts"
import { inTime, joinedRooms } from "./Provisioned.ts"
import { aChat, aDatabase, answerTo, type Bot, botId, homeserver, repliedTo, startBot } from "./World.ts"

// `!new` is ended, refused and left without an answer at every point that it passes. Whatever happens, it comes to one room, one chat and
// one Space, on the same database and on a new one.

const stopped = (bot: Bot) => inTime(bot.stop)

/** One life of a bot on a database, from start to stop. */
const live = Effect.fnUntraced(function*<A, E, R>(
  database: Context.Context<Store>,
  during: (bot: Bot) => Effect.Effect<A, E, R>
) {
  const bot = yield* startBot({ database })
  const result = yield* during(bot)
  yield* stopped(bot)
  return result
})

/** Alice in a chat, the bot's account and database; nothing runs. */
const aliceAlone = Effect.gen(function*() {
  const server = yield* Homeserver
  const alice = yield* server.as("alice")
  const database = yield* aDatabase
  const room = yield* live(database, () => aChat(alice))
  return { server, alice, database, room, account: yield* server.as("bot") }
})
type World = Effect.Success<typeof aliceAlone>

const saidIn = (person: Person, room: string) =>
  Effect.map(
    person.messages(room),
    (events) => events.filter(({ sender, type }) => sender === botId && type === "m.room.message")
  )

/** What there is to see when all is done. */
const isWhole = Effect.fnUntraced(function*({ account, alice, room }: World, bot: Bot, question: string, note: string) {
  const made = (yield* joinedRooms(account)).filter(({ origin }) => origin !== undefined)
  const [space, ...otherSpaces] = made.filter(({ isSpace }) => isSpace)
  const [chatRoom, ...otherRooms] = made.filter(({ isSpace }) => !isSpace)
  assert.isDefined(space, `a Space: ${note}`)
  assert.isDefined(chatRoom, `a room: ${note}`)
  assert.deepStrictEqual([...otherSpaces, ...otherRooms], [], `one room, one Space: ${note}`)
  assert.deepStrictEqual(space.children, [chatRoom.roomId], note)
  assert.include(["invite", "join"], space.members.get(alice.userId), note)
  assert.include(["invite", "join"], chatRoom.members.get(alice.userId), note)
  const chats = yield* bot.chats
  assert.sameMembers(chats.map(({ binding }) => binding?.roomId), [room, chatRoom.roomId], note)
  const chat = chats.find(({ binding }) => binding?.roomId === chatRoom.roomId)
  assert.deepInclude(chat, { title: "Plans", owner: alice.userId, revision: 1, markerRevision: 1 }, note)
  assert.deepInclude(yield* account.roomAccountData(chatRoom.roomId, markerType), { chat_id: chat?.id }, note)
  assert.strictEqual((yield* saidIn(alice, room)).filter((event) => repliedTo(event) === question).length, 1, note)
  yield* alice.join(chatRoom.roomId)
  assert.isAtLeast((yield* saidIn(alice, chatRoom.roomId)).length, 1, `a greeting: ${note}`)
  return yield* saidIn(alice, chatRoom.roomId)
})

/** Answered, greeted, and every marker written. */
const settled = (world: World, bot: Bot, question: string) =>
  inTime(Effect.gen(function*() {
    yield* answerTo(world.alice, world.room, question)
    while ((yield* bot.chats).some(({ markerRevision, revision }) => markerRevision < revision)) {
      yield* Effect.sleep("1 second")
    }
    yield* Effect.sleep("5 seconds")
  }))

/** Everything stands after a restart, and after one without the database. */
const staysWhole = Effect.fnUntraced(function*(world: World, question: string, note: string) {
  for (const [database, which] of [[world.database, "restarted"], [yield* aDatabase, "database lost"]] as const) {
    yield* live(
      database,
      (bot) => Effect.andThen(settled(world, bot, question), isWhole(world, bot, question, `${note}, ${which}`))
    )
  }
})

/** The places that `!new` passes, from the question to the delivery of the last answer. */
const placesPassed = Effect.gen(function*() {
  const world = yield* aliceAlone
  const places: Array<string> = []
  let listening = false
  const bot = yield* startBot({ database: world.database }).pipe(
    Effect.provideService(Checkpoint, (place) => listening ? void places.push(place) : undefined)
  )
  yield* Effect.sleep("10 seconds").pipe(inTime)
  listening = true
  const question = yield* world.alice.say(world.room, "!new Plans")
  yield* settled(world, bot, question)
  listening = false
  yield* isWhole(world, bot, question, "undisturbed")
  yield* stopped(bot)
  return places
})

const killedAt = Effect.fnUntraced(function*(nth: number, place: string, database: "kept" | "lost") {
  const world = yield* aliceAlone
  const death = mortal(nth)
  const bot = yield* startBot({ database: world.database }).pipe(Effect.provideService(Checkpoint, death.pass))
  yield* Effect.sleep("10 seconds").pipe(inTime)
  death.listen()
  const question = yield* world.alice.say(world.room, "!new Plans")
  yield* Effect.gen(function*() {
    while (!death.isDead()) yield* Effect.sleep("1 second")
  }).pipe(inTime)
  yield* stopped(bot)

  const note = `killed at ${place}, the ${nth}th place, database ${database}`
  const next = { ...world, database: database === "kept" ? world.database : yield* aDatabase }
  const greetings = yield* live(
    next.database,
    (bot) => Effect.andThen(settled(next, bot, question), isWhole(next, bot, question, note))
  )
  if (database === "kept") assert.strictEqual(greetings.length, 1, `one greeting: ${note}`)
  yield* staysWhole(next, question, note)
  const made = (yield* world.server.requests).filter(({ path, status }) =>
    path.endsWith("/createRoom") && status === 200
  )
  assert.strictEqual(made.length, 2, `nothing was made only to be closed: ${note}`)
})

describe("!new", () => {
  for (const database of ["kept", "lost"] as const) {
    it.effect(
      `killed at any place comes to one room, one chat and one Space, its database ${database}`,
      () =>
        Effect.gen(function*() {
          const places = yield* placesPassed.pipe(Effect.scoped, Effect.provide(homeserver))
          for (
            const name of ["create space", "create room", "write marker", "add to space", "Store.provisioning.begin"]
          ) {
            assert.include(places, `${name}:before`)
            assert.include(places, `${name}:after`)
          }
          for (const [index, place] of places.entries()) {
            // Between any two statements of a transaction it is the same: nothing was kept yet.
            if (place.endsWith(":inside") && place === places[index - 1]) continue
            yield* killedAt(index + 1, place, database).pipe(Effect.scoped, Effect.provide(homeserver))
          }
        }),
      180_000
    )
  }

  const faults = [
    ["the connection is reset", FaultEffect.Reset()],
    ["the answer is lost", FaultEffect.LostAnswer()],
    ["the server fails", FaultEffect.Answer({ status: 502, body: {} })]
  ] as const
  for (const [what, effect] of faults) {
    it.effect(
      `comes to one room, one chat and one Space when ${what}, whichever request it befalls`,
      () =>
        Effect.gen(function*() {
          const path = /\/(?:createRoom|joined_rooms|rooms\/.*\/(?:state.*|invite)|account_data\/.*)$/
          for (let nth = 0;; nth++) {
            const befallen = yield* Effect.gen(function*() {
              const world = yield* aliceAlone
              const bot = yield* startBot({ database: world.database })
              yield* world.server.inject({ user: botId, path, skip: nth, effect })
              const before = (yield* world.server.requests).length
              const question = yield* world.alice.say(world.room, "!new Plans")
              yield* settled(world, bot, question)
              const asked = (yield* world.server.requests).slice(before).filter((one) => path.test(one.path))
              const befallen = asked.some(({ status }) => status !== undefined && (status === 0 || status >= 500))
              assert.isAtLeast(asked.length, 5)
              const note = `${what} at request ${nth}`
              yield* isWhole(world, bot, question, note)
              yield* stopped(bot)
              yield* staysWhole(world, question, note)
              return befallen
            }).pipe(Effect.scoped, Effect.provide(homeserver))
            if (!befallen) return assert.isAtLeast(nth, 5, "requests that were befallen")
          }
        }),
      120_000
    )
  }

  it.effect("finds on the server what it made, where no sync answer has told of it yet", () =>
    Effect.gen(function*() {
      const world = yield* aliceAlone
      const bot = yield* startBot({ database: world.database })
      yield* inTime(Effect.sleep("1 minute"))
      yield* world.server.inject({ user: botId, path: "/sync", effect: FaultEffect.Delay({ time: "50 seconds" }) })
      yield* world.server.inject({ user: botId, path: "/createRoom", effect: FaultEffect.LostAnswer() })
      yield* world.server.inject({ user: botId, path: "/createRoom", skip: 1, effect: FaultEffect.LostAnswer() })
      const question = yield* world.alice.say(world.room, "!new Plans")
      yield* settled(world, bot, question)
      // Before any start could have closed what was made twice.
      yield* isWhole(world, bot, question, "no sync")
    }).pipe(Effect.scoped, Effect.provide(homeserver)))

  it.effect(
    "that fails at any step says so, and what is half-made is finished by the next start",
    () =>
      Effect.gen(function*() {
        const places = yield* placesPassed.pipe(Effect.scoped, Effect.provide(homeserver))
        const steps = new Set(
          places.filter((place) => place.startsWith("Store.provisioning.") || !place.startsWith("Store."))
        )
        for (const step of [...steps].filter((place) => !/^(?:send message|settle)/.test(place))) {
          yield* Effect.gen(function*() {
            const world = yield* aliceAlone
            const fault = { armed: false }
            const fails = (place: string) => {
              if (!fault.armed || place !== step) return
              fault.armed = false
              throw new Error(`broken at ${step}`)
            }
            const bot = yield* startBot({ database: world.database }).pipe(Effect.provideService(Checkpoint, fails))
            yield* inTime(Effect.sleep("10 seconds"))
            fault.armed = true
            const question = yield* world.alice.say(world.room, "!new Plans")
            yield* inTime(Effect.gen(function*() {
              while (fault.armed) yield* Effect.sleep("1 second")
              yield* Effect.sleep("10 seconds")
            }))
            yield* stopped(bot)

            yield* live(world.database, (bot) =>
              Effect.gen(function*() {
                yield* settled(world, bot, question)
                const made = (yield* joinedRooms(world.account)).some(({ origin }) => origin?.kind === "chat")
                if (made) yield* isWhole(world, bot, question, `broken at ${step}`)
                else assert.strictEqual((yield* bot.chats).length, 1, step)
              }))
          }).pipe(Effect.scoped, Effect.provide(homeserver))
        }
      }),
    120_000
  )
})
