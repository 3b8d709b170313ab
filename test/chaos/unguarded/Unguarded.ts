import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer } from "effect"
import { AppConfig, readConfig, settingsOf } from "../../../src/layers/AppConfig.ts"
import { Health } from "../../../src/layers/Health.ts"
import * as Logging from "../../../src/layers/Logging.ts"
import type { MatrixMessages } from "../../../src/layers/MatrixClient.ts"
import { Responder } from "../../../src/layers/Responder.ts"
import type { Store } from "../../../src/layers/Store.ts"
import { main } from "../../../src/programs/Main.ts"
import { services } from "../../../src/programs/Run.ts"
import { runProcess } from "../../../src/RunProcess.ts"

/** A bot as `homing run` starts it, but for what `change` puts in the place of a service: one that lacks a guard. */
export const runUnguarded = (
  change: Layer.Layer<Store | MatrixMessages, never, Store | MatrixMessages>
): void =>
  runProcess(
    Effect.gen(function*() {
      const settings = yield* settingsOf(yield* readConfig({}))
      const surroundings = Layer.merge(Logging.layer, Health.layer).pipe(
        Layer.provideMerge(Layer.succeed(AppConfig, settings))
      )
      const unguarded = Layer.merge(change.pipe(Layer.provideMerge(services)), Responder.layerEcho).pipe(
        Layer.provideMerge(surroundings)
      )
      return yield* main.pipe(Effect.provide(unguarded))
    }).pipe(Effect.provide(NodeServices.layer))
  )
