/** From a request to the endpoint that answers it. An endpoint is one entry of a table: method, path, body, rule. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { authenticate } from "./Accounts.ts"
import { type Device, type Json, settle, type User, userOf, type World } from "./Model.ts"
import { Refusal } from "./Refusal.ts"

/** One request of the client-server API. `path` is the whole path, percent-encoded, without a query. */
export interface HomeserverRequest {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  /** Decoded JSON, or the bytes of an upload; undefined for a request without a body. */
  readonly body: unknown
  /** Of an upload. */
  readonly contentType?: string | undefined
  readonly accessToken: string | undefined
  /** The base URL that the client came by, for `/.well-known/matrix/client`; by default one of the server's name. */
  readonly baseUrl?: string | undefined
}

export interface HomeserverAnswer {
  /** 0 when no answer came: see `broken`. */
  readonly status: number
  /** JSON, or a string or bytes when the headers say so. */
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
  /**
   * An injected fault of the transport: the connection was reset, or the body stalled and never ends. A door acts it
   * out; in process a reset is an unreachable server, and a stalled answer is one to wait for in vain.
   */
  readonly broken?: "reset" | "stalled"
}

/** A request on its way to a rule. */
export interface Visit {
  readonly world: World
  readonly request: HomeserverRequest
  /** Decoded parameters of the path. */
  readonly params: Readonly<Record<string, string>>
  /** Milliseconds since the epoch. */
  readonly now: number
  /** At most so many events of a room in an answer of `/sync`, whatever the client asks for: a fault may say so. */
  readonly timelineLimit?: number | undefined
}

/** A visit by somebody who is signed in. */
export interface Call extends Visit {
  readonly user: User
  readonly device: Device
}

export interface Route {
  readonly method: string
  readonly path: string
  readonly run: (visit: Visit) => Effect.Effect<HomeserverAnswer, Refusal>
}

const parameter = (visit: Visit, name: string): string => visit.params[name] ?? ""
/** Reads the path parameters that the path of a route names. */
export const at = (visit: Visit) => ({
  room: parameter(visit, "roomId"),
  type: parameter(visit, "type"),
  stateKey: parameter(visit, "stateKey"),
  event: parameter(visit, "eventId"),
  user: parameter(visit, "userId"),
  transaction: parameter(visit, "txnId"),
  name: parameter(visit, "name")
})

/** What an endpoint answers: an object, but for the few that answer a list. */
type Body = Json | ReadonlyArray<Json>

const ok = (body: Body): HomeserverAnswer => ({ status: 200, body })

/** Runs a rule; what it throws as a `Refusal` becomes a failure, anything else is a defect of the model. */
const ruled = <A>(world: World, rule: () => A): Effect.Effect<A, Refusal> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(rule())
    } catch (problem) {
      return problem instanceof Refusal ? Effect.fail(problem) : Effect.die(problem)
    } finally {
      settle(world)
    }
  })

const signedIn = (visit: Visit): Call => {
  const device = authenticate(visit.world, visit.request.accessToken, visit.now)
  return { ...visit, device, user: userOf(visit.world, device.userId) }
}

const decodeBody = <S extends Schema.ConstraintDecoder<unknown>>(schema: S) => {
  const decode = Schema.decodeUnknownResult(schema)
  return (visit: Visit): S["Type"] => {
    const body = decode(visit.request.body ?? {})
    if (Result.isFailure(body)) throw new Refusal(400, "M_BAD_JSON", body.failure.message)
    return body.success
  }
}

/** An endpoint for everybody. */
export const open = (method: string, path: string, rule: (visit: Visit) => Body): Route => ({
  method,
  path,
  run: (visit) => ruled(visit.world, () => ok(rule(visit)))
})

/** An endpoint for everybody, with a body. */
export const openBody = <S extends Schema.ConstraintDecoder<unknown>>(
  method: string,
  path: string,
  schema: S,
  rule: (visit: Visit, body: S["Type"]) => Body
): Route => {
  const body = decodeBody(schema)
  return { method, path, run: (visit) => ruled(visit.world, () => ok(rule(visit, body(visit)))) }
}

/** An endpoint for those who are signed in. */
export const route = (method: string, path: string, rule: (call: Call) => Body): Route => ({
  method,
  path,
  run: (visit) => ruled(visit.world, () => ok(rule(signedIn(visit))))
})

/** An endpoint for everybody that answers a file. */
export const openFile = (method: string, path: string, rule: (visit: Visit) => HomeserverAnswer): Route => ({
  method,
  path,
  run: (visit) => ruled(visit.world, () => rule(visit))
})

/** An endpoint that answers a file to those who are signed in. */
export const routeFile = (method: string, path: string, rule: (call: Call) => HomeserverAnswer): Route =>
  openFile(method, path, (visit) => rule(signedIn(visit)))

/** An endpoint for those who are signed in, with a body. */
export const routeBody = <S extends Schema.ConstraintDecoder<unknown>>(
  method: string,
  path: string,
  schema: S,
  rule: (call: Call, body: S["Type"]) => Body
): Route => {
  const body = decodeBody(schema)
  return {
    method,
    path,
    run: (visit) =>
      ruled(visit.world, () => {
        // The token is looked at first: a stranger does not learn what is wrong with a body.
        const call = signedIn(visit)
        return ok(rule(call, body(visit)))
      })
  }
}

/** An endpoint that may wait. `rule` runs at once, and as often as the effect that it is used in asks. */
export const routeEffect = (
  method: string,
  path: string,
  run: (look: <A>(rule: (call: Call) => A) => Effect.Effect<A, Refusal>, visit: Visit) => Effect.Effect<Json, Refusal>
): Route => ({
  method,
  path,
  run: (visit) => Effect.map(run((rule) => ruled(visit.world, () => rule(signedIn(visit))), visit), ok)
})

// --- finding the route

interface Entry {
  readonly route: Route
  readonly segments: ReadonlyArray<string>
}

export interface Routes {
  readonly find: (
    method: string,
    path: string
  ) => { readonly route: Route; readonly params: Record<string, string> } | undefined
  /** Whether the path is known, and only the method is not. */
  readonly knows: (path: string) => boolean
}

/** Looks routes up by method and path. `r0` is the name that `v3` had before version 1.1 of the specification. */
export const makeRoutes = (table: ReadonlyArray<Route>): Routes => {
  const byShape = new Map<string, Array<Entry>>()
  for (const route of table) {
    const segments = route.path.split("/")
    const shape = `${route.method} ${segments.length}`
    byShape.set(shape, [...byShape.get(shape) ?? [], { route, segments }])
  }
  const find: Routes["find"] = (method, path) => {
    const segments = path.replace(/^(\/_matrix\/(?:client|media))\/r0\//, "$1/v3/").split("/")
    for (const entry of byShape.get(`${method} ${segments.length}`) ?? []) {
      const params = match(entry.segments, segments)
      if (params !== undefined) return { route: entry.route, params }
    }
    return undefined
  }
  const methods = ["GET", "PUT", "POST", "DELETE"]
  return { find, knows: (path) => methods.some((method) => find(method, path) !== undefined) }
}

const match = (pattern: ReadonlyArray<string>, segments: ReadonlyArray<string>): Record<string, string> | undefined => {
  const params: Record<string, string> = {}
  for (const [index, expected] of pattern.entries()) {
    const segment = segments[index] ?? ""
    if (expected.startsWith("{")) params[expected.slice(1, -1)] = decodeSegment(segment)
    else if (expected !== segment) return undefined
  }
  return params
}

const decodeSegment = (segment: string): string => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
