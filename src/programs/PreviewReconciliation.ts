import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { AccountLook } from "../layers/AccountLook.ts"
import { AppConfig, localSettingsOf } from "../layers/AppConfig.ts"
import type { ConfigReport } from "../layers/AppConfig/Resolution.ts"
import { layerLook } from "../layers/MatrixClient/Operator.ts"
import { Store } from "../layers/Store.ts"
import { type Preview, previewOf, renderedPreview } from "./Preview.ts"
import { explained } from "./ShowReports.ts"

/** `homing reconcile` alone. Exit code 64. */
export class OnlyTheBotReconciles extends Schema.TaggedError<OnlyTheBotReconciles>()("OnlyTheBotReconciles", {}) {
  override readonly [Runtime.errorExitCode] = 64
  override get message() {
    return `The bot itself reconciles, at every start and when its connection was lost: restart it, or start it with ` +
      `"homing run". "homing reconcile --dry-run" shows what it would do, and changes nothing.`
  }
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
  yield* Console.log(options.json ? asJson(preview, prefix) : renderedPreview(preview, prefix))
})

export const lookAndDecide = Effect.gen(function*() {
  const { account, rooms } = yield* (yield* AccountLook).look
  return yield* previewOf(account, rooms)
}).pipe(Effect.withSpan("lookAndDecide"))

/** The outcomes have what the findings are made from. */
const asJson = ({ outcomes, report }: Preview, prefix: string): string =>
  JSON.stringify(
    { dryRun: true, ...report, findings: undefined, outcomes: outcomes.map(explained(prefix)) },
    null,
    2
  )
