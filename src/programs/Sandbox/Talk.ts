/** You, in rooms with the bot: what you say goes there, what is said there is printed. */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { RoomId } from "../../domain/Ids.ts"
import { RawEvent } from "../../domain/SyncBatch.ts"
import { Homeserver } from "../../layers/Homeserver.ts"
import type { PersonRefused } from "../../layers/Homeserver/Person.ts"
import { Terminal } from "./Terminal.ts"
import { printable, promptTitle } from "./Words.ts"

/** A room that you are in. */
export interface Room {
  readonly id: RoomId
  readonly title: string
  /** The bot's membership: `invite`, `join`, `leave` or `ban`. */
  readonly bot: string
  /** Whether what you write goes there. */
  readonly current: boolean
}

export class Talk extends Context.Service<Talk, {
  /** Prints what is said in all rooms, for as long as it runs. */
  readonly follow: Effect.Effect<never, PersonRefused>
  /** Goes to the first room, or makes one, as `open` does. Needs `follow` at the same time. */
  readonly begin: Effect.Effect<boolean, PersonRefused>
  /** Makes a room, goes there, invites the bot and waits for its greeting. Whether one came. */
  open(title: string): Effect.Effect<boolean, PersonRefused>
  /** Says something in the current room and waits for the answer. Whether one came. */
  say(body: string): Effect.Effect<boolean, PersonRefused>
  /** In the order in which they came up. */
  readonly rooms: Effect.Effect<ReadonlyArray<Room>>
  /** Goes to a room. */
  enter(room: Room): Effect.Effect<void>
}>()("homing/Sandbox/Talk") {
  static readonly layer = (options: TalkOptions): Layer.Layer<Talk, never, Homeserver | Terminal> =>
    Layer.effect(Talk, make(options))
}

export interface TalkOptions {
  readonly bot: string
  /** How long an answer is waited for. */
  readonly patience: Duration.Input
}

const Timeline = Schema.Struct({ events: Schema.Array(RawEvent) })
const StrippedState = Schema.Struct({
  type: Schema.String,
  state_key: Schema.String,
  sender: Schema.String,
  content: Schema.Record(Schema.String, Schema.Unknown)
})
const SyncAnswer = Schema.Struct({
  next_batch: Schema.String,
  rooms: Schema.optional(Schema.Struct({
    join: Schema.optional(Schema.Record(
      RoomId,
      Schema.Struct({ state: Schema.optional(Timeline), timeline: Schema.optional(Timeline) })
    )),
    invite: Schema.optional(Schema.Record(
      RoomId,
      Schema.Struct({ invite_state: Schema.Struct({ events: Schema.Array(StrippedState) }) })
    ))
  }))
})
const decodeAnswer = Schema.decodeUnknownEffect(SyncAnswer)

const make = Effect.fnUntraced(function*({ bot, patience }: TalkOptions) {
  const terminal = yield* Terminal
  const you = yield* (yield* Homeserver).as("you")
  const rooms = new Map<RoomId, { title: string; bot: string; isSpace: boolean }>()
  let current: RoomId | undefined
  /** What has been answered, or is waited for: a message by its id, a room, for its greeting, by its own. */
  const answers = new Map<string, Deferred.Deferred<void>>()

  const answerTo = (key: string): Deferred.Deferred<void> => {
    const answer = answers.get(key) ?? Deferred.makeUnsafe<void>()
    answers.set(key, answer)
    return answer
  }

  /** `what` is not answered, as the person is told. */
  const answered = Effect.fnUntraced(function*(key: string, { room, what }: { room: string; what: string }) {
    const came = yield* Deferred.await(answerTo(key)).pipe(
      Effect.as(true),
      Effect.timeoutOrElse({
        duration: patience,
        orElse: () => Effect.succeed(false)
      })
    )
    const time = Duration.format(Duration.fromInputUnsafe(patience))
    if (!came) yield* terminal.note(`no answer within ${time} in ${room}, to ${what}`)
    return came
  })

  const caughtUp = yield* Deferred.make<void>()

  const chats = () =>
    Array.from(rooms, ([id, room]) => ({ id, ...room, current: id === current })).filter(({ isSpace }) => !isSpace)

  /** Takes note of what changes a room. */
  const learn = (roomId: RoomId, event: Pick<RawEvent, "type" | "state_key" | "content">) => {
    const room = rooms.get(roomId) ?? { title: roomId, bot: "leave", isSpace: false }
    rooms.set(roomId, room)
    if (event.type === "m.room.create") room.isSpace = event.content["type"] === "m.space"
    if (event.type === "m.room.name") room.title = printable(String(event.content["name"] ?? roomId))
    if (event.type === "m.room.member" && event.state_key === bot) room.bot = String(event.content["membership"])
    return room
  }

  const happened = Effect.fnUntraced(function*(roomId: RoomId, event: RawEvent) {
    const room = learn(roomId, event)
    if (event.type === "m.room.name" && roomId === current) yield* terminal.prompt(promptTitle(room.title))
    if (event.type !== "m.room.message" || ownLine(event)) return
    const who = event.sender === bot ? "bot" : event.sender === you.userId ? "you" : event.sender
    yield* terminal.said(
      roomId === current ? who : `${who} in ${room.title}`,
      printable(String(event.content["body"] ?? ""))
    )
    if (event.sender !== bot) return
    yield* Deferred.succeed(answerTo(questionOf(event) ?? roomId), undefined)
  })

  /** Rooms that the bot makes for you, as `!new` does, are yours at once. */
  const join = Effect.fnUntraced(function*(roomId: RoomId, stripped: ReadonlyArray<typeof StrippedState.Type>) {
    const inviter = stripped.find(({ state_key, type }) => type === "m.room.member" && state_key === you.userId)?.sender
    if (inviter !== bot) return
    for (const event of stripped) learn(roomId, event)
    yield* you.join(roomId)
    const number = 1 + chats().findIndex(({ id }) => id === roomId)
    if (number > 0) yield* terminal.note(`the bot let you into ${rooms.get(roomId)?.title}; /room ${number} goes there`)
  })

  const follow = Effect.gen(function*() {
    let since: string | undefined
    while (true) {
      const query = { timeout: "30000", ...(since === undefined ? {} : { since }) }
      const body = yield* you.request("GET", "/_matrix/client/v3/sync", undefined, query)
      const answer: typeof SyncAnswer.Type = yield* Effect.orDie(decodeAnswer(body))
      for (const [roomId, { invite_state }] of Object.entries(answer.rooms?.invite ?? {})) {
        yield* join(RoomId.make(roomId), invite_state.events)
      }
      for (const [roomId, { state, timeline }] of Object.entries(answer.rooms?.join ?? {})) {
        for (const event of [...state?.events ?? [], ...timeline?.events ?? []]) {
          // What was said before is history.
          if (since === undefined) learn(RoomId.make(roomId), event)
          else yield* happened(RoomId.make(roomId), event)
        }
      }
      since = answer.next_batch
      yield* Deferred.succeed(caughtUp, undefined)
    }
  })

  const enter = Effect.fnUntraced(function*(room: Pick<Room, "id" | "title">) {
    current = room.id
    yield* terminal.prompt(promptTitle(room.title))
  })

  const open = Effect.fn("Talk.open")(function*(title: string) {
    // As Element makes a direct chat: whoever is invited has a say in the room, too.
    const id = yield* you.createRoom({ name: title, invite: [bot], preset: "trusted_private_chat" })
    rooms.set(id, rooms.get(id) ?? { title, bot: "invite", isSpace: false })
    current = id
    const came = yield* answered(id, { room: title, what: "your invite" })
    yield* enter({ id, title })
    return came
  })

  const begin = Effect.gen(function*() {
    yield* Deferred.await(caughtUp)
    const [first] = chats()
    if (first !== undefined) {
      yield* terminal.note(`you are in ${first.title} again; /rooms lists all that there are`)
      yield* enter(first)
      return true
    }
    return yield* open("Sandbox")
  })

  return Talk.of({
    follow,
    begin,
    open,
    say: Effect.fn("Talk.say")(function*(body) {
      if (current === undefined) return true
      if (!terminal.interactive) yield* terminal.said("you", body)
      const room = rooms.get(current)?.title ?? current
      return yield* answered(yield* you.say(current, body), { room, what: `"${shortened(body)}"` })
    }),
    rooms: Effect.sync(chats),
    enter
  })
})

/** The beginning of what was said, in one line. */
const shortened = (body: string): string => body.length > 40 ? `${body.slice(0, 40)}…` : body

/** Typed here, thus on the screen already. What you write with another client of yours is not. */
const ownLine = (event: RawEvent): boolean => event.unsigned?.["transaction_id"] !== undefined

const InReplyTo = Schema.Struct({
  "m.relates_to": Schema.Struct({ "m.in_reply_to": Schema.Struct({ event_id: Schema.String }) })
})
const decodeInReplyTo = Schema.decodeUnknownOption(InReplyTo)

/** The message that an answer answers; undefined when it answers none, as a greeting does. */
const questionOf = (event: RawEvent): string | undefined => {
  const relation = decodeInReplyTo(event.content)
  return relation._tag === "Some" ? relation.value["m.relates_to"]["m.in_reply_to"].event_id : undefined
}
