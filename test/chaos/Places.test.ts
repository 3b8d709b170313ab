import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { places } from "../../chaos/Places.ts"
import { Checkpoint } from "../../src/layers/Checkpoint.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect, rateLimited } from "../../src/layers/Homeserver/Faults.ts"
import type { Person } from "../../src/layers/Homeserver/Person.ts"
import { inTime, joinedRooms } from "../programs/Provisioned.ts"
import { aChat, aDatabase, answerTo, botId, homeserver, startBot } from "../programs/World.ts"

const ask = (person: Person, room: string, body: string) =>
  Effect.flatMap(person.say(room, body), (question) => inTime(answerTo(person, room, question)))

const sends = { method: "PUT", path: "/send/" } as const

/** A life with everything in it that a chaos run brings about, until it is stopped with a message in hand. */
const firstLife = Effect.fnUntraced(function*(database: Effect.Success<typeof aDatabase>) {
  const server = yield* Homeserver
  const [alice, account] = [yield* server.as("alice"), yield* server.as("bot")]
  const bot = yield* startBot({ database })
  const room = yield* aChat(alice)
  yield* ask(alice, room, "hello")
  const refused = FaultEffect.Answer({ status: 403, body: { errcode: "M_FORBIDDEN", error: "Not here." } })
  yield* server.inject({ ...sends, effect: refused })
  yield* alice.say(room, "say nothing")
  yield* ask(alice, room, "!rename Tea")
  yield* ask(alice, room, "!archive")
  yield* ask(alice, room, "!unarchive")
  yield* ask(alice, room, "!new Plans")
  const [space] = (yield* joinedRooms(account)).filter(({ isSpace }) => isSpace)
  yield* alice.leave(space?.roomId ?? "")
  yield* ask(alice, room, "!new More")
  yield* server.inject({ ...sends, effect: rateLimited(300) })
  yield* ask(alice, room, "later")
  yield* server.inject({ method: "PUT", path: "/account_data/", effect: FaultEffect.Delay({ time: "2 seconds" }) })
  yield* alice.say(room, "!rename Coffee")
  yield* alice.say(room, "and then")
  yield* TestClock.adjust("1 second")
  yield* inTime(bot.stop)
  return { alice, room, server }
})

describe("The places of a chaos run", () => {
  it.effect("are passed by a bot to which all of that happens for which a run provides", () =>
    Effect.gen(function*() {
      const passed = new Set<string>()
      yield* Effect.gen(function*() {
        const database = yield* aDatabase
        const { alice, room, server } = yield* firstLife(database)
        for (const body of ["one", "two", "three"]) yield* alice.say(room, body)
        yield* server.inject({ method: "GET", path: "/sync", user: botId, effect: FaultEffect.Gap() })
        const bot = yield* startBot({ database })
        yield* ask(alice, room, "and now?")
        yield* inTime(bot.stop)
      }).pipe(Effect.scoped, Effect.provideService(Checkpoint, (place) => void passed.add(place)))
      // The memory client has no gate at which an answer of /sync waits.
      const expected = places.filter((place) => !place.startsWith("sync answer"))
      assert.deepStrictEqual(expected.filter((place) => !passed.has(place)), [])
    }).pipe(Effect.provide(homeserver)), 30_000)
})
