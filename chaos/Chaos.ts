import { Duration, Effect, Option, Queue, Schedule } from "effect"
import { type BotOptions, startBot } from "./Bot.ts"
import type { Person } from "./People.ts"
import {
  type Kill,
  makePlan,
  type Options,
  placesOf,
  type PlannedMessage,
  type PlannedRoom,
  type Round
} from "./Plan.ts"
import { Target } from "./Target.ts"
import { judge, type Question, repliesTo, type Testimony, type Verdict } from "./Verdict.ts"

/** What a run did and found. */
export interface Report extends Verdict {
  /** How often the bot died at each place. */
  readonly killedAt: Readonly<Record<string, number>>
  /** Places that it did not come to. */
  readonly neverAt: ReadonlyArray<string>
  readonly killedAnytime: number
  /** Exit codes of lives that ended before they were killed. */
  readonly endedByItself: ReadonlyArray<number>
  /** Keys of the bot's device that the homeserver told of in the course of the run: one, unless it lost its own. */
  readonly identities: number
  /** What the deadline left undone. */
  readonly notWritten: number
  readonly notKilled: number
  readonly seconds: number
}

/** The way to readiness may take so long on a busy machine; from there on, a life that does not come to its place is ended soon. */
const longestStart = Duration.seconds(15)
const longestLife = Duration.seconds(6)

/** A room of the run: who is in it, and what was written there. */
interface Stage {
  readonly room: number
  readonly planned: PlannedRoom
  readonly id: string
  readonly owner: Person
  readonly guest: Person
  readonly toWrite: Queue.Queue<PlannedMessage>
  readonly questions: Array<Question>
}

/**
 * One run: people write into rooms while the bot is killed again and again and the homeserver fails it; then it may come to
 * rest, and the rooms are judged.
 */
export const runChaos = Effect.fn("runChaos")(function*(options: Options, directory: string) {
  const started = performance.now()
  const { botId, faults, password, people, url } = yield* Target
  const plan = yield* makePlan(options)
  const bot: BotOptions = { url, userId: botId, password, directory }
  const stages = yield* Effect.forEach(plan.rooms, setUp)
  yield* Effect.forEach(stages, (stage) => Effect.forkScoped(writeAll(stage, botId)), { discard: true })

  const lives: Array<{ readonly kill: Kill; readonly end: LifeEnd }> = []
  const identities = new Set<string>()
  const lookAtKeys = Effect.forEach(people.slice(0, 1), (person) =>
    Effect.map(person.keysOf(botId), (devices) => {
      for (const device of devices) identities.add(JSON.stringify(device))
    }))
  yield* Effect.forEach(
    plan.rounds.entries(),
    ([index, round]) =>
      Effect.map(live(round, index, stages, bot), (end) => lives.push({ kill: round.kill, end })).pipe(
        Effect.andThen(lookAtKeys)
      ),
    { discard: true }
  ).pipe(Effect.timeoutOption(Duration.seconds(60 + 10 * options.kills)))

  if (faults !== undefined) yield* faults.clear
  yield* comeToRest(stages, options, bot)
  yield* lookAtKeys
  const verdict = judge(botId, yield* Effect.forEach(stages, (stage) => testimonyOf(stage, options)))

  const killedAt: Record<string, number> = {}
  for (const { end, kill } of lives) {
    if (kill._tag === "At" && end === "at its place") killedAt[kill.place] = (killedAt[kill.place] ?? 0) + 1
  }
  const report: Report = {
    ...verdict,
    killedAt,
    neverAt: placesOf(options).filter((place) => killedAt[place] === undefined),
    identities: identities.size,
    killedAnytime: lives.filter(({ end }) => end === "anytime").length,
    endedByItself: lives.flatMap(({ end }) => typeof end === "number" ? [end] : []),
    notWritten: options.messages - verdict.sent,
    notKilled: options.kills - lives.length,
    seconds: Math.round((performance.now() - started) / 1000)
  }
  return report
}, Effect.scoped)

// --- the people

const setUp = Effect.fn("setUp")(function*(planned: PlannedRoom, room: number) {
  const { botId, people } = yield* Target
  const [owner, guest] = [people[room % people.length], people[(room + 1) % people.length]]
  if (owner === undefined || guest === undefined) return yield* Effect.die(new Error("There are no people."))
  const id = yield* owner.createRoom({ name: `Room ${room}`, invite: planned.guest ? [guest.userId] : [] })
  if (planned.guest) yield* guest.join(id)
  const stage: Stage = {
    room,
    planned,
    id,
    owner,
    guest,
    toWrite: yield* Queue.unbounded<PlannedMessage>(),
    questions: []
  }
  if (planned.invitedIn < 0) yield* owner.invite(id, botId)
  return stage
})

/** Writes what is put into the queue, one message after another: their order in the room is the order of their numbers. */
const writeAll = Effect.fn("writeAll")(
  function*({ guest, id, owner, planned, questions, room, toWrite }: Stage, botId: string) {
    yield* owner.sees(id, botId)
    if (planned.guest) yield* guest.sees(id, botId)
    while (true) {
      const message = yield* Queue.take(toWrite)
      yield* Effect.sleep(message.pauseMillis)
      const body = message.expected === "reply"
        ? `!rename Chat ${message.number}`
        : `Message ${message.number} of room ${room}`
      const eventId = yield* (message.from === "guest" ? guest : owner).write(id, `chaos-${message.number}`, {
        msgtype: "m.text",
        body,
        "m.mentions": message.expected === "silence" ? {} : { user_ids: [botId] }
      })
      questions.push({ ...message, eventId, body })
    }
  }
)

// --- the bot

/** A number is the exit code of a life that ended by itself. */
type LifeEnd = "at its place" | "anytime" | number

/** One life of the bot, and what happens around it. */
const live = Effect.fn("live")(
  function*({ faults, kill, messages }: Round, index: number, stages: ReadonlyArray<Stage>, bot: BotOptions) {
    const target = yield* Target
    for (const { id, owner, planned } of stages) {
      if (planned.invitedIn !== index) continue
      if (planned.greetingRefused) yield* target.faults?.refuseGreeting(id) ?? Effect.void
      yield* owner.invite(id, target.botId)
    }
    if (target.faults !== undefined) yield* Effect.forEach(faults, target.faults.inject, { discard: true })
    for (const message of messages) {
      const stage = stages[message.room]
      if (stage !== undefined) yield* Queue.offer(stage.toWrite, message)
    }
    const { ended, kill: killNow, ready } = yield* startBot(
      bot,
      kill._tag === "At" ? `${kill.place}:${kill.times}` : undefined
    )
    // It may end by itself before it is killed.
    const time = Effect.andThen(
      kill._tag === "After" && kill.from === "start" ? Effect.void : Effect.timeoutOption(ready, longestStart),
      Effect.sleep(kill._tag === "At" ? longestLife : kill.millis)
    )
    const before = yield* Effect.raceFirst(Effect.asSome(ended), Effect.as(time, Option.none()))
    if (before._tag === "None") yield* killNow
    const end: LifeEnd = before._tag === "None" ? "anytime" : before.value.code ?? "at its place"
    return end
  },
  Effect.scoped
)

/** Lives in peace until every message has its answer, and once more: what was left half done would be said again then. */
const comeToRest = Effect.fn("comeToRest")(
  function*(stages: ReadonlyArray<Stage>, { messages }: Options, bot: BotOptions) {
    const written = Effect.sync(() => stages.reduce((sum, { questions }) => sum + questions.length, 0) >= messages)
    const answered = (stage: Stage) =>
      Effect.map(stage.owner.record(stage.id), (events) => {
        const replied = new Set(events.map(repliesTo))
        const greeted = events.some(({ sender, type }) => sender === bot.userId && type === "m.room.message")
        return (greeted || stage.planned.greetingRefused) &&
          stage.questions.every(({ eventId, expected }) => expected === "silence" || replied.has(eventId))
      })
    const atRest = Effect.gen(function*() {
      if (!(yield* written)) return false
      for (const stage of stages) if (!(yield* answered(stage))) return false
      return true
    })
    yield* Effect.scoped(Effect.gen(function*() {
      const { stop } = yield* startBot(bot)
      yield* atRest.pipe(
        Effect.repeat({ until: (done) => done, schedule: Schedule.spaced("1 second") }),
        Effect.timeoutOption(Duration.seconds(90 + messages / 20))
      )
      yield* stop
    }))
    yield* Effect.scoped(Effect.gen(function*() {
      const { ready, stop } = yield* startBot(bot)
      yield* Effect.timeoutOption(ready, longestStart)
      yield* Effect.sleep("3 seconds")
      yield* stop
    }))
  }
)

// --- the rooms

const testimonyOf = Effect.fn("testimonyOf")(function*(
  { guest, id, owner, planned, questions, room }: Stage,
  { encrypted }: Options
) {
  const { faults } = yield* Target
  const testimony: Testimony = {
    room,
    events: yield* owner.record(id),
    seenByGuest: planned.guest ? yield* guest.record(id) : [],
    encrypted,
    questions,
    greeting: planned.greetingRefused && faults !== undefined ? "at most once" : "once"
  }
  return testimony
})
