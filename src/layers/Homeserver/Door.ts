/** The homeserver's door to the network: the same answers over HTTP on loopback. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
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
    Layer.effect(Door, openDoor(options))
}

const openDoor: (options: DoorOptions) => Effect.Effect<{ readonly url: string }, DoorShut, Homeserver | Scope.Scope> =
  Effect.fn("Door.open")(function*({ port = 0 }: DoorOptions) {
    const homeserver = yield* Homeserver
    const server = createServer()
    yield* Effect.acquireRelease(listen(server, port), () => close(server))
    // Made after the socket, thus closed before it: open long polls end first.
    const run = yield* FiberSet.makeRuntime<never>()
    const address = server.address()
    const taken = typeof address === "object" && address !== null ? address.port : port
    yield* knock(taken)
    const url = `http://127.0.0.1:${taken}`
    server.on("request", (request, response) => {
      if (Number(request.headers["content-length"]) > largestBody) return write(response, tooLarge)
      const chunks: Array<Buffer> = []
      let size = 0
      request.on("error", () => response.destroy())
      request.on("data", (chunk: Buffer) => {
        size += chunk.byteLength
        // Read to its end all the same, but not kept: a client listens when it has spoken.
        if (size <= largestBody) chunks.push(chunk)
      })
      request.on("end", () => {
        if (size > largestBody) return write(response, tooLarge)
        const asked = requestOf(request, url, Buffer.concat(chunks))
        if (request.method === "OPTIONS") return write(response, { status: 204, body: "" })
        if (asked === undefined) return write(response, notJson)
        const fiber = run(homeserver.handle(asked))
        fiber.addObserver((exit) => write(response, Exit.isSuccess(exit) ? exit.value : failed))
        // A client that goes away ends its long poll.
        response.on("close", () => fiber.interruptUnsafe())
      })
    })
    return { url }
  })

const listen = (server: Server, port: number): Effect.Effect<void, DoorShut> =>
  Effect.callback((resume) => {
    server.once("error", (problem) => resume(Effect.fail(new DoorShut({ port, detail: problem.message }))))
    server.listen(port, "127.0.0.1", () => resume(Effect.void))
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

const close = (server: Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

/** Bytes: an upload of the largest size, or anything else. */
const largestBody = largestUpload + 1

const tooLarge: HomeserverAnswer = { status: 413, body: { errcode: "M_TOO_LARGE", error: "Request body is too large" } }
const notJson: HomeserverAnswer = { status: 400, body: { errcode: "M_NOT_JSON", error: "Content not JSON." } }
const failed: HomeserverAnswer = { status: 500, body: { errcode: "M_UNKNOWN", error: "Internal server error" } }

/** The request as the model takes it; undefined when the body is no JSON. */
const requestOf = (request: IncomingMessage, baseUrl: string, bytes: Buffer): HomeserverRequest | undefined => {
  const { pathname, searchParams } = new URL(request.url ?? "/", baseUrl)
  const query = Object.fromEntries(searchParams)
  const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1]
  const isUpload = /^\/_matrix\/media\/\w+\/upload$/.test(pathname)
  try {
    const body: unknown = isUpload ? bytes : bytes.length === 0 ? undefined : JSON.parse(bytes.toString())
    return {
      method: request.method ?? "GET",
      path: pathname,
      query,
      body,
      ...(isUpload ? { contentType: request.headers["content-type"] } : {}),
      accessToken: bearer ?? query["access_token"],
      baseUrl
    }
  } catch {
    return undefined
  }
}

/** Web clients ask from another origin (Client-Server API, "Web Browser Clients"). */
const crossOrigin = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "GET, POST, PUT, DELETE, OPTIONS",
  "access-control-allow-headers": "X-Requested-With, Content-Type, Authorization"
}

const write = (response: ServerResponse, answer: HomeserverAnswer): void => {
  if (response.destroyed || response.writableEnded) return
  if (answer.broken === "reset") return void response.socket?.resetAndDestroy()
  const isWritten = typeof answer.body === "string" || answer.body instanceof Uint8Array
  const status = answer.broken === "stalled" ? 200 : answer.status
  response.writeHead(status, {
    "content-type": isWritten ? "text/plain" : "application/json",
    ...crossOrigin,
    ...answer.headers
  })
  if (answer.broken === "stalled") return void response.write("{\"")
  response.end(isWritten ? answer.body : JSON.stringify(answer.body))
}
