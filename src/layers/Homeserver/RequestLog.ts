/** The last requests that came in, for tests that ask what a client did. */
import type { HomeserverRequest } from "./Router.ts"

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

/** How many requests are remembered. */
const capacity = 10_000

export interface RequestLog {
  readonly begin: (time: number, request: HomeserverRequest, user: string | undefined) => {
    readonly answered: (status: number) => void
    readonly ended: () => void
  }
  /** In the order of arrival. */
  readonly entries: () => ReadonlyArray<LoggedRequest>
}

export const makeRequestLog = (): RequestLog => {
  const ring: Array<{ -readonly [K in keyof LoggedRequest]: LoggedRequest[K] }> = []
  let arrived = 0
  let order = 0
  return {
    begin: (time, { method, path, query: asked }, user) => {
      const { access_token: _, ...query } = asked
      const entry: (typeof ring)[number] = {
        time,
        method,
        path,
        query,
        user,
        status: undefined,
        startedAt: ++order,
        endedAt: undefined
      }
      ring[arrived++ % capacity] = entry
      return {
        answered: (status) => {
          entry.status = status
        },
        ended: () => {
          entry.endedAt = ++order
        }
      }
    },
    entries: () => {
      const oldest = arrived > capacity ? arrived % capacity : 0
      return [...ring.slice(oldest), ...ring.slice(0, oldest)].map((entry) => ({ ...entry }))
    }
  }
}
