/** The homeserver's door to the network: the same answers over HTTP on loopback. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as ByteSize from "effect/ByteSize"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import type { HttpServerError } from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { createServer, type Server } from "node:http"
import { connect } from "node:net"
import { Homeserver, type HomeserverAnswer, type HomeserverRequest } from "../Homeserver.ts"
import { largestUpload } from "./Media.ts"

/** The door cannot be opened: the port is taken, or not ours to take. */
export class DoorShut extends Schema.TaggedError<DoorShut>()("DoorShut", { port: Schema.Int, detail: Schema.String }) {
  override get message() {
    return `The sandbox homeserver cannot listen on port ${this.port}: ${this.detail}. Choose another port.`
  }
}

export interface DoorOptions {
  /** 0, the default, takes any free port. */
  readonly port?: number
}

/** Where the homeserver is served. */
export class Door extends Context.Service<Door, { readonly url: string }>()("homing/Homeserver/Door") {
  static readonly layer = (options: DoorOptions = {}): Layer.Layer<Door, DoorShut, Homeserver> =>
    Layer.suspend(() => serve(options))
}

const serve = ({ port = 0 }: DoorOptions): Layer.Layer<Door, DoorShut, Homeserver> => {
  const server = createServer()
  return Layer.effect(Door, openDoor(server)).pipe(
    Layer.provide(NodeHttpServer.layerServer(() => server, { port, host: "127.0.0.1", gracefulShutdownTimeout: 0 })),
    Layer.catchTag("ServeError", ({ cause }) =>
      Layer.effect(
        Door,
        new DoorShut({ port, detail: cause instanceof Error ? cause.message : String(cause) })
      ))
  )
}

const openDoor = Effect.fnUntraced(function*(server: Server) {
  const { handle } = yield* Homeserver
  const url = yield* HttpServer.addressFormattedWith(Effect.succeed)
  yield* knock(Number(new URL(url).port))
  // One route for all: which endpoint it is, and what is wrong with it, the model says to everybody in the same words.
  const app = yield* HttpRouter.toHttpEffect(
    HttpRouter.add("*", "/*", (request) => answered(request, url, handle))
  ).pipe(Effect.provideService(HttpRouter.RouterConfig, { maxParamLength: longestTarget }))
  // The route never fails: what does is the router, for a path that cannot be decoded.
  yield* HttpServer.serveEffect(app.pipe(Effect.catch(() => responseOf(unrecognized))))
  // What a client has open, such as half a request, must not keep the server from closing.
  yield* Effect.addFinalizer(() => Effect.sync(() => void server.close().closeAllConnections()))
  return Door.of({ url })
})

/** Whether somebody listens there. Where loopback is down one can listen on it all the same, and nobody is ever heard. */
export const knock = (port: number): Effect.Effect<void, DoorShut> =>
  Effect.callback((resume) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: 2_000 })
    const end = (result: Effect.Effect<void, DoorShut>) => {
      socket.destroy()
      resume(result)
    }
    socket.once("connect", () => end(Effect.void))
    socket.once("timeout", () => end(Effect.fail(new DoorShut({ port, detail: "nothing gets through to it" }))))
    socket.once("error", ({ message }) => end(Effect.fail(new DoorShut({ port, detail: message }))))
  })

// --- a request

/** Bytes. Node takes no longer head of a request. */
const longestTarget = 16_384

/** Bytes: an upload of the largest size, or anything else. */
const largestBody = largestUpload + 1

/** How deep the JSON of a body may be. What is deeper would be kept, and could be too deep to be written down again. */
const deepest = 500

const refused = (status: number, errcode: string, error: string): HomeserverAnswer => ({
  status,
  body: { errcode, error }
})
const unrecognized = refused(404, "M_UNRECOGNIZED", "Unrecognized request")
const tooLarge = refused(413, "M_TOO_LARGE", "Request body is too large")
const notJson = refused(400, "M_NOT_JSON", "Content not JSON.")
const tooDeep = refused(400, "M_BAD_JSON", "Content is nested too deeply.")
const failed = refused(500, "M_UNKNOWN", "Internal server error")

type Request = HttpServerRequest.HttpServerRequest

/** The answer to whatever a peer sends: there is none that fails, and a bug of the model is a 500 to who has met it. */
const answered = (request: Request, baseUrl: string, handle: Homeserver["Service"]["handle"]) =>
  Effect.gen(function*() {
    if (request.method === "OPTIONS") return HttpServerResponse.empty({ status: 204, headers: crossOrigin })
    const asked = yield* requestOf(request, baseUrl)
    const answer = "status" in asked ? asked : yield* handle(asked)
    // The end of the connection interrupts what is done for it.
    if (answer.broken === "reset") return yield* Effect.andThen(hangUp(request), Effect.never)
    return yield* responseOf(answer)
  }).pipe(Effect.catchDefect(() => responseOf(failed)))

/** The request as the model takes it, or the answer when it can take none. */
const requestOf = Effect.fnUntraced(function*(request: Request, baseUrl: string) {
  const { path, query } = targetOf(request.url)
  const isUpload = /^\/_matrix\/media\/\w+\/upload$/.test(path)
  if (Number(request.headers["content-length"]) > largestBody) return tooLarge
  const bytes = yield* bodyOf(request)
  if ("status" in bytes) return bytes
  const body = isUpload ? bytes : bytes.byteLength === 0 ? undefined : parsed(bytes)
  if (body === unreadable) return notJson
  if (!isUpload && isDeeperThan(body, deepest)) return tooDeep
  const asked: HomeserverRequest = {
    method: request.method,
    path,
    query,
    body,
    ...(isUpload ? { contentType: request.headers["content-type"] } : {}),
    accessToken: /^Bearer (.+)$/.exec(request.headers["authorization"] ?? "")?.[1] ?? query["access_token"],
    baseUrl
  }
  return asked
})

/** Split by hand: `URL` throws on some of what a peer may send, and takes the first part of `//foo/bar` for a host. */
const targetOf = (target: string) => {
  const [whole = ""] = target.split("#", 1)
  const mark = whole.indexOf("?")
  const path = mark === -1 ? whole : whole.slice(0, mark)
  return { path, query: Object.fromEntries(new URLSearchParams(mark === -1 ? "" : whole.slice(mark + 1))) }
}

const bodyOf = (request: Request): Effect.Effect<Uint8Array | HomeserverAnswer> =>
  request.arrayBuffer.pipe(
    Effect.map((buffer): Uint8Array | HomeserverAnswer => new Uint8Array(buffer)),
    Effect.provideService(HttpServerRequest.MaxBodySize, ByteSize.bytes(largestBody)),
    Effect.catch(({ reason }: HttpServerError) =>
      Effect.succeed("reason" in reason && reason.reason === "BodyTooLarge" ? tooLarge : notJson)
    )
  )

const unreadable = Symbol("unreadable")

const parsed = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return unreadable
  }
}

const isDeeperThan = (value: unknown, depth: number): boolean =>
  typeof value === "object" && value !== null &&
  (depth === 0 || Object.values(value).some((part) => isDeeperThan(part, depth - 1)))

// --- an answer

/** Web clients ask from another origin (Client-Server API, "Web Browser Clients"). */
const crossOrigin = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "GET, POST, PUT, DELETE, OPTIONS",
  "access-control-allow-headers": "X-Requested-With, Content-Type, Authorization"
}

const responseOf = ({ body, broken, headers, status }: HomeserverAnswer) =>
  Effect.sync(() => {
    const plain = typeof body === "string" || body instanceof Uint8Array
    const options = {
      status,
      contentType: headers?.["content-type"] ?? (plain ? "text/plain" : "application/json"),
      headers: { ...crossOrigin, ...headers }
    }
    if (broken === "stalled") return HttpServerResponse.stream(endless, { ...options, status: 200 })
    return body instanceof Uint8Array
      ? HttpServerResponse.uint8Array(body, options)
      : HttpServerResponse.text(typeof body === "string" ? body : JSON.stringify(body), options)
  })

const endless = Stream.concat(Stream.succeed(new TextEncoder().encode("{\"")), Stream.never)

const hangUp = (request: Request) =>
  Effect.sync(() => NodeHttpServerRequest.toIncomingMessage(request).socket.resetAndDestroy())
