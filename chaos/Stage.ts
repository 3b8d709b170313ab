import { Effect, Queue } from "effect"
import type { Person } from "./People.ts"
import { type Options, ownerOf, type PlannedMessage, type PlannedRoom } from "./Plan.ts"
import { Target } from "./Target.ts"
import type { Question, Testimony } from "./Verdict.ts"

/** A room of the run: who is in it, and what was written there. */
export interface Stage {
  readonly room: number
  readonly planned: PlannedRoom
  readonly id: string
  readonly owner: Person
  readonly guest: Person
  readonly toWrite: Queue.Queue<PlannedMessage>
  readonly questions: Array<Question>
}

const twoOf = Effect.fnUntraced(function*(room: number) {
  const { people } = yield* Target
  const [owner, guest] = [people[ownerOf(room)], people[ownerOf(room + 1)]]
  if (owner === undefined || guest === undefined) return yield* Effect.die(new Error("There are no people."))
  return { owner, guest }
})

export const setUp = Effect.fn("setUp")(function*(planned: PlannedRoom, room: number) {
  const { botId } = yield* Target
  const { guest, owner } = yield* twoOf(room)
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

/** The room that is told what a start found. Nobody writes in it. */
export const setUpOffice = Effect.gen(function*() {
  const { botId } = yield* Target
  const { owner } = yield* twoOf(0)
  const id = yield* owner.createRoom({ name: "Office", invite: [] })
  yield* owner.invite(id, botId)
  return { id, owner }
})
export type Office = Effect.Success<typeof setUpOffice>

const titleOf = (room: number, number: number) => `Chat ${number} of room ${room}`

const bodyOf = ({ number, room, said }: PlannedMessage): string => {
  switch (said) {
    case "words":
      return `Message ${number} of room ${room}`
    case "rename":
      return `!rename Chat ${number}`
    case "new":
      return `!new ${titleOf(room, number)}`
    case "archive":
    case "unarchive":
      return `!${said}`
  }
}

/** Writes what is put into the queue, one message after another: their order in the room is the order of their numbers. */
export const writeAll = Effect.fn("writeAll")(
  function*({ guest, id, owner, planned, questions, toWrite }: Stage, botId: string) {
    yield* owner.sees(id, botId)
    if (planned.guest) yield* guest.sees(id, botId)
    while (true) {
      const message = yield* Queue.take(toWrite)
      yield* Effect.sleep(message.pauseMillis)
      const body = bodyOf(message)
      const eventId = yield* (message.from === "guest" ? guest : owner).write(id, `chaos-${message.number}`, {
        msgtype: "m.text",
        body,
        "m.mentions": message.expected === "silence" ? {} : { user_ids: [botId] }
      })
      questions.push({ ...message, eventId, body })
    }
  }
)

/** The owner leaves the Space that lists the rooms that were made for them. */
export const leaveSpace = Effect.fn("leaveSpace")(function*({ owner }: Stage) {
  const spaces = (yield* owner.invitations).filter(({ isSpace }) => isSpace)
  yield* Effect.forEach(spaces, ({ room }) => owner.leave(room), { discard: true })
})

/** What the rooms hold that were made for the messages of a room, once their owner has come into them. */
const roomsMade = Effect.fnUntraced(function*({ owner, questions, room }: Stage) {
  const asked = questions.filter(({ expected }) => expected === "room")
  const invitations = asked.length === 0 ? [] : yield* owner.invitations
  const made = yield* Effect.forEach(asked, ({ number }) =>
    Effect.forEach(
      invitations.filter(({ name }) => name === titleOf(room, number)),
      (invitation) => Effect.andThen(owner.join(invitation.room), owner.record(invitation.room))
    ).pipe(Effect.map((records) => [number, records] as const)))
  return new Map(made)
})

export const testimonyOf = Effect.fn("testimonyOf")(function*(stage: Stage, { encrypted }: Options) {
  const { faults } = yield* Target
  const { guest, id, owner, planned, questions, room } = stage
  const testimony: Testimony = {
    room: `room ${room}`,
    events: yield* owner.record(id),
    seenByGuest: planned.guest ? yield* guest.record(id) : [],
    encrypted,
    questions,
    greeting: planned.greetingRefused && faults !== undefined ? "at most once" : "once",
    made: yield* roomsMade(stage),
    news: false
  }
  return testimony
})

/** The operators' room. */
export const testimonyOfOffice = Effect.fn("testimonyOfOffice")(
  function*({ id, owner }: Office, { encrypted }: Options, news: boolean) {
    const testimony: Testimony = {
      room: "the office",
      events: yield* owner.record(id),
      seenByGuest: [],
      encrypted,
      questions: [],
      greeting: "once",
      made: new Map(),
      news
    }
    return testimony
  }
)
