import * as Effect from "effect/Effect"
import { transactionIdOf } from "../domain/Delivery.ts"
import { notice } from "../domain/Message.ts"
import type { ReconciliationReport } from "../domain/Reconciliation.ts"
import { isNews, newsKeyOf, newsOf } from "../domain/Reconciliation/Explain.ts"
import { AppConfig } from "../layers/AppConfig.ts"
import { MatrixRooms, MatrixSession } from "../layers/MatrixClient.ts"
import { contentOf } from "../layers/Rendering.ts"
import { Store } from "../layers/Store.ts"
import { reconcileAll } from "./Reconcile.ts"

/**
 * The reconciliation of a start, and of coming back to a homeserver. What it changed, its report and what the operators' room is told of it
 * are one transaction: no crash in between leaves a change that nobody was told of, and no command changes a chat between the decision and
 * its carrying out. It makes no request, so that none is waited for.
 */
export const reconcileAndTell = Effect.fn("reconcileAndTell")(function*() {
  const reconciled = Effect.tap(reconcileAll(), tellAdmins)
  return yield* (yield* Store).transaction(reconciled)
})

/** Puts the news of a report into the outbox, for the room that `admin_room` names. */
const tellAdmins = Effect.fnUntraced(function*(report: ReconciliationReport) {
  const { adminRoom, commandPrefix } = yield* AppConfig
  if (adminRoom === undefined || !isNews(report)) return
  const room = yield* (yield* MatrixRooms).view(adminRoom)
  if (room?.membership !== "join") {
    return yield* Effect.logWarning("admin_room_not_told").pipe(
      Effect.annotateLogs({ room: adminRoom, problem: "The bot is not in it: invite it there." })
    )
  }
  const { userId: sender } = yield* (yield* MatrixSession).self
  const about = newsKeyOf(report)
  const content = yield* contentOf(notice(newsOf(report, commandPrefix)), { "m.mentions": {} })
  const message = { roomId: adminRoom, transactionId: transactionIdOf(about, 0), type: "m.room.message", content }
  yield* (yield* Store).outbox.announce(message, { about, sender })
})
