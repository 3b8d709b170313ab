import { Deferred, Effect, type Scope } from "effect"
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { synapse } from "./Homeserver.ts"

/** One request as the homeserver was asked it. Times are in milliseconds since the epoch. */
export interface Recorded {
  readonly method: string
  /** Without the query, and without `/_matrix/client/v3`. */
  readonly path: string
  readonly query: URLSearchParams
  readonly startedAt: number
  /** Undefined while there is no answer. */
  endedAt: number | undefined
  status: number | undefined
}

/** What stands between the bot and Synapse: passes everything on, writes it down, and can be a bad network. */
export interface Proxy {
  readonly url: string
  /** In the order in which they arrived. */
  readonly requests: ReadonlyArray<Recorded>
  /** Forgets what was asked until now. */
  readonly forget: Effect.Effect<void>
  /** The first matching request, of those not forgotten and those to come. */
  readonly asked: (isIt: (request: Recorded) => boolean) => Effect.Effect<Recorded>
  /** Refuses connections, and breaks those that stand, until `accept`. */
  readonly refuse: Effect.Effect<void>
  readonly accept: Effect.Effect<void>
  /**
   * Lets the next matching request through to the homeserver, and never gives its answer to the bot. The inner effect
   * waits until the homeserver has answered.
   */
  readonly withholdAnswer: (isIt: (request: Recorded) => boolean) => Effect.Effect<Effect.Effect<Recorded>>
}

export const isSync = (request: Recorded): boolean => request.path === "/sync"

/** The poll of the sync loop, which comes after reconciliation. */
export const isLongPoll = (request: Recorded): boolean => isSync(request) && request.query.get("timeout") !== "0"

export const isSend = (request: Recorded): boolean => request.method === "PUT" && request.path.includes("/send/")

interface Withheld {
  readonly isIt: (request: Recorded) => boolean
  readonly done: Deferred.Deferred<Recorded>
}

export const makeProxy: Effect.Effect<Proxy, never, Scope.Scope> = Effect.gen(function*() {
  const target = new URL(synapse.url)
  const requests: Array<Recorded> = []
  const waiting = new Set<(request: Recorded) => void>()
  const sockets = new Set<Socket>()
  const agent = new Agent({ keepAlive: true })
  let withheld: Withheld | undefined

  const pass = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const url = new URL(incoming.url ?? "/", target)
    const recorded: Recorded = {
      method: incoming.method ?? "GET",
      path: url.pathname.replace("/_matrix/client/v3", ""),
      query: url.searchParams,
      startedAt: Date.now(),
      endedAt: undefined,
      status: undefined
    }
    requests.push(recorded)
    for (const tell of waiting) tell(recorded)
    const keep = withheld?.isIt(recorded) === true ? withheld : undefined
    if (keep !== undefined) withheld = undefined

    const options = { host: target.hostname, port: target.port, method: incoming.method, path: incoming.url, agent }
    const onward = request({ ...options, headers: incoming.headers }, (answer) => {
      recorded.status = answer.statusCode
      answer.on("end", () => {
        recorded.endedAt = Date.now()
        if (keep !== undefined) Deferred.doneUnsafe(keep.done, Effect.succeed(recorded))
      })
      if (keep === undefined) {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      } else {
        answer.resume()
      }
    })
    onward.on("error", () => outgoing.destroy())
    outgoing.on("close", () => {
      if (keep === undefined && !outgoing.writableFinished) onward.destroy()
    })
    incoming.pipe(onward)
  }

  const server = createServer({ keepAliveTimeout: 60_000 }, pass)
  server.on("connection", (socket) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
  })
  const listen = (port: number) =>
    Effect.callback<number>((resume) => {
      server.listen(port, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
    })
  const close = Effect.callback<void>((resume) => {
    if (!server.listening) return resume(Effect.void)
    server.close(() => resume(Effect.void))
    for (const socket of sockets) socket.destroy()
  })

  const port = yield* Effect.acquireRelease(listen(0), () => Effect.andThen(close, Effect.sync(() => agent.destroy())))
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    forget: Effect.sync(() => {
      requests.splice(0)
    }),
    asked: (isIt) =>
      Effect.callback<Recorded>((resume) => {
        const found = requests.find(isIt)
        if (found !== undefined) return resume(Effect.succeed(found))
        const tell = (request: Recorded) => {
          if (isIt(request)) resume(Effect.succeed(request))
        }
        waiting.add(tell)
        return Effect.sync(() => waiting.delete(tell))
      }).pipe(Effect.timeoutOrElse({
        duration: 30_000,
        orElse: () =>
          Effect.die(
            new Error(
              `The request did not come within 30 s; last: ${
                requests.slice(-8).map((_) => `${_.method} ${_.path}?${_.query} ${_.status}`).join("; ")
              }`
            )
          )
      })),
    refuse: close,
    accept: Effect.suspend(() => server.listening ? Effect.void : Effect.asVoid(listen(port))),
    withholdAnswer: (isIt) =>
      Effect.sync(() => {
        const done = Deferred.makeUnsafe<Recorded>()
        withheld = { isIt, done }
        return Deferred.await(done)
      })
  }
})
