import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { plural } from "../domain/Plural.ts"
import { type Outcome, type ReconciliationReport, reportOf } from "../domain/Reconciliation.ts"
import { decide } from "../domain/Reconciliation/Decide.ts"
import { countsOf } from "../domain/Reconciliation/Explain.ts"
import { AccountLook } from "../layers/AccountLook.ts"
import { AppConfig, localSettingsOf } from "../layers/AppConfig.ts"
import type { ConfigReport } from "../layers/AppConfig/Resolution.ts"
import { layerLook } from "../layers/MatrixClient/Operator.ts"
import { Store } from "../layers/Store.ts"
import { explained, findingLines } from "./ShowReports.ts"

/** `homing reconcile` alone. Exit code 64. */
export class OnlyTheBotReconciles extends Schema.TaggedError<OnlyTheBotReconciles>()("OnlyTheBotReconciles", {}) {
  override readonly [Runtime.errorExitCode] = 64
  override get message() {
    return `The bot itself reconciles, at every start and when its connection was lost: restart it, or start it with ` +
      `"homing run". "homing reconcile --dry-run" shows what it would do, and changes nothing.`
  }
}

/** What a reconciliation of everything would come to now. */
export interface Preview {
  readonly report: ReconciliationReport
  /** All of them, the report has only the first findings. */
  readonly outcomes: ReadonlyArray<Outcome>
}

/** `homing reconcile --dry-run`: what a start would decide now. Takes no lease and writes nothing, so that a bot may run meanwhile. */
export const previewReconciliation = Effect.fn("PreviewReconciliation")(function*(
  report: ConfigReport,
  options: { readonly json: boolean }
) {
  const settings = yield* localSettingsOf(report)
  const preview = yield* lookAndDecide.pipe(
    Effect.provide(
      layerLook.pipe(Layer.provideMerge(Store.layerReadOnly), Layer.provide(Layer.succeed(AppConfig, settings)))
    )
  )
  const prefix = settings.commandPrefix
  yield* Console.log(options.json ? asJson(preview, prefix) : rendered(preview, prefix))
})

/** The decision of `reconcileAll`, with nothing carried out and nothing kept: its type has neither `ChatManager` nor `MatrixProvisioning`. */
export const lookAndDecide = Effect.gen(function*() {
  const startedAt = yield* Clock.currentTimeMillis
  const { account, rooms } = yield* (yield* AccountLook).look
  const { all, deleted } = (yield* Store).chats
  const chats = yield* all
  const outcomes = decide({ account, rooms, chats, deleted: yield* deleted, now: startedAt })
  const durationMs = (yield* Clock.currentTimeMillis) - startedAt
  const preview: Preview = {
    report: reportOf({ scope: "all", startedAt, durationMs, rooms: rooms.length, chats: chats.length, outcomes }),
    outcomes
  }
  return preview
}).pipe(Effect.withSpan("lookAndDecide"))

/** The outcomes have what the findings are made from. */
const asJson = ({ outcomes, report }: Preview, prefix: string): string =>
  JSON.stringify(
    { dryRun: true, ...report, findings: undefined, outcomes: outcomes.map(explained(prefix)) },
    null,
    2
  )

/** What agrees is counted, what a person may have to look at is listed. */
const rendered = ({ outcomes, report }: Preview, prefix: string): string => {
  const listed = outcomes.filter(({ reason }) => reason !== "agrees" && reason !== "still_detached")
  return [
    `A start would find ${plural(report.rooms, "room")} on the server and ${plural(report.chats, "chat")} here: ` +
    `${countsOf(report)}.`,
    ...(listed.length === 0 ? [] : ["", ...findingLines(listed, prefix)]),
    "",
    "Nothing was changed."
  ].join("\n")
}
