/** What the homeserver was asked for and does not do: told once each, so that nobody looks for the reason elsewhere. */
import * as Effect from "effect/Effect"
import type { HomeserverRequest } from "./Router.ts"

/** So many kinds are told. A client that makes paths up shall not fill a log, or this memory. */
const mostKinds = 100

/** Words of the specification, and the version: everything else in a path names one room, user, event or key. */
const isFixed = (segment: string): boolean =>
  /^(?:[a-z_]{0,40}|[vr]\d{1,2}|org\.matrix\.[a-z\d_.]{1,40})$/.test(segment)

/** The path without what it is about, such as `/_matrix/client/v3/rooms/{}/report`. */
export const shapeOf = (path: string): string =>
  path.split("/").slice(0, 16).map((segment) => isFixed(segment) ? segment : "{}").join("/")

/** Tells of a request that no endpoint answers, by its method and the shape of its path, unless it was told already. */
export const makeUnrecognized = () => {
  const told = new Set<string>()
  return Effect.fnUntraced(function*({ method, path }: Pick<HomeserverRequest, "method" | "path">) {
    const shape = shapeOf(path)
    const kind = `${method} ${shape}`
    if (told.has(kind) || told.size >= mostKinds || !path.startsWith("/_matrix/")) return
    told.add(kind)
    // Clients find out by asking whether a server has something unstable: a no is what most servers say.
    const level = shape.includes("/unstable/") ? "Info" : "Warn"
    yield* Effect.logWithLevel(level)("homeserver_unrecognized").pipe(Effect.annotateLogs({ method, path: shape }))
  })
}
