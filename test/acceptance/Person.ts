import { Effect, Schema, Semaphore } from "effect"
import { randomUUID } from "node:crypto"
import { type Account, ask, logIn, makeAccount, Nothing, request } from "./Homeserver.ts"

/** An event as a person sees it. */
export interface Seen {
  readonly room: string
  readonly id: string
  readonly type: string
  readonly sender: string
  readonly content: Readonly<Record<string, unknown>>
  readonly stateKey: string | undefined
}

const Event = Schema.Struct({
  event_id: Schema.String,
  type: Schema.String,
  sender: Schema.String,
  content: Schema.Record(Schema.String, Schema.Unknown),
  state_key: Schema.optionalKey(Schema.String)
})
/** Of nobody, and under no id: who types, and who has read how far. */
const Ephemeral = Schema.Struct({ type: Schema.String, content: Schema.Record(Schema.String, Schema.Unknown) })
const SyncAnswer = Schema.Struct({
  next_batch: Schema.String,
  rooms: Schema.optionalKey(Schema.Struct({
    join: Schema.optionalKey(Schema.Record(
      Schema.String,
      Schema.Struct({
        timeline: Schema.optionalKey(Schema.Struct({ events: Schema.Array(Event) })),
        ephemeral: Schema.optionalKey(Schema.Struct({ events: Schema.Array(Ephemeral) }))
      })
    ))
  }))
})
const RoomAnswer = Schema.Struct({ room_id: Schema.String })
const SentAnswer = Schema.Struct({ event_id: Schema.String })
const UpgradeAnswer = Schema.Struct({ replacement_room: Schema.String })

/** The event that a message replies to. */
export const repliesTo = (event: Seen): string | undefined => {
  const relation = event.content["m.relates_to"]
  if (typeof relation !== "object" || relation === null || !("m.in_reply_to" in relation)) return undefined
  const reply = relation["m.in_reply_to"]
  return typeof reply === "object" && reply !== null && "event_id" in reply && typeof reply.event_id === "string"
    ? reply.event_id
    : undefined
}

export const bodyOf = (event: Seen): string => String(event.content["body"] ?? "")

/** Somebody with a Matrix account and a client that does no more than it is told. */
export type Person = Effect.Success<ReturnType<typeof makePerson>>

export const makePerson = (name: string) => Effect.flatMap(makeAccount(name), personOf)

/** A person on a new session of this account. */
export const personOf = Effect.fn("personOf")(function*(account: Account) {
  const { token } = yield* logIn(account)
  const polling = yield* Semaphore.make(1)
  const seen: Array<Seen> = []
  let since: string | undefined

  const post = (path: string, body: unknown = {}) =>
    Effect.asVoid(request(Nothing, "POST", `/_matrix/client/v3${path}`, { token, body }))
  const inRoom = (room: string, rest: string) => `/rooms/${encodeURIComponent(room)}/${rest}`

  /** One `/sync`, held by the server until there is something new. */
  const poll = Effect.fn("poll")(function*(timeout: number) {
    const query = new URLSearchParams({
      timeout: String(timeout),
      filter: JSON.stringify({ room: { timeline: { limit: 100 } } }),
      ...(since === undefined ? {} : { since })
    })
    const answer = yield* request(SyncAnswer, "GET", `/_matrix/client/v3/sync?${query}`, { token })
    since = answer.next_batch
    for (const [room, { ephemeral, timeline }] of Object.entries(answer.rooms?.join ?? {})) {
      for (const event of timeline?.events ?? []) {
        const { content, event_id, sender, state_key, type } = event
        seen.push({ room, id: event_id, type, sender, content, stateKey: state_key })
      }
      for (const { content, type } of ephemeral?.events ?? []) {
        seen.push({ room, id: "", type, sender: "", content, stateKey: undefined })
      }
    }
  })

  /** The first event, of those already seen and those to come, that is what is waited for. */
  const waitFor = (what: string, isIt: (event: Seen) => boolean, within = 30_000): Effect.Effect<Seen> => {
    const look: Effect.Effect<Seen> = Effect.suspend(() => {
      const found = seen.find(isIt)
      return found === undefined ? Effect.andThen(poll(10_000), look) : Effect.succeed(found)
    })
    return Semaphore.withPermits(polling, 1)(look).pipe(
      Effect.timeoutOrElse({
        duration: within,
        orElse: () =>
          Effect.die(
            new Error(
              `${account.localpart} waited ${within / 1000} s in vain for ${what}. Last seen: ${
                JSON.stringify(seen.slice(-5))
              }`
            )
          )
      })
    )
  }

  const sendEvent = (room: string, type: string, content: unknown) =>
    Effect.map(
      request(SentAnswer, "PUT", `/_matrix/client/v3${inRoom(room, `send/${type}/${randomUUID()}`)}`, {
        token,
        body: content
      }),
      ({ event_id }) => event_id
    )
  const send = (room: string, body: string, content: Readonly<Record<string, unknown>> = {}) =>
    sendEvent(room, "m.room.message", { msgtype: "m.text", body, ...content })

  const reply = (question: string) => waitFor(`a reply to ${question}`, (event) => repliesTo(event) === question)

  return {
    account,
    userId: account.userId,
    token,
    waitFor,
    send,
    /** The reply to an event that was sent. */
    reply,
    /** Sends, and waits for the body of the reply. */
    asks: (room: string, body: string, content: Readonly<Record<string, unknown>> = {}) =>
      Effect.map(Effect.flatMap(send(room, body, content), reply), bodyOf),
    /** Every reply to this event that has been seen until now. */
    repliesUntilNow: (question: string) => seen.filter((event) => repliesTo(event) === question).map(bodyOf),
    sawUntilNow: (isIt: (event: Seen) => boolean) => seen.some(isIt),
    /** Everything that this sender has said in the room until now. */
    saidUntilNow: (room: string, sender: string) =>
      seen.filter((event) => event.room === room && event.sender === sender && event.type === "m.room.message")
        .map(bodyOf),
    createRoom: (options: {
      readonly name?: string
      readonly invite?: ReadonlyArray<string>
      readonly creation?: Readonly<Record<string, unknown>>
      readonly version?: string
      /** A room for two. */
      readonly direct?: boolean
      /** Open to everybody. */
      readonly open?: boolean
    } = {}) =>
      Effect.map(
        request(RoomAnswer, "POST", "/_matrix/client/v3/createRoom", {
          token,
          body: {
            preset: options.open === true ? "public_chat" : "private_chat",
            is_direct: options.direct === true,
            name: options.name,
            invite: options.invite ?? [],
            creation_content: options.creation ?? {},
            room_version: options.version
          }
        }),
        ({ room_id }) => room_id
      ),
    invite: (room: string, user: string) => post(inRoom(room, "invite"), { user_id: user }),
    kick: (room: string, user: string) => post(inRoom(room, "kick"), { user_id: user }),
    ban: (room: string, user: string) => post(inRoom(room, "ban"), { user_id: user }),
    unban: (room: string, user: string) => post(inRoom(room, "unban"), { user_id: user }),
    join: (room: string) => post(`/join/${encodeURIComponent(room)}`),
    leave: (room: string) => post(inRoom(room, "leave")),
    forget: (room: string) => post(inRoom(room, "forget")),
    /** Says something else in place of a message of one's own; the id of the edit. */
    edit: (room: string, event: string, body: string) =>
      send(room, `* ${body}`, {
        "m.new_content": { msgtype: "m.text", body },
        "m.relates_to": { rel_type: "m.replace", event_id: event }
      }),
    redact: (room: string, event: string) =>
      Effect.asVoid(
        request(SentAnswer, "PUT", `/_matrix/client/v3${inRoom(room, `redact/${event}/${randomUUID()}`)}`, { token })
      ),
    react: (room: string, event: string, key: string) =>
      sendEvent(room, "m.reaction", { "m.relates_to": { rel_type: "m.annotation", event_id: event, key } }),
    /** Replaces a room by a new one that remembers it, which is these people's, too; the id of the new one. */
    upgrade: (room: string, version: string, creators: ReadonlyArray<string> = []) =>
      Effect.map(
        request(UpgradeAnswer, "POST", `/_matrix/client/v3${inRoom(room, "upgrade")}`, {
          token,
          body: { new_version: version, ...(creators.length === 0 ? {} : { additional_creators: creators }) }
        }),
        ({ replacement_room }) => replacement_room
      ),
    sendState: (room: string, type: string, content: unknown, stateKey = "") =>
      Effect.asVoid(request(Nothing, "PUT", `/_matrix/client/v3${inRoom(room, `state/${type}/${stateKey}`)}`, {
        token,
        body: content
      })),
    /** How a user stands to a room: `join`, `invite`, `leave`, `ban`, or undefined when it never came near. */
    membership: (room: string, user: string) =>
      Effect.map(
        ask("GET", `/_matrix/client/v3${inRoom(room, `state/m.room.member/${encodeURIComponent(user)}`)}`, { token }),
        ({ body }) =>
          typeof body === "object" && body !== null && "membership" in body ? String(body.membership) : undefined
      ),
    /** Waits until that user has joined that room. */
    sees: (room: string, user: string) =>
      waitFor(
        `${user} to join ${room}`,
        (event) =>
          event.room === room && event.type === "m.room.member" && event.stateKey === user &&
          event.content["membership"] === "join"
      ),
    /** Waits for words of that user in that room that are no reply. */
    hears: (room: string, user: string, within?: number) =>
      waitFor(
        `${user} to speak in ${room}`,
        (event) =>
          event.room === room && event.sender === user && event.type === "m.room.message" &&
          repliesTo(event) === undefined,
        within
      ),
    /** The rooms that this account takes for direct chats with that user. */
    directRoomsWith: (user: string) =>
      Effect.map(
        ask("GET", `/_matrix/client/v3/user/${account.userId}/account_data/m.direct`, { token }),
        ({ body, status }) =>
          status === 200 ? new Map<string, unknown>(Object.entries(body ?? {})).get(user) : undefined
      ),
    /** Room account data of this account; undefined when there is none. */
    accountData: (room: string, type: string) =>
      Effect.map(
        ask("GET", `/_matrix/client/v3/user/${account.userId}${inRoom(room, `account_data/${type}`)}`, { token }),
        ({ body, status }): unknown => status === 200 ? body : undefined
      ),
    setAccountData: (room: string, type: string, content: unknown) =>
      Effect.asVoid(
        request(Nothing, "PUT", `/_matrix/client/v3/user/${account.userId}${inRoom(room, `account_data/${type}`)}`, {
          token,
          body: content
        })
      )
  }
})
