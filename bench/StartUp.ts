import { Effect } from "effect"
import { Homeserver } from "../src/layers/Homeserver.ts"
import { median, type Row } from "./Report.ts"
import { bare, type Contestant, homing, world } from "./World.ts"

const rounds = 5
const rooms = 20

/** From the start of the process to its first answer: the person wrote while the bot was down. */
const firstAnswer = Effect.fn("firstAnswer")(function*(contestant: Contestant) {
  const { account, rooms: [room = ""], start } = yield* contestant.prepare(rooms)
  const you = yield* (yield* Homeserver).as("you")
  const question = yield* you.say(room, "are you there?")
  const started = performance.now()
  const bot = yield* start
  yield* you.waitFor(room, (event) => event.sender === account.userId && event.type === "m.room.message", {
    after: question
  })
  const took = performance.now() - started
  yield* bot.stop
  return took
}, Effect.scoped)

/** Turn by turn, so that what else the machine does befalls both. */
export const startUp = Effect.gen(function*() {
  const times = new Map<string, Array<number>>()
  for (let round = 0; round < rounds; round++) {
    for (const contestant of [homing, bare]) {
      const took = yield* firstAnswer(contestant)
      times.set(contestant.name, [...times.get(contestant.name) ?? [], took])
    }
  }
  return [...times].map(([subject, taken]): Row => ({
    benchmark: `start to first answer, ${rooms} rooms`,
    subject,
    figures: { "median ms": median(taken), "best ms": Math.min(...taken), "worst ms": Math.max(...taken) }
  }))
}).pipe(Effect.provide(world()))
