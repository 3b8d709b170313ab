/** The session that the page is handed. */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { randomInt } from "node:crypto"

/** Whom the web client shows, on which homeserver. */
export interface Account {
  readonly homeserverUrl: string
  readonly user: string
  readonly password: string
}

/** A session as Hydrogen keeps them. Lives in this process and in the page, and is stored by neither. */
export interface Session {
  /** Names the database of the browser that belongs to it. */
  readonly id: string
  readonly homeserver: string
  readonly userId: string
  readonly deviceId: string
  readonly accessToken: string
}

const LoginAnswer = Schema.Struct({ user_id: Schema.String, device_id: Schema.String, access_token: Schema.String })

/**
 * The session of the page. The same one as long as the homeserver takes it, so that a reload is the same device; a new one
 * after somebody signed out in the page. Signed out with the scope.
 */
export const makeSession = Effect.fnUntraced(function*({ homeserverUrl, password, user }: Account) {
  const client = yield* HttpClient.HttpClient
  const homeserver = new URL(homeserverUrl).origin
  let current: Session | undefined

  const isTaken = ({ accessToken }: Session) =>
    HttpClientRequest.get(`${homeserver}/_matrix/client/v3/account/whoami`).pipe(
      HttpClientRequest.bearerToken(accessToken),
      client.execute,
      Effect.map(({ status }) => status === 200)
    )

  const signIn = HttpClientRequest.post(`${homeserver}/_matrix/client/v3/login`).pipe(
    HttpClientRequest.bodyJsonUnsafe({
      type: "m.login.password",
      identifier: { type: "m.id.user", user },
      password,
      initial_device_display_name: "Web client"
    }),
    client.execute,
    Effect.flatMap(HttpClientResponse.filterStatusOk),
    Effect.flatMap(HttpClientResponse.schemaBodyJson(LoginAnswer)),
    Effect.map(({ access_token, device_id, user_id }): Session => ({
      id: String(randomInt(2 ** 47)),
      homeserver,
      userId: user_id,
      deviceId: device_id,
      accessToken: access_token
    }))
  )

  // The homeserver may outlive this process, and what it handed out to it must not.
  yield* Effect.addFinalizer(() =>
    current === undefined ? Effect.void : HttpClientRequest.post(`${homeserver}/_matrix/client/v3/logout`).pipe(
      HttpClientRequest.bearerToken(current.accessToken),
      client.execute,
      Effect.timeout("1 second"),
      Effect.ignore
    )
  )

  const session = Effect.gen(function*() {
    if (current === undefined || !(yield* isTaken(current))) current = yield* signIn
    return current
  })
  return (yield* Semaphore.make(1)).withPermit(session)
})
