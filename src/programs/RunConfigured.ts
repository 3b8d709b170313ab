import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { AppConfig, settingsOf } from "../layers/AppConfig.ts"
import type { ConfigReport } from "../layers/AppConfig/Resolution.ts"
import { Health } from "../layers/Health.ts"
import * as Logging from "../layers/Logging.ts"
import type { MatrixMedia } from "../layers/MatrixClient.ts"
import { Responder } from "../layers/Responder.ts"
import { Crash, logCause } from "./ReportFailure.ts"

/** The bot of this configuration, with its logs and its status endpoint, until it is stopped. It echoes unless it is given more to say. */
export const runConfigured = Effect.fn("RunConfigured")(function*(
  report: ConfigReport,
  responder: Layer.Layer<Responder, never, MatrixMedia> = Responder.layerEcho
) {
  const settings = yield* settingsOf(report)
  const surroundings = Layer.merge(
    Logging.layer,
    Health.layer
  ).pipe(Layer.provideMerge(Layer.succeed(AppConfig, settings)))

  return yield* Effect.gen(function*() {
    yield* Effect.forEach(report.warnings, (warning) =>
      Effect.logWarning("config_warning").pipe(
        Effect.annotateLogs({ warning })
      ))
    yield* Layer.build(statusEndpoint(settings.statusPort))
    // the matrix client behind it takes a while to load: only now that the configuration is known to be good
    const { run } = yield* Effect.promise(() => import("./Run.ts"))
    return yield* Effect.raceFirst(run(responder), Effect.flatten(Crash))
  }).pipe(Effect.scoped, Effect.tapCause(logCause), Effect.provide(surroundings))
})

const statusEndpoint = (port: number | undefined) =>
  port === undefined
    ? Layer.empty
    : Layer.unwrap(
      Effect.map(Effect.promise(() => import("../layers/StatusEndpoint.ts")), (status) => status.layerOn(port))
    )
