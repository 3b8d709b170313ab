/** Faults by chance: a server on a bad day, the same bad day for the same seed. */
import { createHash } from "node:crypto"
import { FaultEffect, rateLimited, serverError, type Weather } from "./Faults.ts"
import type { HomeserverRequest } from "./Router.ts"

/** How often each kind befalls a request, from 0 to 1. Those of `/sync` befall nothing else. */
export interface Rates {
  readonly rateLimited?: number
  /** 429 without a word of how long to wait. */
  readonly rateLimitedSilently?: number
  /** 500, 502 or 504. */
  readonly serverError?: number
  readonly reset?: number
  readonly lostAnswer?: number
  readonly stalled?: number
  /** Up to two seconds. */
  readonly delay?: number
  /** Up to an hour, ahead or behind. */
  readonly clockSkew?: number
  readonly softLogout?: number
  readonly deviceDeleted?: number
  readonly forgottenPositions?: number
  readonly gap?: number
  readonly duplicated?: number
  readonly reordered?: number
}

/** What a client has to live with on any homeserver, and can: nothing that ends its session. */
export const badDay: Rates = {
  rateLimited: 0.03,
  rateLimitedSilently: 0.01,
  serverError: 0.03,
  reset: 0.02,
  lostAnswer: 0.03,
  delay: 0.05,
  clockSkew: 0.05,
  gap: 0.1,
  duplicated: 0.1,
  reordered: 0.1
}

/** Draws a number from 0 to 1 for a name; the same for the same name. */
type Draw = (name: string) => number

const effects: { readonly [K in keyof Required<Rates>]: (draw: Draw) => FaultEffect } = {
  rateLimited: (draw) => rateLimited(Math.ceil(draw("time") * 2000)),
  rateLimitedSilently: () => rateLimited(),
  serverError: (draw) => serverError([500, 502, 504][Math.floor(draw("status") * 3)]),
  reset: () => FaultEffect.Reset(),
  lostAnswer: () => FaultEffect.LostAnswer(),
  stalled: () => FaultEffect.Stalled(),
  delay: (draw) => FaultEffect.Delay({ time: Math.ceil(draw("time") * 2000) }),
  clockSkew: (draw) =>
    FaultEffect.ClockSkew({ by: Math.ceil(draw("time") * 3_600_000), behind: draw("direction") < 0.5 }),
  softLogout: () => FaultEffect.SignedOut({ softLogout: true }),
  deviceDeleted: () => FaultEffect.SignedOut({ softLogout: false }),
  forgottenPositions: () => FaultEffect.ForgottenPositions(),
  gap: () => FaultEffect.Gap(),
  duplicated: () => FaultEffect.Duplicated(),
  reordered: () => FaultEffect.Reordered()
}

const kinds = Object.keys(effects).filter((name): name is keyof Rates => name in effects)
const ofSync: ReadonlySet<keyof Rates> = new Set<keyof Rates>(["forgottenPositions", "gap", "duplicated", "reordered"])

const drawOf = (seed: number | string, moment: string): Draw => (name) =>
  createHash("sha256").update(`${seed} ${moment} ${name}`).digest().readUInt32BE() / 2 ** 32

const isSync = (request: HomeserverRequest): boolean => request.path.endsWith("/sync")

/** The endpoint without the ids in its path: chance counts requests of a kind, whatever room they are about. */
const kindOf = ({ method, path }: HomeserverRequest): string =>
  `${method} ${path.split("/").filter((segment) => /^[a-z_]+$/i.test(segment)).join("/")}`

/**
 * Faults at these rates, drawn from a seed. The n-th request of a user to an endpoint meets the same fate in every run,
 * however the requests to different endpoints come to be interleaved.
 */
export const chaos = (seed: number | string, rates: Rates = badDay): Weather => {
  const counts = new Map<string, number>()
  return (request, user) => {
    const kind = `${user ?? ""} ${kindOf(request)}`
    const count = (counts.get(kind) ?? 0) + 1
    counts.set(kind, count)
    const draw = drawOf(seed, `${kind} ${count}`)
    let chance = draw("kind")
    for (const name of kinds) {
      if (ofSync.has(name) && !isSync(request)) continue
      chance -= rates[name] ?? 0
      if (chance < 0) return effects[name](draw)
    }
    return undefined
  }
}
