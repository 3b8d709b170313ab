import { Duration, Effect, Option, Queue, Schedule } from "effect"
import { type BotOptions, startBot } from "./Bot.ts"
import { placesOf } from "./Places.ts"
import { type Kill, makePlan, type Options, type Plan, type Round } from "./Plan.ts"
import { leaveSpace, setUp, setUpOffice, type Stage, testimonyOf, testimonyOfOffice, writeAll } from "./Stage.ts"
import { Target } from "./Target.ts"
import { judge, repliesTo, type Verdict } from "./Verdict.ts"

/** What a run did and found. */
export interface Report extends Verdict {
  /** How often the bot died at each place. */
  readonly killedAt: Readonly<Record<string, number>>
  /** Places that it did not come to. */
  readonly neverAt: ReadonlyArray<string>
  readonly kills: number
  readonly killedAnytime: number
  /** Lives that were told to stop, and did. */
  readonly stopped: number
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
const longestLife = Duration.seconds(8)
/** So long a life has messages in hand. */
const untilStop = Duration.millis(500)

/** What a test may ask for beside the options: another plan, another program, and less patience with one that loses messages. */
interface Rehearsal {
  readonly plan?: Plan
  readonly program?: string
  readonly rest?: Duration.Duration
}

/**
 * One run: people write into rooms while the bot is killed again and again and the homeserver fails it; then it may come to
 * rest, and the rooms are judged.
 */
export const runChaos = Effect.fn("runChaos")(function*(
  options: Options,
  directory: string,
  { program, rest, ...rehearsed }: Rehearsal = {}
) {
  const started = performance.now()
  const { botId, faults, password, people, url } = yield* Target
  const plan = rehearsed.plan ?? (yield* makePlan(options))
  const office = yield* setUpOffice
  const bot: BotOptions = {
    url,
    userId: botId,
    password,
    directory,
    settings: { HOMING_ADMIN_ROOM: office.id, HOMING_ENCRYPT_NEW_ROOMS: String(options.encrypted) },
    ...(program === undefined ? {} : { program })
  }
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
  yield* comeToRest(stages, options, bot, rest ?? Duration.seconds(90 + options.messages / 20))
  yield* lookAtKeys
  const news = plan.rounds.slice(0, lives.length).some(({ first }) => first?.does === "change name")
  const verdict = judge(botId, [
    ...yield* Effect.forEach(stages, (stage) => testimonyOf(stage, options)),
    yield* testimonyOfOffice(office, options, news)
  ])

  const killedAt: Record<string, number> = {}
  for (const { end, kill } of lives) {
    if (kill._tag === "At" && end === "at its place") killedAt[kill.place] = (killedAt[kill.place] ?? 0) + 1
  }
  const report: Report = {
    ...verdict,
    kills: options.kills,
    killedAt,
    neverAt: placesOf({ ...options, faults: faults !== undefined }).filter((place) => killedAt[place] === undefined),
    identities: identities.size,
    killedAnytime: lives.filter(({ end }) => end === "anytime").length,
    stopped: lives.filter(({ end }) => end === "stopped").length,
    endedByItself: lives.flatMap(({ end }) => typeof end === "number" ? [end] : []),
    notWritten: options.messages - verdict.sent,
    notKilled: options.kills - lives.length,
    seconds: Math.round((performance.now() - started) / 1000)
  }
  return report
}, Effect.scoped)

// --- the bot

/** A number is the exit code of a life that ended by itself. */
type LifeEnd = "at its place" | "anytime" | "stopped" | number

/** One life of the bot, and what happens around it. */
const live = Effect.fn("live")(
  function*(
    { calm, faults, first, kill, messages, stopped }: Round,
    index: number,
    stages: ReadonlyArray<Stage>,
    bot: BotOptions
  ) {
    const target = yield* Target
    if (calm && target.faults !== undefined) yield* target.faults.clear
    const one = first && stages[first.room]
    if (one !== undefined) yield* first?.does === "leave Space" ? leaveSpace(one) : one.owner.rename(`Number ${index}`)
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
    const { ended, kill: killNow, ready, stop } = yield* startBot(
      bot,
      kill._tag === "At" ? `${kill.place}:${kill.times}` : undefined
    )
    if (stopped) {
      yield* Effect.raceFirst(ended, Effect.andThen(Effect.timeoutOption(ready, longestStart), Effect.sleep(untilStop)))
      const { code } = yield* stop
      const end: LifeEnd = code === null ? "at its place" : code === 0 ? "stopped" : code
      return end
    }
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
  function*(stages: ReadonlyArray<Stage>, { messages }: Options, bot: BotOptions, patience: Duration.Duration) {
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
        Effect.timeoutOption(patience)
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
