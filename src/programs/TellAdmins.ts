import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { transactionIdOf } from "../domain/Delivery.ts"
import { notice } from "../domain/Message.ts"
import type { ReconciliationReport } from "../domain/Reconciliation.ts"
import { changesIn, changesKeyOf, changesText, isNews, newsKeyOf, newsOf } from "../domain/Reconciliation/Explain.ts"
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
  if (isNews(report)) yield* say(newsKeyOf(report), newsOf(report, (yield* AppConfig).commandPrefix))
})

/** Once for good: what has been said under the name `about` is not said again. */
const say = Effect.fnUntraced(function*(about: string, text: string) {
  const { adminRoom } = yield* AppConfig
  if (adminRoom === undefined) return
  const room = yield* (yield* MatrixRooms).view(adminRoom)
  if (room?.membership !== "join") {
    return yield* Effect.logWarning("admin_room_not_told").pipe(
      Effect.annotateLogs({ room: adminRoom, problem: "The bot is not in it: invite it there." })
    )
  }
  const { userId: sender } = yield* (yield* MatrixSession).self
  const content = yield* contentOf(notice(text), { "m.mentions": {} })
  const message = { roomId: adminRoom, transactionId: transactionIdOf(about, 0), type: "m.room.message", content }
  yield* (yield* Store).outbox.announce(message, { about, sender })
})

/** What is older than this, in milliseconds, is no news any more: nobody could be told, for so long. */
const newsFor = 3_600_000

/** More reports of a minute than this are not told of one by one. */
const mostReports = 50

/**
 * Tells the operators' room what happened to chats since it was told last. Run once a minute, so that it is told no more often. A report is
 * kept in the transaction that makes the change, and the message is named by the newest one that it tells of: after a crash, what was not
 * told yet is told, and nothing twice.
 */
export const makeTeller = Effect.sync(() => {
  let looked: string | undefined
  return Effect.gen(function*() {
    const { adminRoom, commandPrefix } = yield* AppConfig
    const { inbox, reports } = yield* Store
    if (adminRoom === undefined) return
    const [newest] = yield* reports.latest(1)
    if (newest === undefined || changesKeyOf(newest) === looked) return
    looked = changesKeyOf(newest)
    const now = yield* Clock.currentTimeMillis
    const all = yield* reports.latest(mostReports)
    const untold: Array<ReconciliationReport> = []
    for (const report of all) {
      // A start has told its own.
      if (report.scope === "all") continue
      if (now - report.startedAt > newsFor || (yield* inbox.find(changesKeyOf(report))) !== undefined) break
      untold.push(report)
    }
    const [last] = untold
    const changes = changesIn(untold.toReversed(), all.filter((report) => !untold.includes(report)))
    if (last !== undefined && changes.length > 0) yield* say(changesKeyOf(last), changesText(changes, commandPrefix))
  }).pipe(Effect.withSpan("tellOfChanges"))
})
