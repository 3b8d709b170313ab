import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { RoomId } from "../../src/domain/Ids.ts"
import { originType, readOrigin } from "../../src/domain/Origin.ts"
import type { Person } from "../../src/layers/Homeserver/Person.ts"

type Content = Readonly<Record<string, unknown>>

const stateEvents = (person: Person, room: string) =>
  Effect.map(
    person.request("GET", `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/state`),
    (body): ReadonlyArray<{ readonly type: string; readonly state_key: string; readonly content: Content }> =>
      Array.isArray(body) ? body : []
  )

/** The state of a room, as this person may see it. */
export const stateIn = Effect.fnUntraced(function*(person: Person, room: string) {
  const events = yield* stateEvents(person, room)
  return (type: string, stateKey = ""): Content | undefined =>
    events.find((event) => event.type === type && event.state_key === stateKey)?.content
})

/** The rooms that somebody is in, as they stand on the server. */
export const joinedRooms = Effect.fnUntraced(function*(person: Person) {
  const body = yield* person.request("GET", "/_matrix/client/v3/joined_rooms")
  const ids: ReadonlyArray<string> =
    typeof body === "object" && body !== null && "joined_rooms" in body && Array.isArray(body.joined_rooms)
      ? body.joined_rooms
      : []
  return yield* Effect.forEach(ids, (id) =>
    Effect.map(stateEvents(person, id), (events) => {
      const content = (type: string, key = "") =>
        events.find((event) => event.type === type && event.state_key === key)?.content
      return {
        roomId: RoomId.make(id),
        isSpace: content("m.room.create")?.["type"] === "m.space",
        encrypted: content("m.room.encryption") !== undefined,
        origin: readOrigin(content("m.room.create")?.[originType]),
        children: events.filter(({ type }) => type === "m.space.child").map(({ state_key }) => state_key),
        members: new Map(
          events.filter(({ type }) => type === "m.room.member").map((event) =>
            [event.state_key, event.content["membership"]] as const
          )
        )
      }
    }))
})

/** Lets the test's clock go on, a second at a time, until this has come about; in between everything runs that can. */
export const inTime = Effect.fnUntraced(function*<A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(effect)
  while (fiber.pollUnsafe() === undefined) {
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    yield* TestClock.adjust("1 second")
  }
  return yield* Fiber.join(fiber)
})
