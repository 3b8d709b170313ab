/** Faults that a test scripts or leaves to chance: which requests they befall, how often, and what happens then. */
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import type { HomeserverRequest } from "./Router.ts"

/** What befalls a request. */
export type FaultEffect = Data.TaggedEnum<{
  /** It is answered with this and not carried out. `retryAfter` goes into a `Retry-After` header, in seconds. */
  Answer: { readonly status: number; readonly body: unknown; readonly retryAfter?: number }
  /** It is answered with a web page, as proxies do, and not carried out. */
  Html: { readonly status: number; readonly html: string }
  /** The connection is reset and the request not carried out. */
  Reset: {}
  /** It is carried out, but the connection is reset before the answer: the sender cannot know. */
  LostAnswer: {}
  /** It is carried out, but the body of the answer begins and never ends. */
  Stalled: {}
  /** It is carried out after a time. */
  Delay: { readonly time: Duration.Input }
  /** It is carried out by a server whose clock goes wrong by so much: `origin_server_ts` tells. */
  ClockSkew: { readonly by: Duration.Input; readonly behind?: boolean }
  /** Its token ends first: softly, so that the device may sign in again, or hard, which deletes the device. */
  SignedOut: { readonly softLogout: boolean }
  /** Every sync token given out so far is unknown from now on, that of this request too. */
  ForgottenPositions: {}
  /** Of `/sync`: a room tells no more than its newest event, as after a gap (`limited`, `prev_batch`). */
  Gap: {}
  /** Of `/sync`: every event of every timeline comes twice. */
  Duplicated: {}
  /** Of `/sync`: the rooms come in the opposite order. */
  Reordered: {}
}>
export const FaultEffect = Data.taggedEnum<FaultEffect>()

export interface Fault {
  /** Any method when left out. */
  readonly method?: string
  /** Found in the path, as text or pattern. Any path when left out. */
  readonly path?: string | RegExp
  /** The user id that makes the request. Anybody when left out. */
  readonly user?: string
  /** How many requests it befalls; 1 when left out. */
  readonly count?: number
  /** How many matching requests it lets pass first; none when left out. */
  readonly skip?: number
  readonly effect: FaultEffect
}

/** 429 as Synapse says it. `retryAfterMs` is in milliseconds; without it the client is left to guess. */
export const rateLimited = (retryAfterMs?: number): FaultEffect =>
  FaultEffect.Answer({
    status: 429,
    body: {
      errcode: "M_LIMIT_EXCEEDED",
      error: "Too Many Requests",
      ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs })
    },
    ...(retryAfterMs === undefined ? {} : { retryAfter: Math.ceil(retryAfterMs / 1000) })
  })

export const serverError = (status = 500): FaultEffect =>
  FaultEffect.Answer({ status, body: { errcode: "M_UNKNOWN", error: "Internal server error" } })

interface Armed {
  readonly fault: Fault
  skip: number
  left: number
}

const befalls = (fault: Fault, request: HomeserverRequest, user: string | undefined): boolean =>
  (fault.method === undefined || fault.method === request.method) &&
  (fault.user === undefined || fault.user === user) &&
  (fault.path === undefined ||
    (typeof fault.path === "string" ? request.path.includes(fault.path) : fault.path.test(request.path)))

/** What decides, request by request, beside the faults that are injected one by one. */
export type Weather = (request: HomeserverRequest, user: string | undefined) => FaultEffect | undefined

export interface Faults {
  readonly inject: (fault: Fault) => void
  /** From now on chance has its say where no injected fault does. */
  readonly setWeather: (weather: Weather) => void
  readonly clear: () => void
  /** What befalls this request: the first fault injected that matches it. Uses it up. */
  readonly take: (request: HomeserverRequest, user: string | undefined) => FaultEffect | undefined
}

export const makeFaults = (): Faults => {
  let armed: Array<Armed> = []
  let weather: Weather | undefined
  return {
    inject: (fault) => void armed.push({ fault, skip: fault.skip ?? 0, left: fault.count ?? 1 }),
    setWeather: (next) => {
      weather = next
    },
    clear: () => {
      armed = []
      weather = undefined
    },
    take: (request, user) => {
      for (const one of armed) {
        if (!befalls(one.fault, request, user)) continue
        if (one.skip > 0) {
          one.skip--
          continue
        }
        one.left--
        if (one.left <= 0) armed = armed.filter((other) => other !== one)
        return one.fault.effect
      }
      return weather?.(request, user)
    }
  }
}
