import { Schema } from "effect"

/** One line of the result. `figures` by what they are, with the unit in the name. */
export const Row = Schema.Struct({
  benchmark: Schema.String,
  subject: Schema.String,
  figures: Schema.Record(Schema.String, Schema.Number)
})
export type Row = typeof Row.Type

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

const shown = (value: number): string => value.toFixed(value < 10 ? 2 : 0)

/** The rows as a Markdown table. */
export const table = (rows: ReadonlyArray<Row>): string => {
  const lines = rows.map((
    { benchmark, figures, subject }
  ) => [benchmark, subject, Object.entries(figures).map(([name, value]) => `${name} ${shown(value)}`).join(", ")])
  return [["benchmark", "of", "result"], ["---", "---", "---"], ...lines]
    .map((line) => `| ${line.join(" | ")} |`).join("\n")
}
