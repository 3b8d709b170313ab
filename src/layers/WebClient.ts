import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpStaticServer from "effect/http/HttpStaticServer"
import * as Layer from "effect/Layer"
import { randomBytes } from "node:crypto"
import { createServer } from "node:http"
import { builtPage, type PageOptions } from "./WebClient/Page.ts"
import { type Account, makeSession } from "./WebClient/SignIn.ts"
import { WebClientUnavailable } from "./WebClient/Unavailable.ts"

export interface WebClientOptions extends Account, PageOptions {}

/** Hydrogen, a Matrix client for the browser, served on loopback and signed in. */
export class WebClient extends Context.Service<WebClient, {
  /** The address to open. It holds a key that dies with this process: whoever knows it is signed in. */
  readonly url: string
}>()("homing/WebClient") {
  /** Builds the page the first time, which takes some seconds; nothing else may have to wait for it. */
  static readonly layer = (options: WebClientOptions): Layer.Layer<WebClient, WebClientUnavailable> =>
    Layer.suspend(() => serve(options))
}

const serve = (options: WebClientOptions): Layer.Layer<WebClient, WebClientUnavailable> => {
  const key = randomBytes(16).toString("hex")

  // All addresses begin with the key, so that no other page in the browser, and nobody else on this machine, can ask for
  // the session.
  const session = Layer.unwrap(Effect.map(makeSession(options), (session) =>
    HttpRouter.add(
      "POST",
      `/${key}/session`,
      session.pipe(
        Effect.map((found) => HttpServerResponse.jsonUnsafe(found, { headers: { "cache-control": "no-store" } })),
        Effect.catch(() => Effect.succeed(HttpServerResponse.text("The homeserver let nobody in.", { status: 502 })))
      )
    )))

  const page = Layer.unwrap(
    Effect.map(
      builtPage(options),
      (root) =>
        HttpStaticServer.layer({ root, prefix: `/${key}`, cacheControl: "no-cache" }).pipe(
          Layer.catchTag(
            "PlatformError",
            (error) => Layer.effectDiscard(new WebClientUnavailable({ problem: "not_served", detail: error.message }))
          )
        )
    )
  )

  const guarded = HttpRouter.middleware(
    (answer) => Effect.map(answer, HttpServerResponse.setHeaders(guards(new URL(options.homeserverUrl).origin))),
    { global: true }
  )

  const address = Layer.effect(
    WebClient,
    HttpServer.addressFormattedWith((origin) => Effect.succeed(WebClient.of({ url: `${origin}/${key}/` })))
  )

  return HttpRouter.serve(Layer.mergeAll(session, page, guarded), { disableLogger: true, disableListenLog: true }).pipe(
    Layer.merge(address),
    Layer.provide(FetchHttpClient.layer),
    Layer.provide(
      NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: "1 second" })
    ),
    Layer.catchTag(
      "ServeError",
      ({ cause }) =>
        Layer.effect(WebClient, Effect.fail(new WebClientUnavailable({ problem: "not_served", detail: String(cause) })))
    )
  )
}

/** What the page may do: run its own scripts, and talk to this homeserver and to nobody else. */
const guards = (homeserver: string): Readonly<Record<string, string>> => ({
  "content-security-policy": [
    "default-src 'none'",
    // Olm is WebAssembly
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self'",
    "style-src 'self'",
    // Hydrogen places menus and pictures by attributes.
    "style-src-attr 'unsafe-inline'",
    "font-src 'self'",
    `connect-src 'self' ${homeserver}`,
    `img-src 'self' data: blob: ${homeserver}`,
    `media-src blob: ${homeserver}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'"
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  // The address is the key.
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff"
})
