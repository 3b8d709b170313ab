import type { RoomEvent } from "./People.ts"
import type { PlannedMessage } from "./Plan.ts"

/** A message that the homeserver took. */
export interface Question extends PlannedMessage {
  readonly eventId: string
  readonly body: string
}

/** A room as the homeserver remembers it. */
export interface Testimony {
  readonly room: string
  readonly events: ReadonlyArray<RoomEvent>
  /** The same room as the second person reads it; empty when there is none. */
  readonly seenByGuest: ReadonlyArray<RoomEvent>
  readonly encrypted: boolean
  readonly questions: ReadonlyArray<Question>
  /** Whether the bot was to greet; a greeting that was refused may have got through before. */
  readonly greeting: "once" | "at most once"
  /** By the number of the message that asked for them: the rooms that were made for it, each as its owner reads it. */
  readonly made: ReadonlyMap<number, ReadonlyArray<ReadonlyArray<RoomEvent>>>
  /** Whether there was something to tell the operators here. */
  readonly news: boolean
}

export interface Verdict {
  readonly sent: number
  readonly answered: number
  readonly ignored: number
  /** Where none was to come. */
  readonly diagnostics: number
  /** A diagnostic that the run itself brings about: ten lives in a row were ended before the message was handled. */
  readonly givenUp: number
  readonly roomsMade: number
  /** What the operators were told. */
  readonly news: number
  readonly greetings: number
  readonly lost: number
  readonly duplicated: number
  readonly outOfOrder: number
  /** By anybody who was there: of the people, or of the bot, which says so. */
  readonly undecryptable: number
  /** Said by the bot in an encrypted room for everybody to read. */
  readonly inClear: number
  /** What is wrong, in words, one line each. */
  readonly findings: ReadonlyArray<string>
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

/** The event that a message replies to. */
export const repliesTo = ({ content }: RoomEvent): string | undefined => {
  const relation = content["m.relates_to"]
  const reply = isRecord(relation) ? relation["m.in_reply_to"] : undefined
  const id = isRecord(reply) ? reply["event_id"] : undefined
  return typeof id === "string" ? id : undefined
}

/** A diagnostic reply is a notice that ends with a reference code. */
const isDiagnostic = ({ content }: RoomEvent): boolean =>
  content["msgtype"] === "m.notice" && /\*\*[0-9A-HJKMNP-TV-Z]{8}\*\*/.test(String(content["body"]))

/** The bot could not read something. */
const isLocked = ({ content }: RoomEvent): boolean => String(content["body"]).startsWith("I cannot read a message here")

/** What the bot says of a message that was begun in so many lives that it may be what ends them. */
const isGivenUp = (event: RoomEvent): boolean =>
  isDiagnostic(event) && /^I tried to answer this message \d+ times and was stopped/.test(String(event.content["body"]))

/** What the operators are told after a start. */
const isNews = ({ content }: RoomEvent): boolean => String(content["body"]).startsWith("I have started, and compared")

/** Judges by what the rooms hold, and by nothing that the bot says of itself. */
export const judge = (bot: string, testimonies: ReadonlyArray<Testimony>): Verdict => {
  const verdict = {
    sent: 0,
    answered: 0,
    ignored: 0,
    diagnostics: 0,
    givenUp: 0,
    roomsMade: 0,
    news: 0,
    greetings: 0,
    lost: 0,
    duplicated: 0,
    outOfOrder: 0,
    undecryptable: 0,
    inClear: 0
  }
  const findings: Array<string> = []
  for (const { encrypted, events, greeting, made, news, questions, room, seenByGuest } of testimonies) {
    const saidIn = (events: ReadonlyArray<RoomEvent>) =>
      events.filter(({ sender, type }) => sender === bot && type === "m.room.message")
    const said = saidIn(events)
    const byQuestion = Map.groupBy(said.filter((event) => !isLocked(event)), repliesTo)
    verdict.sent += questions.length
    const find = (what: string) => findings.push(`${room}: ${what}`)

    for (const { event_id, sender, type } of [...events, ...seenByGuest, ...[...made.values()].flat(2)]) {
      if (type !== "m.room.encrypted") continue
      verdict.undecryptable++
      find(`${event_id} of ${sender} could not be read`)
    }
    for (const { event_id } of said.filter(isLocked)) {
      verdict.undecryptable++
      find(`the bot could not read something, it says in ${event_id}`)
    }
    for (const { event_id } of said.filter(({ opened }) => encrypted && opened !== true)) {
      verdict.inClear++
      find(`${event_id} was said in clear`)
    }

    /** One room for each that was asked for, with one greeting in it. */
    const judgeRooms = (name: string, rooms: ReadonlyArray<ReadonlyArray<RoomEvent>>) => {
      const greetings = rooms.map((events) => saidIn(events).length)
      verdict.roomsMade += Math.min(rooms.length, 1)
      if (rooms.length === 0) verdict.lost++
      if (rooms.length > 1) verdict.duplicated += rooms.length - 1
      if (rooms.length !== 1) find(`${name} has ${rooms.length} rooms`)
      for (const count of greetings) {
        if (count === 0) verdict.lost++
        if (count > 1) verdict.duplicated += count - 1
        if (count !== 1) find(`the room of ${name} has ${count} greetings`)
      }
    }

    for (const { body, eventId, expected, number } of questions) {
      const replies = byQuestion.get(eventId) ?? []
      const [first, ...more] = replies
      const name = `message ${number} (${eventId})`
      if (expected === "silence") {
        if (first === undefined) verdict.ignored++
        else {
          verdict.duplicated += replies.length
          find(`${name} was not for the bot, and has ${replies.length} answers`)
        }
        continue
      }
      if (first === undefined) {
        verdict.lost++
        find(`${name} has no answer`)
        continue
      }
      if (isGivenUp(first)) verdict.givenUp++
      else if (isDiagnostic(first) !== (expected === "diagnostic")) {
        verdict.diagnostics++
        find(
          `${name} ${expected === "diagnostic" ? "was to have a diagnostic" : "has a diagnostic"}: ${
            first.content["body"]
          }`
        )
      } else if (expected === "echo" && first.content["body"] !== body) {
        verdict.lost++
        find(`${name} has a wrong answer: ${String(first.content["body"])}`)
      } else verdict.answered++
      if (more.length > 0) {
        verdict.duplicated += more.length
        find(`${name} has ${replies.length} answers`)
      }
      if (expected === "room" && !isGivenUp(first)) judgeRooms(name, made.get(number) ?? [])
    }

    const [told = [], greeted = []] = [true, false].map((news) =>
      (byQuestion.get(undefined) ?? []).filter((event) => isNews(event) === news)
    )
    verdict.news += told.length
    if (told.length === 0 && news) {
      verdict.lost++
      find("no news")
    }
    const greetings = greeted.length
    verdict.greetings += Math.min(greetings, 1)
    if (greetings > 1) {
      verdict.duplicated += greetings - 1
      find(`${greetings} greetings`)
    }
    if (greetings === 0 && greeting === "once") {
      verdict.lost++
      find("no greeting")
    }

    const numbers = new Map(questions.map(({ eventId, number }) => [eventId, number]))
    let latest = 0
    for (const id of new Set(said.map(repliesTo))) {
      const number = id === undefined ? undefined : numbers.get(id)
      if (number === undefined) continue
      if (number < latest) {
        verdict.outOfOrder++
        find(`message ${number} was answered after message ${latest}`)
      }
      latest = Math.max(latest, number)
    }
  }
  return { ...verdict, findings }
}

/** So many of a hundred messages may be given up: kills come closer together than they ever would. */
const mostGivenUp = 1

/** Whether nothing was lost, said twice, out of order, locked away or in the open, and nothing went wrong that should not. */
export const isClean = (verdict: Verdict): boolean => {
  const { diagnostics, duplicated, givenUp, inClear, lost, outOfOrder, sent, undecryptable } = verdict
  return diagnostics === 0 && lost === 0 && duplicated === 0 && outOfOrder === 0 && undecryptable === 0 &&
    inClear === 0 && givenUp * 100 <= sent * mostGivenUp
}
