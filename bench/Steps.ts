import { Effect, FileSystem, Layer, Logger, Redacted } from "effect"
import { UserId } from "../src/domain/Ids.ts"
import { AppConfig } from "../src/layers/AppConfig.ts"
import { Checkpoint } from "../src/layers/Checkpoint.ts"
import { Health } from "../src/layers/Health.ts"
import { Homeserver } from "../src/layers/Homeserver.ts"
import { Responder } from "../src/layers/Responder.ts"
import { main } from "../src/programs/Main.ts"
import { services } from "../src/programs/Run.ts"
import type { Account } from "./Process.ts"
import { median, type Row } from "./Report.ts"
import { freshAccount, world } from "./World.ts"

const messages = 300
/** Until everything that runs often is compiled. */
const warmUp = 50

/** The way of a message, by the places that it passes; each step ends at one. */
const steps: ReadonlyArray<readonly [step: string, endsAt: string]> = [
  ["sync: to the answer", "sync answer:before"],
  ["sync: read", "sync answer:after"],
  ["ingest: begun", "Store.inbox.ingest:before"],
  ["ingest: committed", "Store.inbox.ingest:after"],
  ["handle", "Store.inbox.settleAndBegin:before"],
  ["settle: committed", "Store.inbox.settleAndBegin:after"],
  ["send: sealed", "send message:before"],
  ["send: answered", "send message:after"],
  ["sent: committed", "Store.outbox.sent:after"]
]

/** All of the bot in this process: the places are told to nobody outside. */
const botOn = ({ token, url, userId }: Account, dataDir: string) =>
  Layer.mergeAll(services, Health.layer, Responder.layerEcho).pipe(
    Layer.provideMerge(
      AppConfig.layerTest({
        homeserverUrl: new URL(url),
        accessToken: Redacted.make(token),
        userId: UserId.make(userId),
        dataDir
      })
    ),
    Layer.provideMerge(Logger.layer([]))
  )

/** Where the time of one message goes, that has the bot for itself: milliseconds from being said to being answered. */
export const oneMessage = Effect.gen(function*() {
  const account = yield* freshAccount
  const dataDir = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "homing-bench-" })
  const you = yield* (yield* Homeserver).as("you")
  const passed = new Map<string, number>()
  /** When sync answers were taken in. */
  const taken: Array<number> = []
  const pass = (place: string) => {
    if (place === "Store.inbox.ingest:after") taken.push(performance.now())
    if (!passed.has(place)) passed.set(place, performance.now())
  }
  yield* main.pipe(
    Effect.provide(botOn(account, dataDir)),
    Effect.provideService(Checkpoint, pass),
    Effect.forkScoped
  )
  const room = yield* you.createRoom({ name: "Bench", invite: [account.userId] })
  const said = { sender: account.userId, type: "m.room.message" }
  const first = yield* you.waitFor(room, ({ sender, type }) => sender === said.sender && type === said.type)
  // What a start does beside the answers.
  yield* Effect.sleep("5 seconds")
  const times = new Map<string, Array<number>>([...steps.map(([step]) => step), "in all"].map((step) => [step, []]))
  let last = first.event_id
  for (let n = 0; n < warmUp + messages; n++) {
    // The poll that brings the message is being held by now.
    yield* Effect.sleep("40 millis")
    passed.clear()
    taken.length = 0
    const began = performance.now()
    yield* you.say(room, `message ${n}, about as long as people write them`)
    const answer = yield* you.waitFor(room, ({ sender, type }) => sender === said.sender && type === said.type, {
      after: last
    })
    last = answer.event_id
    // The echo of the answer comes by a poll of its own, which is not that of the next message.
    while (!passed.has("Store.outbox.sent:after") || taken.length < 2) yield* Effect.sleep("1 millis")
    if (n < warmUp) continue
    let before = began
    for (const [step, endsAt] of steps) {
      const at = passed.get(endsAt) ?? before
      times.get(step)?.push(at - before)
      before = at
    }
    times.get("in all")?.push(before - began)
  }
  return [...times].map(([subject, taken]): Row => ({
    benchmark: "one message, step by step",
    subject,
    figures: {
      "median ms": median(taken),
      "of 100, 95 under ms": taken.toSorted((a, b) => a - b)[Math.floor(taken.length * 0.95)] ?? NaN
    }
  }))
}).pipe(Effect.scoped, Effect.provide(world()), Effect.timeout("3 minutes"), Effect.orDie)
