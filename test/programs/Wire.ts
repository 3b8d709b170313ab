import { Clock, Context, Duration, Effect, Layer, Schema } from "effect"
import { UserId } from "../../src/domain/Ids.ts"
import type { Settings } from "../../src/layers/AppConfig.ts"
import { Homeserver, type HomeserverAnswer, type HomeserverRequest } from "../../src/layers/Homeserver.ts"
import { Door } from "../../src/layers/Homeserver/Door.ts"
import * as MatrixClient from "../../src/layers/MatrixClient.ts"
import type { Store } from "../../src/layers/Store.ts"
import { temporaryDirectory } from "../layers/Store/Samples.ts"
import { aDatabase, startBot } from "./World.ts"

/** What is between the clients and the homeserver: it keeps things back, hides things, and reads along. */
export class Wire extends Context.Service<Wire, {
  /** From now on, what these users' clients send to devices is taken, and does not arrive. */
  holdKeysOf(...users: ReadonlyArray<string>): Effect.Effect<void>
  /** From now on, what this user's clients send to this device never arrives. */
  loseKeys(from: string, device: string): Effect.Effect<void>
  /** What was held back arrives, and nothing is held back any more. */
  readonly releaseKeys: Effect.Effect<void>
  /** Whether the homeserver conceals from this user that rooms are encrypted. */
  hideEncryptionFrom(user: string, hidden: boolean): Effect.Effect<void>
  /** Rooms that this user tried to say something to in clear, once for each try. */
  saidInClearBy(user: string): Effect.Effect<ReadonlyArray<string>>
  /** Answers of `/sync` that this user has had. */
  syncsOf(user: string): Effect.Effect<number>
}>()("homing/test/Wire") {}

const Identity = Schema.Struct({ user_id: Schema.String })

/** A JSON value without the state events that say that a room is encrypted. */
const withoutEncryption = (value: unknown): unknown => {
  if (Array.isArray(value)) {
    return value.flatMap((one: unknown) =>
      typeof one === "object" && one !== null && "type" in one && one.type === "m.room.encryption"
        ? []
        : [withoutEncryption(one)]
    )
  }
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withoutEncryption(part)]))
}

const ToDevice = Schema.Struct({ messages: Schema.Record(Schema.String, Schema.Record(Schema.String, Schema.Unknown)) })

/** What is sent to devices, without what is for this one. */
const without = (device: string, { messages }: typeof ToDevice.Type): typeof ToDevice.Type => ({
  messages: Object.fromEntries(
    Object.entries(messages).map(([user, devices]) => [
      user,
      Object.fromEntries(Object.entries(devices).filter(([name]) => name !== device))
    ])
  )
})

const make = Effect.gen(function*() {
  const real = yield* Homeserver
  const users = new Map<string, string>()
  const holding = new Set<string>()
  const held: Array<HomeserverRequest> = []
  const deafTo = new Map<string, string>()
  const hidden = new Set<string>()
  const syncs = new Map<string, number>()

  const userOf = Effect.fnUntraced(function*({ accessToken }: HomeserverRequest) {
    if (accessToken === undefined) return undefined
    const known = users.get(accessToken)
    if (known !== undefined) return known
    const { body, status } = yield* real.handle({
      method: "GET",
      path: "/_matrix/client/v3/account/whoami",
      query: {},
      body: undefined,
      accessToken
    })
    if (status !== 200) return undefined
    const { user_id } = yield* Effect.orDie(Schema.decodeUnknownEffect(Identity)(body))
    users.set(accessToken, user_id)
    return user_id
  })

  const handle = Effect.fnUntraced(function*(request: HomeserverRequest): Effect.fn.Return<HomeserverAnswer> {
    const user = (yield* userOf(request)) ?? ""
    if (holding.has(user) && request.path.includes("/sendToDevice/")) {
      held.push(request)
      return { status: 200, body: {} }
    }
    if (hidden.has(user) && request.path.includes("/state/m.room.encryption")) {
      return { status: 404, body: { errcode: "M_NOT_FOUND", error: "Event not found." } }
    }
    const deaf = deafTo.get(user)
    if (deaf !== undefined && request.path.includes("/sendToDevice/")) {
      const body = yield* Effect.orDie(Schema.decodeUnknownEffect(ToDevice)(request.body))
      return yield* real.handle({ ...request, body: without(deaf, body) })
    }
    const answer = yield* real.handle(request)
    if (request.path.endsWith("/sync")) syncs.set(user, (syncs.get(user) ?? 0) + 1)
    return hidden.has(user) ? { ...answer, body: withoutEncryption(answer.body) } : answer
  })

  return Context.make(Homeserver, Homeserver.of({ ...real, handle })).pipe(Context.add(
    Wire,
    Wire.of({
      holdKeysOf: (...names) => Effect.sync(() => names.forEach((name) => holding.add(name))),
      loseKeys: (from, device) => Effect.sync(() => void deafTo.set(from, device)),
      releaseKeys: Effect.suspend(() => {
        holding.clear()
        return Effect.forEach(held.splice(0), real.handle, { discard: true })
      }),
      hideEncryptionFrom: (user, hide) => Effect.sync(() => void (hide ? hidden.add(user) : hidden.delete(user))),
      saidInClearBy: (user) =>
        Effect.map(real.requests, (all) =>
          all.flatMap((request) => {
            const [, room] = /\/rooms\/([^/]+)\/send\/m\.room\.message\//.exec(request.path) ?? []
            return room === undefined || request.user !== user ? [] : [decodeURIComponent(room)]
          })),
      syncsOf: (user) => Effect.sync(() => syncs.get(user) ?? 0)
    })
  ))
})

/** A homeserver with a wire before its door, and these accounts, whose password is "password". */
export const wiredWorld = (names: ReadonlyArray<string>) =>
  Door.layer().pipe(
    Layer.provideMerge(Layer.effectContext(make)),
    Layer.provide(Homeserver.layer({ users: names.map((name) => ({ name, password: "password" })) }))
  )

/** A clock that runs so many times as fast. */
const fastClock = (times: number): Clock.Clock => {
  const start = Date.now()
  const startNanos = process.hrtime.bigint()
  const millis = () => start + (Date.now() - start) * times
  const nanos = () => startNanos + (process.hrtime.bigint() - startNanos) * BigInt(times)
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.callback<void>((resume) => {
        const timer = setTimeout(() => resume(Effect.void), Duration.toMillis(duration) / times)
        return Effect.sync(() => clearTimeout(timer))
      })
  }
}

/** One life of a bot with keys. Its own data directory and database, unless it has lived before. */
export const keyedBot = Effect.fn("keyedBot")(function*(name: string, options: {
  readonly before?: { readonly dataDir: string; readonly database: Context.Context<Store> }
  readonly settings?: Partial<Settings>
  /** How many times as fast its clock runs. */
  readonly hurry?: number
} = {}) {
  const { url } = yield* Door
  const dataDir = options.before?.dataDir ?? (yield* temporaryDirectory)
  const database = options.before?.database ?? (yield* aDatabase)
  const userId = UserId.make(`@${name}:homing.test`)
  const starting = startBot({
    database,
    settings: { dataDir, homeserverUrl: new URL(url), userId, syncTimeout: Duration.seconds(2), ...options.settings },
    client: MatrixClient.layer
  })
  const bot = yield* options.hurry === undefined
    ? starting
    : Effect.provideService(starting, Clock.Clock, fastClock(options.hurry))
  return { ...bot, userId, dataDir, database }
})
