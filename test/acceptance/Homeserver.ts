import { Effect, Schema } from "effect"
import { randomBytes } from "node:crypto"
import { inject } from "vitest"
import { synapseScript } from "./Synapse.ts"

/** The homeserver of this run, as the tests speak to it: plain requests, and nothing of the bot's own code. */
export const synapse = inject("synapse")

export const stopSynapse = Effect.promise(() => synapseScript(synapse.environment, "stop"))
export const startSynapse = Effect.promise(() => synapseScript(synapse.environment, "start"))

export interface Account {
  readonly userId: string
  readonly localpart: string
  readonly password: string
}

/** What a request got: any status, and a body that is no more than JSON. */
export interface Answer {
  readonly status: number
  readonly body: unknown
}

/** One request. Every answer is a success, whatever its status; no answer ends the test. */
export const ask = (
  method: string,
  path: string,
  options: { readonly token?: string; readonly body?: unknown } = {}
): Effect.Effect<Answer> =>
  Effect.promise(async (signal) => {
    const response = await fetch(`${synapse.url}${path}`, {
      method,
      headers: {
        "content-type": "application/json",
        ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` })
      },
      ...(method === "GET" ? {} : { body: JSON.stringify(options.body ?? {}) }),
      signal
    })
    return { status: response.status, body: await response.json() }
  })

/** A request that must succeed, and whose body must have this shape. */
export const request = <S extends Schema.ConstraintDecoder<unknown>>(
  shape: S,
  method: string,
  path: string,
  options: { readonly token?: string; readonly body?: unknown } = {}
): Effect.Effect<S["Type"]> =>
  Effect.flatMap(ask(method, path, options), ({ body, status }) =>
    status === 200 || status === 201
      ? Effect.orDie(Schema.decodeUnknownEffect(shape)(body))
      : Effect.die(new Error(`${method} ${path} was answered with ${status}: ${JSON.stringify(body)}`)))

export const Nothing = Schema.Struct({})

/** A new account with a localpart that nobody else has: tests share one server and nothing on it. */
export const makeAccount = (name: string, displayName: string = name): Effect.Effect<Account> =>
  Effect.gen(function*() {
    const localpart = `${name}-${randomBytes(4).toString("hex")}`
    const account: Account = {
      localpart,
      userId: `@${localpart}:${synapse.serverName}`,
      password: randomBytes(12).toString("hex")
    }
    yield* request(Nothing, "PUT", `/_synapse/admin/v2/users/${account.userId}`, {
      token: synapse.adminToken,
      body: { password: account.password, displayname: displayName }
    })
    return account
  })

const LoggedIn = Schema.Struct({ access_token: Schema.String, device_id: Schema.String })

/** A new session, on a device of its own. */
export const logIn = (account: Account): Effect.Effect<{ readonly token: string; readonly deviceId: string }> =>
  Effect.map(
    request(LoggedIn, "POST", "/_matrix/client/v3/login", {
      body: {
        type: "m.login.password",
        identifier: { type: "m.id.user", user: account.userId },
        password: account.password
      }
    }),
    ({ access_token, device_id }) => ({ token: access_token, deviceId: device_id })
  )

/** Puts an account into a room that the operator may invite to. */
export const operatorJoins = (account: Account, room: string): Effect.Effect<void> =>
  Effect.asVoid(request(Nothing, "POST", `/_synapse/admin/v1/join/${encodeURIComponent(room)}`, {
    token: synapse.adminToken,
    body: { user_id: account.userId }
  }))
