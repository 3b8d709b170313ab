import { Effect, FileSystem, Layer, Schema, type Scope } from "effect"
import { Homeserver, type HomeserverAnswer, type HomeserverRequest } from "../src/layers/Homeserver.ts"
import { Door } from "../src/layers/Homeserver/Door.ts"
import { type Account, type Bot, startBare, startHoming } from "./Process.ts"

export const serverName = "bench.test"
export const password = "bench"
/** Somebody who can sign in with the password. */
export const person = "ada"
const names = Array.from({ length: 32 }, (_, i) => `bot${i}`)

/** Sees every request that comes over the socket before the homeserver does, and may answer in its place. */
export type Interceptor = (
  request: HomeserverRequest,
  next: (request: HomeserverRequest) => Effect.Effect<HomeserverAnswer>
) => Effect.Effect<HomeserverAnswer>

/** The in-memory homeserver behind its HTTP door; both bots meet the same one. */
export const world = (intercept: Interceptor = (request, next) => next(request)) => {
  const users = [...names, person].map((name) => ({ name, password }))
  const intercepted = Layer.effect(
    Homeserver,
    Effect.map(Homeserver, (real) => Homeserver.of({ ...real, handle: (request) => intercept(request, real.handle) }))
  ).pipe(Layer.provide(Homeserver.layer({ serverName, users })))
  return Door.layer().pipe(Layer.provideMerge(intercepted))
}

const LoggedIn = Schema.Struct({ access_token: Schema.String, device_id: Schema.String, user_id: Schema.String })

let used = 0

/** An account that no other measurement has used. */
export const freshAccount: Effect.Effect<Account, never, Homeserver | Door> = Effect.gen(function*() {
  const { url } = yield* Door
  const name = names[used++ % names.length] ?? ""
  const answer = yield* (yield* Homeserver).handle({
    method: "POST",
    path: "/_matrix/client/v3/login",
    query: {},
    accessToken: undefined,
    body: { type: "m.login.password", identifier: { type: "m.id.user", user: name }, password }
  })
  const { access_token, device_id, user_id } = yield* Effect.orDie(Schema.decodeUnknownEffect(LoggedIn)(answer.body))
  return { url, userId: user_id, deviceId: device_id, token: access_token }
})

/** The two that are compared. `prepare` brings the bot into this many rooms; `start` starts its process. */
export interface Contestant {
  readonly name: string
  readonly prepare: (rooms: number) => Effect.Effect<
    {
      readonly account: Account
      readonly rooms: ReadonlyArray<string>
      readonly start: Effect.Effect<Bot, never, Scope.Scope>
    },
    never,
    Homeserver | Door | FileSystem.FileSystem | Scope.Scope
  >
}

const newRooms = Effect.fn("newRooms")(function*(count: number, bot: string) {
  const you = yield* (yield* Homeserver).as("you")
  return yield* Effect.forEach(
    Array.from({ length: count }),
    (_, i) => you.createRoom({ name: `Room ${i}`, invite: [bot] })
  )
})

export const homing: Contestant = {
  name: "Homing",
  prepare: Effect.fn("Homing.prepare")(function*(count) {
    const account = yield* freshAccount
    const dataDir = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "homing-bench-" })
    const start = startHoming(account, dataDir)
    const rooms = yield* newRooms(count, account.userId)
    // The first run takes the invites and registers a chat in each room.
    const first = yield* start
    const you = yield* (yield* Homeserver).as("you")
    for (const room of rooms) {
      yield* you.waitFor(room, (event) => event.sender === account.userId && event.type === "m.room.message")
    }
    yield* first.stop
    return { account, rooms, start }
  }, Effect.orDie)
}

export const bare: Contestant = {
  name: "matrix-js-sdk alone",
  prepare: Effect.fn("Bare.prepare")(function*(count) {
    const account = yield* freshAccount
    const rooms = yield* newRooms(count, account.userId)
    const itself = yield* (yield* Homeserver).as(account.userId)
    for (const room of rooms) yield* itself.join(room)
    return { account, rooms, start: startBare(account) }
  }, Effect.orDie)
}
