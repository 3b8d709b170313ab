/** Faults that a test scripts: which requests they befall, how often, and what happens then. */
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

/** 429 as Synapse says it. `retryAfterMs` is in milliseconds. */
export const rateLimited = (retryAfterMs: number): FaultEffect =>
  FaultEffect.Answer({
    status: 429,
    body: { errcode: "M_LIMIT_EXCEEDED", error: "Too Many Requests", retry_after_ms: retryAfterMs },
    retryAfter: Math.ceil(retryAfterMs / 1000)
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

export interface Faults {
  readonly inject: (fault: Fault) => void
  readonly clear: () => void
  /** What befalls this request: the first fault injected that matches it. Uses it up. */
  readonly take: (request: HomeserverRequest, user: string | undefined) => FaultEffect | undefined
}

export const makeFaults = (): Faults => {
  let armed: Array<Armed> = []
  return {
    inject: (fault) => void armed.push({ fault, skip: fault.skip ?? 0, left: fault.count ?? 1 }),
    clear: () => {
      armed = []
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
      return undefined
    }
  }
}
