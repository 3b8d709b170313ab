import { assert } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { settings, startReadyBot, temporaryDirectory } from "./Bot.ts"
import { makeAccount, request } from "./Homeserver.ts"
import { bodyOf, makePerson, type Person, personOf } from "./Person.ts"
import { makeProxy } from "./Proxy.ts"

/** What a marker says, as far as the tests ask. */
const Marker = Schema.Struct({
  chat_id: Schema.String,
  room_id: Schema.String,
  owner: Schema.String,
  title: Schema.String,
  archived: Schema.Boolean,
  revision: Schema.Int
})
export type Marker = typeof Marker.Type

export const markerType = "dev.homing.chat"

/** Alice, a bot that she may talk to, a data directory for it, and a proxy before the homeserver. Nothing runs yet. */
export const scenario = Effect.fn("scenario")(function*(
  more: Readonly<Record<string, string | undefined>> = {}
) {
  const alice = yield* makePerson("alice")
  const account = yield* makeAccount("homing")
  const dataDir = yield* temporaryDirectory
  const proxy = yield* makeProxy
  const environment = settings({ account, dataDir, url: proxy.url, more })
  return {
    alice,
    account,
    dataDir,
    proxy,
    environment,
    start: startReadyBot(environment),
    /** The bot's account in another client: what the server keeps for it. */
    behindTheBot: personOf(account)
  }
})

/** The person invites the bot to a new room and waits until it has said hello. */
export const openChat = Effect.fn("openChat")(function*(person: Person, bot: string, name?: string) {
  const room = yield* person.createRoom({ invite: [bot], ...(name === undefined ? {} : { name }) })
  yield* person.hears(room, bot)
  return room
})

/** The marker of this room, read with the bot's own account; undefined when there is none or it was taken away. */
export const markerOf = Effect.fn("markerOf")(function*(bot: Person, room: string) {
  const content = yield* bot.accountData(room, markerType)
  if (typeof content !== "object" || content === null || Object.keys(content).length === 0) return undefined
  return yield* Effect.orDie(Schema.decodeUnknownEffect(Marker)(content))
})

const State = Schema.Array(Schema.Struct({
  type: Schema.String,
  state_key: Schema.String,
  content: Schema.Record(Schema.String, Schema.Unknown)
}))

const stateEvents = (person: Person, room: string) =>
  request(State, "GET", `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/state`, { token: person.token })

/** The state of a room, as one who is in it may read it: by type and key, the content. */
export const stateOf = (person: Person, room: string) =>
  Effect.map(
    stateEvents(person, room),
    (events) => (type: string, key = "") =>
      events.find((event) => event.type === type && event.state_key === key)?.content
  )

const Hierarchy = Schema.Struct({ rooms: Schema.Array(Schema.Struct({ room_id: Schema.String })) })

/** The rooms that a Space shows to this person; the Space itself is among them. */
export const listedBy = (person: Person, space: string) =>
  Effect.map(
    request(Hierarchy, "GET", `/_matrix/client/v1/rooms/${encodeURIComponent(space)}/hierarchy`, {
      token: person.token
    }),
    ({ rooms }) => rooms.map(({ room_id }) => room_id)
  )

/** The person types `!new` in a room with the bot, and goes into the room and the Space that this makes. */
export const newChat = Effect.fn("newChat")(function*(person: Person, lobby: string, bot: string, title: string) {
  const answer = yield* person.asks(lobby, `!new ${title}`)
  const room = /#\/(![^?)]+)/.exec(decodeURIComponent(answer))?.[1] ?? answer
  yield* person.join(room)
  assert.include(bodyOf(yield* person.hears(room, bot)), title)
  const space = (yield* stateEvents(person, room)).find(({ type }) => type === "m.space.parent")?.state_key ?? ""
  yield* person.join(space)
  return { room, space }
})
