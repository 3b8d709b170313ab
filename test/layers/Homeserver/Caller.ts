/** Plain requests to the homeserver, and a way to look into what it answers. */
import type { Effect } from "effect"
import type { Homeserver, HomeserverAnswer } from "../../../src/layers/Homeserver.ts"

export type Call = (
  method: string,
  path: string,
  body?: unknown,
  query?: Readonly<Record<string, string>>
) => Effect.Effect<HomeserverAnswer>

/** Asks as the bearer of a token. Paths are those below `/_matrix/client/v3`, or whole ones. */
export const caller =
  (homeserver: Homeserver["Service"], accessToken?: string): Call => (method, path, body, query = {}) =>
    homeserver.handle({
      method,
      path: path.startsWith("/_matrix") || path.startsWith("/.well-known") ? path : `/_matrix/client/v3${path}`,
      query,
      body,
      accessToken
    })

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null

/** What stands at a path of keys in JSON; undefined where there is nothing. */
export const dig = (body: unknown, ...path: ReadonlyArray<string | number>): unknown =>
  path.reduce<unknown>((value, key) => isRecord(value) ? value[key] : undefined, body)

export const text = (body: unknown, ...path: ReadonlyArray<string | number>): string => {
  const value = dig(body, ...path)
  if (typeof value !== "string") throw new Error(`no text at ${path.join(".")} of ${JSON.stringify(body)}`)
  return value
}

/** A list in JSON; an empty one where there is nothing. */
export const list = (body: unknown, ...path: ReadonlyArray<string | number>): ReadonlyArray<unknown> => {
  const value = dig(body, ...path)
  return Array.isArray(value) ? value : []
}

/** The bodies of the messages of a room's timeline in an answer of `/sync`. */
export const bodies = (body: unknown, room: string, section = "join"): ReadonlyArray<unknown> =>
  list(body, "rooms", section, room, "timeline", "events")
    .map((event) => dig(event, "content", "body"))
    .filter((found) => found !== undefined)

/** Event types of a list of events. */
export const types = (events: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  events.map((event) => dig(event, "type"))
