import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { DeviceId, SyncToken, UserId } from "../../domain/Ids.ts"
import type { Store, StoredSession } from "../Store.ts"
import { type Database, firstRow } from "./Database.ts"
import { unavailable } from "./Failures.ts"

const Account = Schema.Struct({
  user_id: UserId,
  device_id: Schema.NullOr(DeviceId),
  homeserver_url: Schema.String,
  access_token: Schema.NullOr(Schema.String)
})

/** Who the bot is: one row, because one data directory belongs to one account. */
export const makeSession = (db: Database): Store["Service"]["session"] => {
  const { sql } = db
  const account = firstRow(db, Account, sql`SELECT user_id, device_id, homeserver_url, access_token FROM account`)

  return {
    load: Effect.map(
      account,
      (row): StoredSession | undefined =>
        row === undefined || row.device_id === null || row.access_token === null ? undefined : {
          userId: row.user_id,
          deviceId: row.device_id,
          homeserverUrl: row.homeserver_url,
          accessToken: Redacted.make(row.access_token)
        }
    ).pipe(Effect.withSpan("Store.session.load")),

    save: Effect.fn("Store.session.save")(function*(session) {
      const row = {
        id: 1,
        user_id: session.userId,
        device_id: session.deviceId,
        homeserver_url: session.homeserverUrl,
        access_token: Redacted.value(session.accessToken)
      }
      yield* db.transaction(Effect.gen(function*() {
        const stored = yield* account
        if (stored !== undefined && stored.user_id !== session.userId) {
          return yield* unavailable(
            db.path,
            "other_account",
            `It belongs to ${stored.user_id}, and Homing signed in as ${session.userId}`
          )
        }
        yield* db.run(
          sql`INSERT INTO account ${sql.insert(row)} ON CONFLICT (id) DO UPDATE SET ${sql.update(row, ["id"])}`
        )
      }))
    }),

    forgetToken: db.run(sql`UPDATE account SET access_token = NULL`).pipe(Effect.withSpan("Store.session.forgetToken")),

    deviceId: Effect.map(account, (row) => row?.device_id ?? undefined).pipe(Effect.withSpan("Store.session.deviceId")),

    // A token is bound to its device: without the device it is worth nothing.
    forgetDevice: db.run(sql`UPDATE account SET access_token = NULL, device_id = NULL`).pipe(
      Effect.withSpan("Store.session.forgetDevice")
    )
  }
}

const Cursor = Schema.Struct({ token: SyncToken })

/** The cursor is read here and written by `ingest` alone: it moves only with the rows that it stands for. */
export const makeCursor = (db: Database): Store["Service"]["cursor"] =>
  Effect.map(firstRow(db, Cursor, db.sql`SELECT token FROM cursor`), (row) => row?.token).pipe(
    Effect.withSpan("Store.cursor")
  )
