import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { createServer } from "node:http"
import { exitCode } from "../domain/Errors.ts"
import { AppConfig } from "./AppConfig.ts"
import { type Health, readiness } from "./Health.ts"

/** The status port cannot be listened on. Exit code 78. */
export class StatusPortUnavailable extends Schema.TaggedError<StatusPortUnavailable>()("StatusPortUnavailable", {
  port: Schema.Number,
  inUse: Schema.Boolean
}) {
  override readonly [Runtime.errorExitCode] = exitCode.badConfig
  override get message() {
    return `The status endpoint cannot listen on 127.0.0.1:${this.port}: ${
      this.inUse ? "another program uses that port." : "the system does not allow it."
    } Choose another with --status-port or HOMING_STATUS_PORT, or leave it out to serve none.`
  }
}

const routes = HttpRouter.addAll([
  HttpRouter.route("GET", "/healthz", Effect.succeed(HttpServerResponse.text("ok\n"))),
  HttpRouter.route(
    "GET",
    "/readyz",
    Effect.gen(function*() {
      const { syncTimeout } = yield* AppConfig
      const state = yield* readiness(syncTimeout)
      return HttpServerResponse.jsonUnsafe(state, { status: state.ready ? 200 : 503 })
    })
  )
])

/**
 * Serves `/healthz` (200 while the process lives) and `/readyz` (200 while the sync loop runs, else 503 and the reason)
 * on loopback only: a supervisor on the same machine asks it, nobody else.
 */
export const layerOn = (port: number): Layer.Layer<never, StatusPortUnavailable, AppConfig | Health> =>
  HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(
      NodeHttpServer.layer(() => createServer(), { port, host: "127.0.0.1", gracefulShutdownTimeout: "1 second" })
    ),
    Layer.catchTag("ServeError", ({ cause }) =>
      Layer.effectDiscard(
        Effect.fail(new StatusPortUnavailable({ port, inUse: String(cause).includes("EADDRINUSE") }))
      ))
  )
