import { Effect, Schema } from "effect"
import { settings, startReadyBot, temporaryDirectory } from "./Bot.ts"
import { makeAccount } from "./Homeserver.ts"
import { makePerson, type Person, personOf } from "./Person.ts"
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
