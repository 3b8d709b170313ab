import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { ConfigInvalid } from "../domain/Errors.ts"
import { readConfig, settingsOf } from "../layers/AppConfig.ts"
import type { ConfigReport, EffectiveSetting } from "../layers/AppConfig/Resolution.ts"
import type { Flags } from "../layers/AppConfig/Sources.ts"

/** `homing config`: every setting, its value and where it came from; then what is wrong, which ends it with 78. */
export const showConfig = Effect.fn("ShowConfig")(function*(flags: Flags, options: { readonly json: boolean }) {
  const report = yield* readConfig(flags)
  yield* Console.log(options.json ? asJson(report) : asTable(report.table))
  if (!options.json) yield* Effect.forEach(report.warnings, (warning) => Console.error(`homing: warning: ${warning}`))
  yield* Effect.mapError(settingsOf(report), ({ problems }) => new ConfigInvalid({ problems, beneathTable: true }))
})

/** Aligned columns. An unset value is what it comes to, or a dash. */
export const asTable = (table: ReadonlyArray<EffectiveSetting>): string => {
  const rows = [
    ["SETTING", "VALUE", "FROM"],
    ...table.map((row) => [row.setting, row.value ?? row.meaning ?? "-", whereFrom(row)])
  ]
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()).join("\n")
}

const whereFrom = ({ name, source }: EffectiveSetting): string => {
  switch (source) {
    case "default":
      return source
    case ".env":
      return `${name} in .env`
    default:
      return name
  }
}

const asJson = ({ problems, table, warnings }: ConfigReport): string =>
  JSON.stringify(
    {
      settings: table.map((row) => ({ ...row, value: row.value ?? null, meaning: row.meaning ?? null })),
      problems,
      warnings
    },
    null,
    2
  )
