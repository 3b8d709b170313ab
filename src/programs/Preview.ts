import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { UserId } from "../domain/Ids.ts"
import { plural } from "../domain/Plural.ts"
import { type Outcome, type ReconciliationReport, reportOf } from "../domain/Reconciliation.ts"
import { decide } from "../domain/Reconciliation/Decide.ts"
import { countsOf } from "../domain/Reconciliation/Explain.ts"
import type { ServerRoom } from "../domain/ServerRoom.ts"
import { Store } from "../layers/Store.ts"
import { findingLines } from "./ShowReports.ts"

/** What a reconciliation of everything would come to now. */
export interface Preview {
  readonly report: ReconciliationReport
  /** All of them, the report has only the first findings. */
  readonly outcomes: ReadonlyArray<Outcome>
}

/** The decision of `reconcileAll`, with nothing carried out and nothing kept: its type has neither `ChatManager` nor `MatrixProvisioning`. */
export const previewOf = Effect.fn("previewOf")(function*(account: UserId, rooms: ReadonlyArray<ServerRoom>) {
  const { all, deleted: gone } = (yield* Store).chats
  const [chats, deleted] = [yield* all, yield* gone]
  const startedAt = yield* Clock.currentTimeMillis
  const outcomes = decide({ account, rooms, chats, deleted, now: startedAt })
  const durationMs = (yield* Clock.currentTimeMillis) - startedAt
  const preview: Preview = {
    report: reportOf({ scope: "all", startedAt, durationMs, rooms: rooms.length, chats: chats.length, outcomes }),
    outcomes
  }
  return preview
})

/** What agrees is counted, what a person may have to look at is listed. */
export const renderedPreview = ({ outcomes, report }: Preview, prefix: string): string => {
  const listed = outcomes.filter(({ reason }) => reason !== "agrees" && reason !== "still_detached")
  return [
    `A start would find ${plural(report.rooms, "room")} on the server and ${plural(report.chats, "chat")} here: ` +
    `${countsOf(report)}.`,
    ...(listed.length === 0 ? [] : ["", ...findingLines(listed, prefix)]),
    "",
    "Nothing was changed."
  ].join("\n")
}
