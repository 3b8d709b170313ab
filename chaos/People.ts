import { Effect, Schedule, Schema } from "effect"

/** The people of a run. Each of them owns every fifth room. */
export const names: ReadonlyArray<string> = ["ada", "ben", "cleo", "dan", "eve"]

/** Speaks to any homeserver: plain requests, and nothing of the bot's own code. */
export interface Person {
  readonly userId: string
  createRoom(options: { readonly name: string; readonly invite: ReadonlyArray<string> }): Effect.Effect<string>
  invite(room: string, user: string): Effect.Effect<void>
  join(room: string): Effect.Effect<void>
  /** Leaves a room, or declines its invite. */
  leave(room: string): Effect.Effect<void>
  /** Is called so from now on. */
  rename(name: string): Effect.Effect<void>
  /** The rooms that this person is invited to and has not answered. */
  readonly invitations: Effect.Effect<ReadonlyArray<Invitation>>
  /** Writes once, however often it is asked to with this transaction id. The event id. */
  write(room: string, transaction: string, content: Readonly<Record<string, unknown>>): Effect.Effect<string>
  /** Waits until that user is in the room. */
  sees(room: string, user: string): Effect.Effect<void>
  /** The homeserver's own record of a room, oldest first; opened, where it is encrypted and this person can. */
  record(room: string): Effect.Effect<ReadonlyArray<RoomEvent>>
  /** The identity keys of the devices of a user, as the homeserver tells them. */
  keysOf(user: string): Effect.Effect<ReadonlyArray<unknown>>
}

/** An invite, as far as it tells what it leads to. */
export interface Invitation {
  readonly room: string
  readonly name: unknown
  readonly isSpace: boolean
}

export const RoomEvent = Schema.Struct({
  event_id: Schema.String,
  type: Schema.String,
  sender: Schema.String,
  /** Milliseconds since the epoch. */
  origin_server_ts: Schema.Number,
  content: Schema.Record(Schema.String, Schema.Unknown),
  /** It was encrypted, and this is what was in it. No homeserver says so: whoever opened it does. */
  opened: Schema.optionalKey(Schema.Boolean)
})
export type RoomEvent = typeof RoomEvent.Type

const LoggedIn = Schema.Struct({ access_token: Schema.String, device_id: Schema.String, user_id: Schema.String })
const Room = Schema.Struct({ room_id: Schema.String })
const Sent = Schema.Struct({ event_id: Schema.String })
const Page = Schema.Struct({ chunk: Schema.Array(RoomEvent), end: Schema.optionalKey(Schema.String) })
const Members = Schema.Struct({ joined: Schema.Record(Schema.String, Schema.Unknown) })
const Keys = Schema.Struct({
  device_keys: Schema.Record(
    Schema.String,
    Schema.Record(Schema.String, Schema.Struct({ keys: Schema.Record(Schema.String, Schema.String) }))
  )
})
const Stripped = Schema.Struct({ type: Schema.String, content: Schema.Record(Schema.String, Schema.Unknown) })
const Invited = Schema.Struct({
  rooms: Schema.optionalKey(Schema.Struct({
    invite: Schema.optionalKey(Schema.Record(
      Schema.String,
      Schema.Struct({ invite_state: Schema.Struct({ events: Schema.Array(Stripped) }) })
    ))
  }))
})
const Nothing = Schema.Struct({})

/** A request that has to succeed; it is repeated for a while when it does not, since a busy machine is no finding. */
const request = <S extends Schema.ConstraintDecoder<unknown>>(
  shape: S,
  method: string,
  url: string,
  options: { readonly token?: string; readonly body?: unknown }
): Effect.Effect<S["Type"]> =>
  Effect.tryPromise(async (signal) => {
    const response = await fetch(url, {
      method,
      headers: {
        "content-type": "application/json",
        ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` })
      },
      ...(method === "GET" ? {} : { body: JSON.stringify(options.body ?? {}) }),
      signal
    })
    const body: unknown = await response.json()
    if (!response.ok) throw new Error(`${method} ${url} was answered with ${response.status}: ${JSON.stringify(body)}`)
    return body
  }).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(shape)),
    Effect.retry({ times: 5, schedule: Schedule.exponential(200) }),
    Effect.orDie
  )

/** A session of a person, on a device of its own. */
export interface Session {
  readonly token: string
  readonly userId: string
  readonly deviceId: string
}

export const logIn = (url: string, name: string, password: string): Effect.Effect<Session> =>
  request(LoggedIn, "POST", `${url}/_matrix/client/v3/login`, {
    body: { type: "m.login.password", identifier: { type: "m.id.user", user: name }, password }
  }).pipe(Effect.map(({ access_token, device_id, user_id }) => ({
    token: access_token,
    userId: user_id,
    deviceId: device_id
  })))

/** Signs a person in. */
export const signIn = (url: string, name: string, password: string): Effect.Effect<Person> =>
  Effect.map(logIn(url, name, password), (session) => personWith(url, session))

/** What a look at the invites needs of a sync: next to nothing. */
const onlyRooms = JSON.stringify({
  presence: { not_types: ["*"] },
  account_data: { not_types: ["*"] },
  room: { timeline: { limit: 1 }, state: { not_types: ["*"] }, account_data: { not_types: ["*"] } }
})

/** A person with this session. `initialState` is what the rooms that they make have from the start. */
export const personWith = (
  url: string,
  { token, userId }: Session,
  initialState: ReadonlyArray<unknown> = []
): Person => {
  const api = `${url}/_matrix/client/v3`
  const inRoom = (room: string, rest: string) => `${api}/rooms/${encodeURIComponent(room)}/${rest}`
  const post = (to: string, body: unknown = {}) => Effect.asVoid(request(Nothing, "POST", to, { token, body }))

  return {
    userId,
    createRoom: ({ invite, name }) =>
      request(Room, "POST", `${api}/createRoom`, {
        token,
        body: { preset: "private_chat", name, invite, initial_state: initialState }
      }).pipe(Effect.map(({ room_id }) => room_id)),
    invite: (room, user) => post(inRoom(room, "invite"), { user_id: user }),
    join: (room) => post(inRoom(room, "join")),
    leave: (room) => post(inRoom(room, "leave")),
    rename: (name) =>
      Effect.asVoid(request(Nothing, "PUT", `${api}/profile/${encodeURIComponent(userId)}/displayname`, {
        token,
        body: { displayname: name }
      })),
    invitations: request(Invited, "GET", `${api}/sync?${new URLSearchParams({ timeout: "0", filter: onlyRooms })}`, {
      token
    }).pipe(
      Effect.map(({ rooms }) =>
        Object.entries(rooms?.invite ?? {}).map(([room, { invite_state: { events } }]) => {
          const shown = (type: string) => events.find((event) => event.type === type)?.content
          return {
            room,
            name: shown("m.room.name")?.["name"],
            isSpace: shown("m.room.create")?.["type"] === "m.space"
          }
        })
      )
    ),
    write: (room, transaction, content) =>
      request(Sent, "PUT", inRoom(room, `send/m.room.message/${transaction}`), { token, body: content }).pipe(
        Effect.map(({ event_id }) => event_id)
      ),
    sees: (room, user) =>
      request(Members, "GET", inRoom(room, "joined_members"), { token }).pipe(
        Effect.repeat({ until: ({ joined }) => user in joined, schedule: Schedule.spaced(200) }),
        Effect.asVoid
      ),
    record: Effect.fn("record")(function*(room) {
      const events: Array<RoomEvent> = []
      let from: string | undefined
      do {
        const query = new URLSearchParams({ dir: "f", limit: "100", ...(from === undefined ? {} : { from }) })
        const page: typeof Page.Type = yield* request(Page, "GET", inRoom(room, `messages?${query}`), { token })
        events.push(...page.chunk)
        from = page.chunk.length === 0 ? undefined : page.end
      } while (from !== undefined)
      return events
    }),
    keysOf: (user) =>
      request(Keys, "POST", `${api}/keys/query`, { token, body: { device_keys: { [user]: [] } } }).pipe(
        Effect.map(({ device_keys }) => Object.entries(device_keys[user] ?? {}))
      )
  }
}
