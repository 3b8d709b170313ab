import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { registerUser, signIn, signOutUser } from "./Homeserver/Accounts.ts"
import { eventRoutes } from "./Homeserver/Endpoints/Events.ts"
import { keyRoutes } from "./Homeserver/Endpoints/Keys.ts"
import { roomRoutes } from "./Homeserver/Endpoints/Rooms.ts"
import { sessionRoutes } from "./Homeserver/Endpoints/Session.ts"
import { syncRoutes } from "./Homeserver/Endpoints/Sync.ts"
import { type Fault, FaultEffect, makeFaults } from "./Homeserver/Faults.ts"
import { fullUserId, makeWorld, settle, userOf } from "./Homeserver/Model.ts"
import { makePerson, type Person } from "./Homeserver/Person.ts"
import { type HomeserverAnswer, type HomeserverRequest, makeRoutes } from "./Homeserver/Router.ts"

export type { HomeserverAnswer, HomeserverRequest } from "./Homeserver/Router.ts"

/** One line of the request log. Holds no token and no body, thus no password. */
export interface LoggedRequest {
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  /** Who asked, as far as the token told. */
  readonly user: string | undefined
  /** Of the answer; 0 when a fault broke it off; undefined while it is under way, or when the client went away. */
  readonly status: number | undefined
  /** Starts and ends of requests are counted together: one ended before another began when its number is lower. */
  readonly startedAt: number
  readonly endedAt: number | undefined
}

export interface HomeserverOptions {
  /** `homing.test` by default. */
  readonly serverName?: string
  /** Accounts that are there from the start. */
  readonly users?: ReadonlyArray<{ readonly name: string; readonly password: string }>
}

/**
 * One Matrix homeserver in memory: the client-server API as a function. `MatrixClient.layerMemory` calls it in process,
 * `Homeserver/Door.ts` serves it over a socket, and both see the same world.
 */
export class Homeserver extends Context.Service<Homeserver, {
  readonly serverName: string
  /** Answers a request. Never fails: a refusal is an answer too. `/sync` waits by Effect's `Clock`. */
  handle(request: HomeserverRequest): Effect.Effect<HomeserverAnswer>
  /** Everything that came in through `handle`, in the order of arrival. */
  readonly requests: Effect.Effect<ReadonlyArray<LoggedRequest>>
  /** Lets a fault befall coming requests through `handle`. */
  inject(fault: Fault): Effect.Effect<void>
  /** Takes back every fault that was not used up. */
  readonly clearFaults: Effect.Effect<void>
  /** Ends all tokens of a user, given by name or id. With `softLogout` the devices stay and may sign in again. */
  signOut(user: string, options?: { readonly softLogout?: boolean }): Effect.Effect<void>
  /** Every sync token given out so far is unknown from now on (`M_UNKNOWN`, 400). */
  readonly forgetPositions: Effect.Effect<void>
  /**
   * Somebody to talk to, by name or id, signed in on a new device; registered if need be. A person's own requests are
   * not logged and no fault befalls them: those are for who is under test.
   */
  as(user: string): Effect.Effect<Person>
}>()("homing/Homeserver") {
  static readonly layer = (options: HomeserverOptions = {}): Layer.Layer<Homeserver> =>
    Layer.effect(Homeserver, Effect.sync(() => make(options)))
}

const routes = makeRoutes([...sessionRoutes, ...roomRoutes, ...eventRoutes, ...syncRoutes, ...keyRoutes])

const broken = (how: "reset" | "stalled"): HomeserverAnswer => ({ status: 0, body: undefined, broken: how })

const make = (options: HomeserverOptions): Homeserver["Service"] => {
  const world = makeWorld(options.serverName ?? "homing.test")
  for (const { name, password } of options.users ?? []) registerUser(world, name, password)
  const faults = makeFaults()
  const log: Array<{ -readonly [K in keyof LoggedRequest]: LoggedRequest[K] }> = []
  const unrecognized = new Set<string>()
  let order = 0

  /** The model's own answer, whatever faults there are. */
  const answer = Effect.fnUntraced(function*(request: HomeserverRequest) {
    const found = routes(request.method, request.path)
    if (found === undefined) {
      const name = `${request.method} ${request.path}`
      if (!unrecognized.has(name)) {
        unrecognized.add(name)
        yield* Effect.logDebug("homeserver_unrecognized").pipe(
          Effect.annotateLogs({ method: request.method, path: request.path })
        )
      }
      return { status: 404, body: { errcode: "M_UNRECOGNIZED", error: "Unrecognized request" } }
    }
    const now = yield* Clock.currentTimeMillis
    return yield* found.route.run({ world, request, params: found.params, now }).pipe(
      Effect.catch((refusal) => Effect.succeed<HomeserverAnswer>({ status: refusal.status, body: refusal.body }))
    )
  })

  const suffer = (effect: FaultEffect, request: HomeserverRequest): Effect.Effect<HomeserverAnswer> =>
    FaultEffect.$match(effect, {
      Answer: ({ body, retryAfter, status }) =>
        Effect.succeed<HomeserverAnswer>({
          status,
          body,
          ...(retryAfter === undefined ? {} : { headers: { "retry-after": String(retryAfter) } })
        }),
      Html: ({ html, status }) =>
        Effect.succeed<HomeserverAnswer>({ status, body: html, headers: { "content-type": "text/html" } }),
      Reset: () => Effect.succeed(broken("reset")),
      LostAnswer: () => Effect.as(answer(request), broken("reset")),
      Stalled: () => Effect.as(answer(request), broken("stalled")),
      Delay: ({ time }) => Effect.delay(answer(request), time)
    })

  const handle = Effect.fn("Homeserver.handle")(function*(request: HomeserverRequest) {
    const user = request.accessToken === undefined ? undefined : world.tokens.get(request.accessToken)?.device.userId
    const { access_token: _, ...query } = request.query
    const entry: (typeof log)[number] = {
      time: yield* Clock.currentTimeMillis,
      method: request.method,
      path: request.path,
      query,
      user,
      status: undefined,
      startedAt: ++order,
      endedAt: undefined
    }
    log.push(entry)
    const fault = faults.take(request, user)
    return yield* (fault === undefined ? answer(request) : suffer(fault, request)).pipe(
      Effect.tap((given) => Effect.sync(() => void (entry.status = given.status))),
      Effect.ensuring(Effect.sync(() => void (entry.endedAt = ++order)))
    )
  })

  return Homeserver.of({
    serverName: world.serverName,
    handle,
    requests: Effect.sync(() => log.map((entry) => ({ ...entry }))),
    inject: (fault) => Effect.sync(() => faults.inject(fault)),
    clearFaults: Effect.sync(faults.clear),
    signOut: (user, { softLogout = false } = {}) =>
      Effect.sync(() => {
        signOutUser(world, fullUserId(world, user), softLogout ? "soft" : "hard")
        settle(world)
      }),
    forgetPositions: Effect.sync(() => void world.generation++),
    as: (name) =>
      Effect.sync(() => {
        const user = userOf(world, fullUserId(world, name))
        if (user.password === undefined) registerUser(world, user.userId, "")
        const { device, token } = signIn(world, user, { displayName: "person" })
        return makePerson({ answer, accessToken: token, userId: user.userId, deviceId: device.deviceId })
      })
  })
}
