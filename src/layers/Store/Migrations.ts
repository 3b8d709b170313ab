import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type Database, firstRow } from "./Database.ts"
import { unavailable } from "./Failures.ts"

/**
 * The schema, in numbered steps: step n brings a file from version n - 1 to n. A step that was released never changes;
 * what is wrong in it is mended by the next one. This is the one place with SQLite's own dialect.
 *
 * Times are REAL: an INTEGER beyond 2^53 could be stored but not read back as a number.
 */
export const migrations: ReadonlyArray<ReadonlyArray<string>> = [
  [
    `CREATE TABLE account (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      user_id TEXT NOT NULL,
      device_id TEXT,
      homeserver_url TEXT NOT NULL,
      access_token TEXT
    )`,
    `CREATE TABLE cursor (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      token TEXT NOT NULL
    )`,
    `CREATE TABLE chats (
      id TEXT NOT NULL PRIMARY KEY,
      owner TEXT NOT NULL,
      owner_name TEXT NOT NULL,
      title TEXT NOT NULL,
      archived INTEGER NOT NULL,
      revision INTEGER NOT NULL,
      created_at REAL NOT NULL,
      room_id TEXT UNIQUE,
      bound_at REAL,
      detached TEXT,
      marker_revision INTEGER NOT NULL,
      CHECK ((room_id IS NULL) = (bound_at IS NULL))
    )`,
    `CREATE TABLE reports (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      report TEXT NOT NULL
    )`,
    `CREATE TABLE inbox (
      seq INTEGER PRIMARY KEY AUTOINCREMENT,
      key TEXT NOT NULL UNIQUE,
      kind TEXT NOT NULL,
      room_id TEXT NOT NULL,
      sender TEXT NOT NULL,
      event TEXT,
      provenance TEXT NOT NULL,
      state TEXT NOT NULL,
      reason TEXT,
      code TEXT,
      attempts INTEGER NOT NULL,
      received_at REAL NOT NULL,
      settled_at REAL
    )`,
    `CREATE INDEX inbox_pending ON inbox (room_id, seq) WHERE state = 'pending'`,
    `CREATE TABLE outbox (
      position INTEGER PRIMARY KEY AUTOINCREMENT,
      room_id TEXT NOT NULL,
      transaction_id TEXT NOT NULL UNIQUE,
      type TEXT NOT NULL,
      content TEXT,
      state TEXT NOT NULL,
      attempts INTEGER NOT NULL,
      event_id TEXT,
      reason TEXT,
      inbox_key TEXT NOT NULL REFERENCES inbox (key)
    )`,
    `CREATE INDEX outbox_pending ON outbox (room_id, position) WHERE state = 'pending'`,
    `CREATE INDEX outbox_event ON outbox (event_id) WHERE event_id IS NOT NULL`
  ],
  [
    // By number instead of by event id: event ids are random, so an index over them costs a page for every reply. The index tells
    // what became of a message, and what is deleted with it.
    `CREATE TABLE outbox_by_number (
      position INTEGER PRIMARY KEY AUTOINCREMENT,
      room_id TEXT NOT NULL,
      transaction_id TEXT NOT NULL UNIQUE,
      type TEXT NOT NULL,
      content TEXT,
      state TEXT NOT NULL,
      attempts INTEGER NOT NULL,
      event_id TEXT,
      reason TEXT,
      inbox_seq INTEGER NOT NULL REFERENCES inbox (seq)
    )`,
    `INSERT INTO outbox_by_number
      SELECT position, room_id, transaction_id, type, content, state, attempts, event_id, reason,
        (SELECT seq FROM inbox WHERE key = inbox_key) FROM outbox`,
    `DROP TABLE outbox`,
    `ALTER TABLE outbox_by_number RENAME TO outbox`,
    `CREATE INDEX outbox_pending ON outbox (room_id, position) WHERE state = 'pending'`,
    `CREATE INDEX outbox_event ON outbox (event_id) WHERE event_id IS NOT NULL`,
    `CREATE INDEX outbox_answers ON outbox (inbox_seq)`,
    `CREATE TABLE gaps (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      room_id TEXT NOT NULL,
      from_token TEXT NOT NULL,
      to_token TEXT,
      events INTEGER NOT NULL,
      noticed_at REAL NOT NULL
    )`
  ],
  [
    `ALTER TABLE chats ADD COLUMN settings TEXT NOT NULL DEFAULT '{}'`
  ],
  [
    `CREATE TABLE provisioning (
      key TEXT NOT NULL PRIMARY KEY,
      origin TEXT NOT NULL,
      room_id TEXT,
      done INTEGER NOT NULL
    )`
  ],
  [
    `ALTER TABLE inbox ADD COLUMN aside INTEGER NOT NULL DEFAULT 0`
  ],
  [
    `CREATE INDEX chats_owner ON chats (owner)`,
    `CREATE TABLE held_rooms (
      room_id TEXT NOT NULL PRIMARY KEY,
      since TEXT NOT NULL,
      after_absence INTEGER NOT NULL,
      failures INTEGER NOT NULL,
      tried_at REAL NOT NULL
    )`
  ],
  [
    // Where the file of a message is by now; NULL for a message without one.
    `ALTER TABLE outbox ADD COLUMN upload TEXT`,
    // Apart from the message, which changes with each attempt: a row is always written whole.
    `CREATE TABLE attachments (
      position INTEGER PRIMARY KEY REFERENCES outbox (position) ON DELETE CASCADE,
      mimetype TEXT NOT NULL,
      bytes BLOB NOT NULL
    )`
  ],
  [
    `CREATE TABLE encrypted_rooms (
      room_id TEXT NOT NULL PRIMARY KEY,
      heard_in_clear INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID`,
    `ALTER TABLE inbox ADD COLUMN seal TEXT`,
    // Rooms first: what comes at the same time comes to the same pages.
    `CREATE INDEX inbox_seal ON inbox (room_id, seal) WHERE seal IS NOT NULL`,
    `ALTER TABLE held_rooms ADD COLUMN was_encrypted INTEGER NOT NULL DEFAULT 0`
  ],
  [
    `ALTER TABLE chats ADD COLUMN room_name TEXT`,
    `ALTER TABLE chats ADD COLUMN former_room_id TEXT`,
    `ALTER TABLE chats ADD COLUMN fresh INTEGER NOT NULL DEFAULT 0`,
    `CREATE INDEX chats_former_room ON chats (former_room_id) WHERE former_room_id IS NOT NULL`
  ],
  [
    // Of a message: what it edits, and its thread. Kept beyond its event, for an edit that comes later.
    `ALTER TABLE inbox ADD COLUMN replaces TEXT`,
    `ALTER TABLE inbox ADD COLUMN thread_root TEXT`,
    `ALTER TABLE inbox ADD COLUMN redacted INTEGER NOT NULL DEFAULT 0`,
    `ALTER TABLE inbox ADD COLUMN command INTEGER NOT NULL DEFAULT 0`,
    `CREATE INDEX inbox_edits ON inbox (replaces) WHERE replaces IS NOT NULL`,
    // The transaction id of what a row of the outbox edits, redacts or reacts to.
    `ALTER TABLE outbox ADD COLUMN target TEXT`,
    `ALTER TABLE outbox ADD COLUMN answer INTEGER NOT NULL DEFAULT 1`,
    `CREATE INDEX outbox_target ON outbox (target) WHERE target IS NOT NULL`,
    `CREATE TABLE prompts (
      transaction_id TEXT NOT NULL PRIMARY KEY,
      room_id TEXT NOT NULL,
      asker TEXT NOT NULL,
      action TEXT NOT NULL,
      expires_at REAL NOT NULL
    )`,
    `CREATE TABLE deleted_chats (
      id TEXT NOT NULL PRIMARY KEY,
      deleted_at REAL NOT NULL
    )`
  ]
]

const Version = Schema.Struct({ user_version: Schema.Int })

/** The version of the file: how many steps it has taken. A file that has taken more than this Homing knows is refused. */
export const schemaVersion = Effect.fn("Store.schemaVersion")(function*(db: Database) {
  const version = (yield* firstRow(db, Version, db.sql`PRAGMA user_version`))?.user_version ?? 0
  if (version <= migrations.length) return version
  return yield* unavailable(
    db.path,
    "newer_schema",
    `It was written by a newer Homing (schema ${version}; this one knows ${migrations.length})`
  )
})

const AutoVacuum = Schema.Struct({ auto_vacuum: Schema.Int })
const incremental = 2

/**
 * Brings the file to the newest version that this Homing knows, all steps in one transaction. A file that cannot give pages
 * back yet is written anew first: that is at once in a new one, and seconds in a large one, once.
 */
export const migrate = Effect.fn("Store.migrate")(function*(db: Database) {
  yield* schemaVersion(db)
  if ((yield* firstRow(db, AutoVacuum, db.sql`PRAGMA auto_vacuum`))?.auto_vacuum !== incremental) {
    yield* db.run(db.sql.unsafe(`PRAGMA auto_vacuum = ${incremental}`))
    yield* db.run(db.sql`VACUUM`)
  }
  // The transaction begins with a write lock also when there is nothing to do: a read-only file is found here, at the
  // start, and not by the first message.
  yield* db.transaction(Effect.gen(function*() {
    const version = yield* schemaVersion(db)
    if (version === migrations.length) return
    for (const step of migrations.slice(version)) {
      for (const statement of step) yield* db.run(db.sql.unsafe(statement))
    }
    yield* db.run(db.sql.unsafe(`PRAGMA user_version = ${migrations.length}`))
  }))
})
