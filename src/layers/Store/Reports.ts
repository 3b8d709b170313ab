import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ReconciliationReport } from "../../domain/Reconciliation.ts"
import type { Store } from "../Store.ts"
import { allRows, type Database } from "./Database.ts"

/** How many reports are kept: an on-demand repair writes one too, so there may be many a day. */
export const keptReports = 100

const Row = Schema.Struct({ report: Schema.fromJsonString(ReconciliationReport) })

export const makeReports = (db: Database): Store["Service"]["reports"] => {
  const { sql } = db

  return {
    append: Effect.fn("Store.reports.append")(function*(report) {
      yield* db.transaction(Effect.gen(function*() {
        yield* db.run(sql`INSERT INTO reports ${sql.insert({ report: JSON.stringify(report) })}`)
        yield* db.run(
          sql`DELETE FROM reports WHERE id NOT IN (SELECT id FROM reports ORDER BY id DESC LIMIT ${keptReports})`
        )
      }))
    }),

    latest: Effect.fn("Store.reports.latest")(function*(limit) {
      const rows = yield* allRows(db, Row, sql`SELECT report FROM reports ORDER BY id DESC LIMIT ${limit}`)
      return rows.map((row) => row.report)
    })
  }
}
