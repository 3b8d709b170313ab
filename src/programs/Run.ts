import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { AnotherSession } from "../layers/AnotherSession.ts"
import { ChatManager } from "../layers/ChatManager.ts"
import { DiagnosticLimit } from "../layers/DiagnosticLimit.ts"
import { InviteLimit } from "../layers/InviteLimit.ts"
import * as MatrixClient from "../layers/MatrixClient.ts"
import { RepairMemory } from "../layers/RepairMemory.ts"
import type { Responder } from "../layers/Responder.ts"
import { Store } from "../layers/Store.ts"
import { main } from "./Main.ts"

/** The services below the main program. The store comes first: nobody signs in before the lease is held. */
export const services = Layer.mergeAll(
  MatrixClient.layer,
  ChatManager.layer,
  DiagnosticLimit.layer,
  InviteLimit.layer,
  RepairMemory.layer,
  AnotherSession.layer
).pipe(Layer.provideMerge(Store.layer))

/** The main program on its real layers. Needs the configuration, and the health to report to. */
export const run = (responder: Layer.Layer<Responder, never, MatrixClient.MatrixMedia>) =>
  main.pipe(Effect.provide(Layer.provideMerge(responder, services)))
