import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { plural } from "../domain/Plural.ts"
import type { Outcome, ReconciliationReport } from "../domain/Reconciliation.ts"
import { countsOf, explain, mostUrgentFirst } from "../domain/Reconciliation/Explain.ts"
import { AppConfig, localSettingsOf } from "../layers/AppConfig.ts"
import type { ConfigReport } from "../layers/AppConfig/Resolution.ts"
import { Store } from "../layers/Store.ts"
import { timeOf } from "./Why.ts"

/** More of one report nobody reads in a terminal; `--json` has them all. */
const mostFindings = 20

/** `homing reports`: what the bot found each time that it compared the rooms with its chats. Only looks. */
export const showReports = Effect.fn("ShowReports")(function*(
  report: ConfigReport,
  options: { readonly json: boolean; readonly limit: number }
) {
  const settings = yield* localSettingsOf(report)
  const reports = yield* Store.use((store) => store.reports.latest(options.limit)).pipe(
    Effect.provide(Store.layerReadOnly.pipe(Layer.provide(Layer.succeed(AppConfig, settings))))
  )
  const prefix = settings.commandPrefix
  yield* Console.log(
    options.json
      ? JSON.stringify(reports.map((one) => ({ ...one, findings: one.findings.map(explained(prefix)) })), null, 2)
      : reports.length === 0
      ? "There are no reports yet: the bot writes one at every start."
      : reports.map((one) => rendered(one, prefix)).join("\n\n")
  )
})

/** An outcome for programs to read, with what `explain` says of it. */
export const explained = (prefix: string) => (outcome: Outcome) => {
  const { settledBy, what } = explain(outcome, (command) => `${prefix}${command}`)
  return { ...outcome, what, settledBy: settledBy ?? null }
}

const rendered = (report: ReconciliationReport, prefix: string): string => {
  const { chats, durationMs, rooms, scope } = report
  const compared = `${plural(rooms, "room")} and ${plural(chats, "chat")} in ${Math.round(durationMs)} ms`
  return [
    `${timeOf(report.startedAt)}  ${scope === "all" ? "all rooms" : scope}: ${countsOf(report)} (${compared})`,
    ...findingLines(report.findings, prefix).map((line) => `  ${line}`)
  ].join("\n")
}

/** The findings, the most urgent first, each with the command that settles it under it. */
export const findingLines = (findings: ReadonlyArray<Outcome>, prefix: string): ReadonlyArray<string> => {
  const shown = mostUrgentFirst(findings).slice(0, mostFindings)
  const more = findings.length - shown.length
  return [
    ...shown.flatMap((outcome) => {
      const { settledBy, what } = explain(outcome, (command) => `${prefix}${command}`)
      const { chats, rooms } = idsOf(outcome)
      return [
        `${outcome._tag.toLowerCase().padEnd(9)}  ${[rooms, ...chats].join("  ")}`,
        `           ${outcome.reason}: ${what}`,
        ...(settledBy === undefined ? [] : [`           -> ${settledBy}`])
      ]
    }),
    ...(more > 0 ? [`and ${more} more: --json has them all`] : [])
  ]
}

const idsOf = (outcome: Outcome): { readonly rooms: string; readonly chats: ReadonlyArray<string> } => {
  switch (outcome._tag) {
    case "Moved":
      return { rooms: `${outcome.fromRoomId} -> ${outcome.roomId}`, chats: [`chat ${outcome.chatId}`] }
    case "Skipped":
      return { rooms: outcome.roomId, chats: [] }
    case "Conflict":
      return {
        rooms: outcome.roomId,
        chats: [
          ...(outcome.chatId === null ? [] : [`shows chat ${outcome.chatId}`]),
          ...(outcome.claimed === outcome.chatId ? [] : [`claims chat ${outcome.claimed}`])
        ]
      }
    default:
      return { rooms: outcome.roomId ?? "no room", chats: [`chat ${outcome.chatId}`] }
  }
}
