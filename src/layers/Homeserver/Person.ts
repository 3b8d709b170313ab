/** A person at a homeserver: what tests and the sandbox say "alice writes" with. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { DeviceId, EventId, RoomId, UserId } from "../../domain/Ids.ts"
import { RawEvent } from "../../domain/SyncBatch.ts"
import type { HomeserverAnswer, HomeserverRequest } from "./Router.ts"

/** The homeserver did not let a person do what a script says. */
export class PersonRefused extends Schema.TaggedError<PersonRefused>()("PersonRefused", {
  person: UserId,
  request: Schema.String,
  status: Schema.Number,
  errcode: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.person} may not "${this.request}": ${this.status} ${this.errcode} ${this.detail}`
  }
}

type Content = Readonly<Record<string, unknown>>
type Done<A> = Effect.Effect<A, PersonRefused>

export interface NewRoom {
  readonly name?: string
  readonly topic?: string
  readonly invite?: ReadonlyArray<string>
  readonly isSpace?: boolean
  readonly encrypted?: boolean
  readonly preset?: "private_chat" | "trusted_private_chat" | "public_chat"
  readonly isDirect?: boolean
  readonly powerLevels?: Content
}

export interface Person {
  readonly userId: UserId
  readonly deviceId: DeviceId
  /** Any request as this person; the body of a 2xx answer. */
  request(method: string, path: string, body?: unknown, query?: Readonly<Record<string, string>>): Done<unknown>
  createRoom(options?: NewRoom): Done<RoomId>
  invite(room: string, user: string): Done<void>
  join(room: string): Done<void>
  leave(room: string): Done<void>
  forget(room: string): Done<void>
  kick(room: string, user: string, reason?: string): Done<void>
  ban(room: string, user: string, reason?: string): Done<void>
  unban(room: string, user: string): Done<void>
  /** Sends an `m.text`; `extra` goes over its content. */
  say(room: string, body: string, extra?: Content): Done<EventId>
  send(room: string, type: string, content: Content): Done<EventId>
  setState(room: string, type: string, content: Content, stateKey?: string): Done<EventId>
  state(room: string, type: string, stateKey?: string): Done<unknown>
  redact(room: string, event: string): Done<EventId>
  upgrade(room: string, version?: string): Done<RoomId>
  setDisplayName(name: string): Done<void>
  /** Undefined when there is none. */
  roomAccountData(room: string, type: string): Done<unknown>
  setRoomAccountData(room: string, type: string, content: Content): Done<void>
  /** Everything that this person may see of a room, oldest first, state too. */
  messages(room: string): Done<ReadonlyArray<RawEvent>>
  /**
   * The first event of a room that the predicate accepts, after the event `after` or else of all: one that is there
   * already, or the next one that comes. Waits as long as it takes; bound it with `Effect.timeout`.
   */
  waitFor(
    room: string,
    predicate: (event: RawEvent) => boolean,
    options?: { readonly after?: string }
  ): Done<RawEvent>
}

const Page = Schema.Struct({ chunk: Schema.Array(RawEvent), end: Schema.optional(Schema.String) })
const decode = <S extends Schema.ConstraintDecoder<unknown>>(schema: S) => {
  const decodeBody = Schema.decodeUnknownEffect(schema)
  // Not what a homeserver answers: a defect of the model, not something that a script could handle.
  return (body: unknown): Effect.Effect<S["Type"]> => Effect.orDie(decodeBody(body))
}
const roomIdOf = decode(Schema.Struct({ room_id: RoomId }))
const replacementOf = decode(Schema.Struct({ replacement_room: RoomId }))
const eventIdOf = decode(Schema.Struct({ event_id: EventId }))
const nextBatchOf = decode(Schema.Struct({ next_batch: Schema.String }))
const pageOf = decode(Page)
const decodeProblem = Schema.decodeUnknownOption(Schema.Struct({ errcode: Schema.String, error: Schema.String }))

export const makePerson = (options: {
  readonly answer: (request: HomeserverRequest) => Effect.Effect<HomeserverAnswer>
  readonly accessToken: string
  readonly userId: string
  readonly deviceId: string
}): Person => {
  const userId = UserId.make(options.userId)
  let transactions = 0
  const segment = encodeURIComponent
  const inRoom = (room: string, ...rest: ReadonlyArray<string>) =>
    ["/_matrix/client/v3/rooms", segment(room), ...rest.map(segment)].join("/")
  const dataOf = (room: string, type: string) =>
    `/_matrix/client/v3/user/${segment(userId)}/rooms/${segment(room)}/account_data/${segment(type)}`

  const request: Person["request"] = Effect.fn("Person.request")(function*(method, path, body, query = {}) {
    const given = yield* options.answer({ method, path, query, body, accessToken: options.accessToken })
    if (given.status >= 200 && given.status < 300) return given.body
    const problem = Option.getOrElse(decodeProblem(given.body), () => ({ errcode: "", error: "" }))
    return yield* new PersonRefused({
      person: userId,
      request: `${method} ${path}`,
      status: given.status,
      errcode: problem.errcode,
      detail: problem.error
    })
  })

  const post = (path: string, body: unknown = {}) => Effect.asVoid(request("POST", path, body))
  const transaction = () => `${options.deviceId}.${++transactions}`

  const createRoom = (room: NewRoom = {}) =>
    request("POST", "/_matrix/client/v3/createRoom", {
      preset: room.preset,
      name: room.name,
      topic: room.topic,
      invite: room.invite,
      is_direct: room.isDirect,
      power_level_content_override: room.powerLevels,
      creation_content: room.isSpace === true ? { type: "m.space" } : {},
      initial_state: room.encrypted === true
        ? [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }]
        : []
    }).pipe(Effect.flatMap(roomIdOf), Effect.map((body) => body.room_id))

  const put = (path: string, content: Content) =>
    request("PUT", path, content).pipe(Effect.flatMap(eventIdOf), Effect.map((body) => body.event_id))
  const send: Person["send"] = (room, type, content) =>
    Effect.suspend(() => put(inRoom(room, "send", type, transaction()), content))

  /** Oldest first, from `from` or the beginning. */
  const read = Effect.fnUntraced(function*(room: string, start?: string) {
    const events: Array<RawEvent> = []
    let from = start
    do {
      const query = { dir: "f", limit: "100", ...(from === undefined ? {} : { from }) }
      const page: typeof Page.Type = yield* Effect.flatMap(
        request("GET", inRoom(room, "messages"), undefined, query),
        pageOf
      )
      events.push(...page.chunk)
      from = page.end
    } while (from !== undefined)
    return events
  })

  /** Where the stream is; with `since`, once something has come in the room after it, or nothing for half a minute. */
  const position = (room: string, since: string | undefined) =>
    request("GET", "/_matrix/client/v3/sync", undefined, {
      timeout: "30000",
      ...(since === undefined ? {} : { since }),
      filter: JSON.stringify({ room: { rooms: [room], timeline: { limit: 1 }, state: { types: [] } } })
    }).pipe(Effect.flatMap(nextBatchOf), Effect.map((body) => body.next_batch))

  const waitFor: Person["waitFor"] = Effect.fn("Person.waitFor")(function*(room, predicate, { after } = {}) {
    // The position is taken before the room is read: what comes in between ends the next wait at once.
    let since = yield* position(room, undefined)
    const all = yield* read(room)
    let events = after === undefined ? all : all.slice(all.findIndex((event) => event.event_id === after) + 1)
    while (true) {
      const found = events.find(predicate)
      if (found !== undefined) return found
      const before = since
      since = yield* position(room, before)
      events = yield* read(room, before)
    }
  })

  return {
    userId,
    deviceId: DeviceId.make(options.deviceId),
    request,
    createRoom,
    invite: (room, user) => post(inRoom(room, "invite"), { user_id: user }),
    join: (room) => post(`/_matrix/client/v3/join/${segment(room)}`),
    leave: (room) => post(inRoom(room, "leave")),
    forget: (room) => post(inRoom(room, "forget")),
    kick: (room, user, reason) => post(inRoom(room, "kick"), { user_id: user, reason }),
    ban: (room, user, reason) => post(inRoom(room, "ban"), { user_id: user, reason }),
    unban: (room, user) => post(inRoom(room, "unban"), { user_id: user }),
    say: (room, body, extra = {}) => send(room, "m.room.message", { msgtype: "m.text", body, ...extra }),
    send,
    setState: (room, type, content, stateKey = "") => put(inRoom(room, "state", type, stateKey), content),
    state: (room, type, stateKey = "") => request("GET", inRoom(room, "state", type, stateKey)),
    redact: (room, event) => Effect.suspend(() => put(inRoom(room, "redact", event, transaction()), {})),
    upgrade: (room, version) =>
      request("POST", inRoom(room, "upgrade"), { new_version: version }).pipe(
        Effect.flatMap(replacementOf),
        Effect.map((body) => body.replacement_room)
      ),
    setDisplayName: (name) =>
      Effect.asVoid(request("PUT", `/_matrix/client/v3/profile/${segment(userId)}/displayname`, { displayname: name })),
    roomAccountData: (room, type) =>
      request("GET", dataOf(room, type)).pipe(
        Effect.catch((refused) => refused.status === 404 ? Effect.succeed(undefined) : Effect.fail(refused))
      ),
    setRoomAccountData: (room, type, content) => Effect.asVoid(request("PUT", dataOf(room, type), content)),
    messages: (room) => read(room),
    waitFor
  }
}
