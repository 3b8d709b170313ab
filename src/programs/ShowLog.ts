import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ReconciliationReport } from "../domain/Reconciliation.ts"
import { AppConfig, localSettingsOf } from "../layers/AppConfig.ts"
import type { ConfigReport } from "../layers/AppConfig/Resolution.ts"
import { type Gap, type InboxRecord, type OutboxRecord, Store } from "../layers/Store.ts"
import { timeOf } from "./Why.ts"

/** What an operator may want to look at, each list with the newest first. */
export interface Log {
  readonly reports: ReadonlyArray<ReconciliationReport>
  /** Failed and ignored ones; with `all`, answered ones and those in hand, too. */
  readonly messages: ReadonlyArray<InboxRecord>
  readonly undelivered: ReadonlyArray<OutboxRecord>
  readonly gaps: ReadonlyArray<Gap>
}

/** `homing log`: what went otherwise than people hoped. Only looks, so that a bot may run meanwhile. */
export const showLog = Effect.fn("ShowLog")(function*(
  report: ConfigReport,
  options: { readonly json: boolean; readonly limit: number; readonly all: boolean }
) {
  const settings = yield* localSettingsOf(report)
  const log = yield* readLog(options).pipe(
    Effect.provide(Store.layerReadOnly.pipe(Layer.provide(Layer.succeed(AppConfig, settings))))
  )
  yield* Console.log(options.json ? JSON.stringify(log, null, 2) : rendered(log, options.all))
})

export const readLog = Effect.fn("readLog")(function*(
  { all, limit }: { readonly limit: number; readonly all: boolean }
) {
  const { inbox, outbox, reports } = yield* Store
  const states = all ? ["failed", "ignored", "answered", "pending"] as const : ["failed", "ignored"] as const
  const records = yield* Effect.forEach(states, (state) => inbox.records({ state, limit }))
  const messages = records.flat().toSorted((a, b) => lastChangeOf(b) - lastChangeOf(a)).slice(0, limit)
  const log: Log = {
    reports: yield* reports.latest(limit),
    messages,
    undelivered: yield* outbox.list({ states: ["dead"], limit }),
    gaps: yield* inbox.gaps(limit)
  }
  return log
})

const lastChangeOf = ({ receivedAt, settledAt }: InboxRecord): number => settledAt ?? receivedAt

const rendered = ({ gaps, messages, reports, undelivered }: Log, all: boolean): string =>
  [
    section("Reconciliations", reports.map((report) => `${timeOf(report.startedAt)}  ${counted(report)}`)),
    section(
      all ? "Messages" : "Messages that were not answered",
      messages.map((record) => {
        const { code, key, reason, roomId, state } = record
        return `${timeOf(lastChangeOf(record))}  ${state}  ${code ?? "-"}  ${roomId}  ${key}  ${reason ?? ""}`.trimEnd()
      })
    ),
    section(
      "Answers that could not be delivered",
      undelivered.map(({ reason, roomId, transactionId }) => `${transactionId}  ${roomId}  ${reason}`)
    ),
    section(
      "Left out when catching up",
      gaps.map(({ events, noticedAt, roomId }) =>
        `${timeOf(noticedAt)}  ${roomId}  what came before the last ${events} events`
      )
    )
  ].join("\n\n")

const section = (title: string, lines: ReadonlyArray<string>): string =>
  [title, ...(lines.length === 0 ? ["none"] : lines).map((line) => `  ${line}`)].join("\n")

const counted = (report: ReconciliationReport): string => {
  const { conflicts, detached, moved, restored, skipped, unchanged, updated } = report
  const found = Object.entries({ unchanged, restored, updated, moved, detached, skipped, conflicts })
    .flatMap(([outcome, count]) => count === 0 ? [] : [`${count} ${outcome}`])
  return `${report.scope === "all" ? "all rooms" : report.scope}: ${
    found.length === 0 ? "nothing there" : found.join(", ")
  }`
}
