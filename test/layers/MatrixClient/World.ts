import { Context, Effect, Layer } from "effect"
import { UserId } from "../../../src/domain/Ids.ts"
import { Homeserver } from "../../../src/layers/Homeserver.ts"
import { Door } from "../../../src/layers/Homeserver/Door.ts"
import type { Person } from "../../../src/layers/Homeserver/Person.ts"

export interface Account {
  readonly userId: UserId
  readonly password: string
}

/** A homeserver with people on it, as the contract of the Matrix client needs it. */
export class World extends Context.Service<World, {
  readonly homeserverUrl: URL
  /** A new account that nobody else has. */
  account(name: string): Effect.Effect<Account>
  /** Somebody new to talk to, whose user id begins with `name`. */
  person(name: string): Effect.Effect<Person>
  /** The account itself, on another device. */
  otherDevice(account: Account): Effect.Effect<Person>
  /** Ends every session of the account and deletes its devices. */
  endSessions(account: Account): Effect.Effect<void>
  /** What only a model can do: tell its requests, inject faults. Undefined on a real homeserver. */
  readonly model: Context.Service.Shape<typeof Homeserver> | undefined
}>()("test/MatrixClient/World") {}

const ofModel = (homeserverUrl: URL) =>
  Effect.gen(function*() {
    const homeserver = yield* Homeserver
    let count = 0
    return World.of({
      homeserverUrl,
      account: Effect.fn("World.account")(function*(name) {
        const localpart = `${name}${++count}`
        yield* homeserver.handle({
          method: "POST",
          path: "/_matrix/client/v3/register",
          query: {},
          body: { username: localpart, password: "pass", auth: { type: "m.login.dummy" }, inhibit_login: true },
          accessToken: undefined
        })
        return { userId: UserId.make(`@${localpart}:${homeserver.serverName}`), password: "pass" }
      }),
      person: (name) => Effect.suspend(() => homeserver.as(`${name}${++count}`)),
      otherDevice: (account) => homeserver.as(account.userId),
      endSessions: (account) => homeserver.signOut(account.userId),
      model: homeserver
    })
  })

/** The model, called in process. */
export const inProcess = Layer.effect(World, ofModel(new URL("http://127.0.0.1:1"))).pipe(
  Layer.provideMerge(Homeserver.layer())
)

/** The model behind its HTTP door on loopback. */
export const behindDoor = Layer.effect(World, Effect.flatMap(Door, ({ url }) => ofModel(new URL(url)))).pipe(
  Layer.provide(Door.layer()),
  Layer.provideMerge(Homeserver.layer())
)
