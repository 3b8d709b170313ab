import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import {
  bearerOf,
  endDevice,
  isRegistered,
  registerUser,
  setPassword,
  signIn,
  signOutUser
} from "./Homeserver/Accounts.ts"
import { accountRoutes } from "./Homeserver/Endpoints/Account.ts"
import { backupRoutes } from "./Homeserver/Endpoints/Backup.ts"
import { directoryRoutes } from "./Homeserver/Endpoints/Directory.ts"
import { eventRoutes } from "./Homeserver/Endpoints/Events.ts"
import { keyRoutes } from "./Homeserver/Endpoints/Keys.ts"
import { mediaRoutes } from "./Homeserver/Endpoints/Media.ts"
import { relationRoutes } from "./Homeserver/Endpoints/Relations.ts"
import { roomRoutes } from "./Homeserver/Endpoints/Rooms.ts"
import { sessionRoutes } from "./Homeserver/Endpoints/Session.ts"
import { syncRoutes } from "./Homeserver/Endpoints/Sync.ts"
import { type Fault, FaultEffect, makeFaults, type Weather } from "./Homeserver/Faults.ts"
import { fullUserId, makeWorld, settle, userOf, type World } from "./Homeserver/Model.ts"
import { makePerson, type Person } from "./Homeserver/Person.ts"
import { makeRequestLog } from "./Homeserver/RequestLog.ts"
import type { LoggedRequest } from "./Homeserver/RequestLog.ts"
import { type HomeserverAnswer, type HomeserverRequest, makeRoutes } from "./Homeserver/Router.ts"
import { twiceTold, upsideDown } from "./Homeserver/SyncFaults.ts"
import { makeUnrecognized } from "./Homeserver/Unrecognized.ts"
import { keepWorld, openWorld, type WorldFileUnusable } from "./Homeserver/WorldFile.ts"

export type { LoggedRequest } from "./Homeserver/RequestLog.ts"
export type { HomeserverAnswer, HomeserverRequest } from "./Homeserver/Router.ts"
export { WorldFileUnusable } from "./Homeserver/WorldFile.ts"

export interface HomeserverOptions {
  /** `homing.test` by default. */
  readonly serverName?: string
  /** Accounts that are there from the start. */
  readonly users?: ReadonlyArray<{ readonly name: string; readonly password: string }>
  /**
   * Where the world is kept from one run to the next; in memory alone without. It is written a moment after every
   * change and at the end. Uploaded media are not kept.
   */
  readonly file?: string | undefined
}

/**
 * One Matrix homeserver in memory: the client-server API as a function. `MatrixClient.layerMemory` calls it in process,
 * `Homeserver/Door.ts` serves it over a socket, and both see the same world.
 */
export class Homeserver extends Context.Service<Homeserver, {
  readonly serverName: string
  /** Answers a request. Never fails: a refusal is an answer too. `/sync` waits by Effect's `Clock`. */
  handle(request: HomeserverRequest): Effect.Effect<HomeserverAnswer>
  /** The last 10,000 requests that came in through `handle`, in the order of arrival. */
  readonly requests: Effect.Effect<ReadonlyArray<LoggedRequest>>
  /** Lets a fault befall coming requests through `handle`. */
  inject(fault: Fault): Effect.Effect<void>
  /** Leaves it to chance what befalls coming requests: see `Homeserver/Chaos.ts`. */
  expose(weather: Weather): Effect.Effect<void>
  /** Takes back every fault that was not used up, and chance. */
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
  /** A world of its own. With a `file` that cannot be read, it fails and leaves the file as it is. */
  static layer(options?: HomeserverOptions & { readonly file?: undefined }): Layer.Layer<Homeserver>
  static layer(options: HomeserverOptions): Layer.Layer<Homeserver, WorldFileUnusable>
  static layer(options: HomeserverOptions = {}): Layer.Layer<Homeserver, WorldFileUnusable> {
    return Layer.effect(Homeserver, make(options))
  }
}

const routes = makeRoutes([
  ...sessionRoutes,
  ...accountRoutes,
  ...roomRoutes,
  ...directoryRoutes,
  ...eventRoutes,
  ...relationRoutes,
  ...syncRoutes,
  ...keyRoutes,
  ...backupRoutes,
  ...mediaRoutes
])

const broken = (how: "reset" | "stalled"): HomeserverAnswer => ({ status: 0, body: undefined, broken: how })

const unrecognizedAnswer = (path: string): HomeserverAnswer => ({
  status: routes.knows(path) ? 405 : 404,
  body: { errcode: "M_UNRECOGNIZED", error: "Unrecognized request" }
})

/** Somebody registered keeps everything but the password, which is the one that was given last. */
const provideUser = (world: World, name: string, password: string): void => {
  const known = world.users.get(fullUserId(world, name))
  if (known !== undefined && isRegistered(known)) setPassword(known, password)
  else registerUser(world, name, password)
}

const make = Effect.fnUntraced(function*(options: HomeserverOptions) {
  const serverName = options.serverName ?? "homing.test"
  const world = options.file === undefined ? makeWorld(serverName) : yield* openWorld(options.file, serverName)
  for (const { name, password } of options.users ?? []) provideUser(world, name, password)
  const changed = options.file === undefined ? Effect.void : yield* keepWorld(options.file, world)
  const faults = makeFaults()
  const log = makeRequestLog()
  const noteUnrecognized = makeUnrecognized()

  /** The model's own answer, whatever faults there are. `skew` is in milliseconds. */
  const answer = Effect.fnUntraced(function*(
    request: HomeserverRequest,
    { skew = 0, timelineLimit }: { readonly skew?: number; readonly timelineLimit?: number } = {}
  ) {
    const found = routes.find(request.method, request.path)
    if (found === undefined) {
      yield* noteUnrecognized(request)
      return unrecognizedAnswer(request.path)
    }
    const now = (yield* Clock.currentTimeMillis) + skew
    const given = yield* found.route.run({ world, request, params: found.params, now, timelineLimit }).pipe(
      Effect.catch((refusal) => Effect.succeed<HomeserverAnswer>({ status: refusal.status, body: refusal.body }))
    )
    // What a GET changes (acknowledged messages to a device) may be forgotten: it would come again.
    if (request.method !== "GET" && given.status < 300) yield* changed
    return given
  })

  const signOut = (request: HomeserverRequest, softLogout: boolean) =>
    Effect.sync(() => {
      const device = bearerOf(world, request.accessToken)
      if (device !== undefined) endDevice(world, device, softLogout ? "soft" : "hard")
      settle(world)
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
      Delay: ({ time }) => Effect.delay(answer(request), time),
      ClockSkew: ({ behind, by }) =>
        answer(request, { skew: (behind === true ? -1 : 1) * Duration.toMillis(Duration.fromInputUnsafe(by)) }),
      SignedOut: ({ softLogout }) => Effect.andThen(signOut(request, softLogout), answer(request)),
      ForgottenPositions: () => Effect.andThen(forgetPositions, answer(request)),
      Gap: () => answer(request, { timelineLimit: 1 }),
      Duplicated: () => Effect.map(answer(request), twiceTold),
      Reordered: () => Effect.map(answer(request), upsideDown)
    })

  const forgetPositions = Effect.andThen(Effect.sync(() => void world.generation++), changed)

  const handle = Effect.fn("Homeserver.handle")(function*(request: HomeserverRequest) {
    const user = bearerOf(world, request.accessToken)?.userId
    const entry = log.begin(yield* Clock.currentTimeMillis, request, user)
    const fault = faults.take(request, user)
    return yield* (fault === undefined ? answer(request) : suffer(fault, request)).pipe(
      Effect.tap((given) => Effect.sync(() => entry.answered(given.status))),
      Effect.ensuring(Effect.sync(entry.ended))
    )
  })

  return Homeserver.of({
    serverName: world.serverName,
    handle,
    requests: Effect.sync(log.entries),
    inject: (fault) => Effect.sync(() => faults.inject(fault)),
    expose: (weather) => Effect.sync(() => faults.setWeather(weather)),
    clearFaults: Effect.sync(faults.clear),
    signOut: (user, { softLogout = false } = {}) =>
      Effect.sync(() => {
        signOutUser(world, fullUserId(world, user), softLogout ? "soft" : "hard")
        settle(world)
      }).pipe(Effect.andThen(changed)),
    forgetPositions,
    as: (name) =>
      Effect.clockWith((clock) => {
        const user = userOf(world, fullUserId(world, name))
        if (!isRegistered(user)) registerUser(world, user.userId, "")
        const { device, token } = signIn(world, user, { displayName: "person" }, clock.currentTimeMillisUnsafe())
        const person = makePerson({ answer, accessToken: token, userId: user.userId, deviceId: device.deviceId })
        return Effect.as(changed, person)
      })
  })
})
