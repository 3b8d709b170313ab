import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { IgnoreReason } from "../../domain/Policy.ts"
import { waitsFor } from "../../domain/Settlement.ts"
import type { Store } from "../Store.ts"
import { type Database, decoderOf } from "./Database.ts"

/** Rows of the inbox that one transaction looks at, and may forget: a few milliseconds. */
const chunk = 100

/** Pages that one transaction gives back: 400 kB. */
const pages = 100

const keyless: IgnoreReason = "encrypted"

const Settled = Schema.Array(Schema.Struct({ seq: Schema.Int }))
const decodeSettled = decoderOf(Settled)
const Place = Schema.Struct({ seq: Schema.NullOr(Schema.Int) })
const decodePlace = decoderOf(Schema.UndefinedOr(Place))
const FreePages = Schema.Struct({ freelist_count: Schema.Int })
const decodeFreePages = decoderOf(FreePages)

export const makePrune = (db: Database): Store["Service"]["prune"] => {
  /** The number of the last row that came before the newest `keep`. What comes is numbered, also what is there already, so nothing needs counting. */
  const cutoff = (keep: number) =>
    db.once(
      "Store.prune",
      (statements) => (decodePlace(statements.get("SELECT max(seq) AS seq FROM inbox"))?.seq ?? 0) - keep
    )

  /** Looks at the rows that follow `after`; answers where it stopped, or undefined at the end. */
  const forgetSome = (after: number, before: number, upTo: number) =>
    db.atomic("Store.prune", (statements) => {
      const last = decodePlace(statements.get(
        `SELECT max(seq) AS seq FROM (SELECT seq FROM inbox WHERE seq > ? ORDER BY seq LIMIT ${chunk})`,
        after
      ))?.seq ?? undefined
      if (last === undefined) return undefined
      const settled = decodeSettled(statements.all(
        `SELECT seq FROM inbox
          WHERE seq > ? AND seq <= ? AND state <> 'pending' AND (seq <= ? OR settled_at < ?)
            AND NOT EXISTS (SELECT 1 FROM outbox WHERE inbox_seq = seq AND outbox.state = 'pending')`,
        after,
        last,
        upTo,
        before
      ))
      let outbox = 0
      for (const { seq } of settled) {
        outbox += statements.run("DELETE FROM outbox WHERE inbox_seq = ?", seq)
        statements.run("DELETE FROM inbox WHERE seq = ?", seq)
      }
      return { last, inbox: settled.length, outbox }
    })

  /** Answers whether there is more. */
  const giveSomeBack = db.once("Store.prune", (statements) => {
    const free = () => decodeFreePages(statements.get("PRAGMA freelist_count")).freelist_count
    const before = free()
    // Gives back one page a step, so it is run to its end.
    statements.all(`PRAGMA incremental_vacuum(${pages})`)
    return free() > 0 && free() < before
  })

  return Effect.fn("Store.prune")(function*({ before, keep }) {
    const pruned = { inbox: 0, outbox: 0 }
    const now = yield* Clock.currentTimeMillis
    // Its key does not come any more. What is tried again just now is left: its key may just have come.
    yield* db.run(db.sql`
      UPDATE inbox SET state = 'ignored', reason = ${keyless}, settled_at = ${now}, event = NULL
      WHERE state = 'pending' AND aside = ${waitsFor.itsKey} AND received_at < ${before}`)
    const upTo = yield* cutoff(keep)
    let after = 0
    for (
      let step = yield* forgetSome(after, before, upTo);
      step !== undefined;
      step = yield* forgetSome(after, before, upTo)
    ) {
      after = step.last
      pruned.inbox += step.inbox
      pruned.outbox += step.outbox
      yield* Effect.yieldNow
    }
    yield* db.run(db.sql`DELETE FROM gaps WHERE noticed_at < ${before}`)
    // Asked for by a message that is forgotten: it is never handled again.
    yield* db.run(db.sql`DELETE FROM provisioning WHERE done = 1 AND key NOT IN (SELECT key FROM inbox)`)
    while (yield* giveSomeBack) yield* Effect.yieldNow
    return pruned
  })
}
