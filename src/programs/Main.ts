import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Health } from "../layers/Health.ts"
import { makeGovernor } from "../layers/Lanes.ts"
import { MatrixSession } from "../layers/MatrixClient.ts"
import { openOutbox } from "./Deliver.ts"
import { openUpgrades } from "./FollowUpgrades.ts"
import { openInbox } from "./HandleInbox.ts"
import { openReceipts } from "./Receipts.ts"
import { logReport } from "./Reconcile.ts"
import { answerPeople, initialSync } from "./SyncLoop.ts"
import { reconcileAndTell } from "./TellAdmins.ts"

/**
 * The main program: authenticate, initial sync, reconcile, log, sync loop. It finds its way back into every chat before it
 * handles one message, and then answers people until it is stopped or something in its error type happens.
 *
 * Configuration has been read and the store opened, with its lease, when this begins: they are layers below it.
 */
export const main = Effect.gen(function*() {
  const health = yield* Health

  const self = yield* (yield* MatrixSession).authenticate
  yield* Effect.logInfo("matrix_authenticated").pipe(Effect.annotateLogs({ user: self.userId, device: self.deviceId }))

  // The handlers are there from the first sync answer on, but they wait until the chats are back.
  const governor = yield* makeGovernor
  const outbox = yield* openOutbox(governor)
  const inbox = yield* openInbox(outbox, yield* openReceipts(governor))
  const upgrades = yield* openUpgrades

  // From here to the loop the client is held: no second request goes out before reconciliation has ended.
  yield* initialSync
  yield* health.set({ phase: "reconciling" })
  const report = yield* reconcileAndTell()
  yield* logReport(report)

  return yield* answerPeople({ inbox, outbox, upgrades })
}).pipe(
  // Before the lanes are closed, which takes a moment.
  Effect.onExit((exit) =>
    Effect.andThen(
      Effect.flatMap(Health, ({ set }) => set({ phase: "stopping" })),
      Exit.hasInterrupts(exit) ? Effect.logInfo("stopping") : Effect.void
    )
  ),
  Effect.scoped
)
