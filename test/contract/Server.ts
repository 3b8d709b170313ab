/** A homeserver as the contract knows it: a base URL, accounts, and plain requests. Nothing of our own code speaks here. */
import { Context, Effect } from "effect"
import { dig, list, text } from "../layers/Homeserver/Caller.ts"

export interface Account {
  readonly userId: string
  readonly localpart: string
  readonly password: string
}

export class Server extends Context.Service<Server, {
  /** Without a slash at its end. */
  readonly baseUrl: string
  /** The part of user ids after the colon. */
  readonly serverName: string
  /** A new account that nobody else has. */
  account(name: string): Effect.Effect<Account>
}>()("test/contract/Server") {}

export interface Answer {
  readonly status: number
  readonly body: unknown
  readonly headers: Headers
}

export interface Asked {
  readonly body?: unknown
  readonly query?: Readonly<Record<string, string>>
}

/** One request as the bearer of a token. Paths are those below `/_matrix/client/v3`, or whole ones. */
export type Ask = (method: string, path: string, asked?: Asked) => Effect.Effect<Answer>

export const asker = (baseUrl: string, token?: string): Ask => (method, path, { body, query = {} } = {}) =>
  Effect.promise(async (signal) => {
    const whole = path.startsWith("/_matrix") ? path : `/_matrix/client/v3${path}`
    const isBinary = body instanceof Uint8Array
    const response = await fetch(`${baseUrl}${whole}?${new URLSearchParams(query)}`, {
      method,
      signal,
      headers: {
        "content-type": isBinary ? "application/octet-stream" : "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` })
      },
      ...(method === "GET" ? {} : { body: isBinary ? Buffer.from(body) : JSON.stringify(body ?? {}) })
    })
    const isJson = response.headers.get("content-type")?.startsWith("application/json") === true
    const parsed: unknown = isJson ? await response.json() : new Uint8Array(await response.arrayBuffer())
    return { status: response.status, headers: response.headers, body: parsed }
  })

/** Somebody signed in. */
export interface Client extends Account {
  readonly token: string
  readonly deviceId: string
  readonly ask: Ask
}

export const logIn = Effect.fn("contract.logIn")(function*(account: Account, deviceId?: string) {
  const { baseUrl } = yield* Server
  const { body } = yield* asker(baseUrl)("POST", "/login", {
    body: {
      type: "m.login.password",
      identifier: { type: "m.id.user", user: account.localpart },
      password: account.password,
      ...(deviceId === undefined ? {} : { device_id: deviceId })
    }
  })
  const token = text(body, "access_token")
  const client: Client = { ...account, token, deviceId: text(body, "device_id"), ask: asker(baseUrl, token) }
  return client
})

/** Somebody new, signed in. */
export const newClient = Effect.fn("contract.newClient")(function*(name: string) {
  return yield* logIn(yield* (yield* Server).account(name))
})

// --- the few things that every chapter does

export const path = encodeURIComponent

export const createRoom = (client: Client, options: Readonly<Record<string, unknown>> = {}): Effect.Effect<string> =>
  Effect.map(client.ask("POST", "/createRoom", { body: options }), ({ body }) => text(body, "room_id"))

/** A room of the first, with the others in it. */
export const roomWith = Effect.fn("contract.roomWith")(function*(host: Client, ...guests: ReadonlyArray<Client>) {
  const room = yield* createRoom(host, { preset: "private_chat", invite: guests.map(({ userId }) => userId) })
  for (const guest of guests) yield* guest.ask("POST", `/join/${path(room)}`)
  return room
})

let transactions = 0

export const send = (client: Client, room: string, type: string, content: object): Effect.Effect<Answer> =>
  Effect.suspend(() =>
    client.ask("PUT", `/rooms/${path(room)}/send/${type}/contract${++transactions}`, { body: content })
  )

/** Says something; the id of its event. */
export const say = (client: Client, room: string, body: string, more: object = {}): Effect.Effect<string> =>
  Effect.map(
    send(client, room, "m.room.message", { msgtype: "m.text", body, ...more }),
    (sent) => text(sent.body, "event_id")
  )

export const putState = (client: Client, room: string, type: string, content: object, key = "") =>
  client.ask("PUT", `/rooms/${path(room)}/state/${type}/${path(key)}`, { body: content })

export const getEvent = (client: Client, room: string, event: string): Effect.Effect<Answer> =>
  client.ask("GET", `/rooms/${path(room)}/event/${path(event)}`)

export const sync = (client: Client, query: Readonly<Record<string, string>> = {}): Effect.Effect<Answer> =>
  client.ask("GET", "/sync", { query })

export const nextBatch = (client: Client): Effect.Effect<string> =>
  Effect.map(sync(client), ({ body }) => text(body, "next_batch"))

export const joined = (body: unknown, room: string, ...rest: ReadonlyArray<string>): unknown =>
  dig(body, "rooms", "join", room, ...rest)

/** The event types of a timeline or of a state. */
export const typesIn = (body: unknown, room: string, part: "timeline" | "state"): ReadonlyArray<unknown> =>
  list(joined(body, room, part, "events")).map((event) => dig(event, "type"))

/** The status of an answer and its error code, which is all that the contract looks at of a refusal. */
export const refusal = ({ body, status }: Answer): readonly [number, unknown] => [status, dig(body, "errcode")]
