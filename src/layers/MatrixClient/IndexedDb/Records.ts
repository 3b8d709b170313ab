import type { IndexShape, StoreShape } from "./Catalog.ts"
import { type KeyBytes, successor } from "./Key.ts"
import { keyAt } from "./KeyPath.ts"
import type { Span } from "./KeyRange.ts"
import { problem } from "./Problem.ts"
import { blob, integer, type SqliteFile } from "./SqliteFile.ts"
import { decodeValue } from "./Value.ts"

/** One record as a store or an index lists it; in a store both keys are the same. */
export interface Listed {
  readonly key: KeyBytes
  readonly primaryKey: KeyBytes
  readonly value: Uint8Array
}

/** What is listed in the order of keys: the records of a store, or those that an index knows. */
export interface Listing {
  /** At most `limit` of those in `span`. */
  list(span: Span, limit: number): ReadonlyArray<Listed>
  /** Their primary keys only. */
  keys(span: Span, limit: number): ReadonlyArray<KeyBytes>
  count(span: Span): number
  /** The first in `span`, or the first in it that comes after `last`. */
  next(span: Span, last: Listed | undefined): Listed | undefined
}

/** For `limit`: no limit. */
export const unlimited = -1

export const recordsOf = (file: SqliteFile, store: StoreShape): Listing => {
  const read = (span: Span, limit: number): ReadonlyArray<Listed> =>
    file.all(
      "SELECT key, value FROM records WHERE store = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?",
      store.id,
      span.from,
      span.to,
      limit
    ).map((row) => {
      const key = blob(row["key"])
      return { key, primaryKey: key, value: blob(row["value"]) }
    })
  return {
    list: (span, limit) => file.recall.answer(store.id, questionOf("", span, limit), () => read(span, limit)),
    keys: (span, limit) =>
      file.all(
        "SELECT key FROM records WHERE store = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?",
        store.id,
        span.from,
        span.to,
        limit
      ).map((row) => blob(row["key"])),
    count: (span) =>
      integer(
        file.one(
          "SELECT count(*) AS n FROM records WHERE store = ? AND key >= ? AND key < ?",
          store.id,
          span.from,
          span.to
        )?.["n"]
      ),
    next: (span, last) => read(last === undefined ? span : { ...span, from: successor(last.key) }, 1)[0]
  }
}

/** The order is that of the index's keys, and of primary keys among those that are equal. */
export const entriesOf = (file: SqliteFile, store: StoreShape, index: IndexShape): Listing => {
  const from = (key: KeyBytes, primaryKey: KeyBytes, to: KeyBytes, limit: number): ReadonlyArray<Listed> =>
    file.all(
      // A cross join keeps the order of the tables: the index first, then its records.
      `SELECT e.key, e.primary_key, r.value FROM entries e CROSS JOIN records r ON r.store = ? AND r.key = e.primary_key
       WHERE e.index_id = ? AND (e.key, e.primary_key) >= (?, ?) AND e.key < ? ORDER BY e.key, e.primary_key LIMIT ?`,
      store.id,
      index.id,
      key,
      primaryKey,
      to,
      limit
    ).map((row) => ({ key: blob(row["key"]), primaryKey: blob(row["primary_key"]), value: blob(row["value"]) }))
  return {
    list: (span, limit) =>
      file.recall.answer(
        store.id,
        questionOf(index.id, span, limit),
        () => from(span.from, least, span.to, limit)
      ),
    keys: (span, limit) =>
      file.all(
        "SELECT primary_key FROM entries WHERE index_id = ? AND key >= ? AND key < ? ORDER BY key, primary_key LIMIT ?",
        index.id,
        span.from,
        span.to,
        limit
      ).map((row) => blob(row["primary_key"])),
    count: (span) =>
      integer(
        file.one(
          "SELECT count(*) AS n FROM entries WHERE index_id = ? AND key >= ? AND key < ?",
          index.id,
          span.from,
          span.to
        )?.["n"]
      ),
    next: (span, last) =>
      (last === undefined
        ? from(span.from, least, span.to, 1)
        : from(last.key, successor(last.primaryKey), span.to, 1))[0]
  }
}

/** A question to a store, or to an index of it, by which its answer is known again. */
const questionOf = (index: number | "", { from, to }: Span, limit: number): string =>
  `${index} ${limit} ${base64(from)} ${base64(to)}`

const base64 = (key: KeyBytes): string => Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("base64")

/** Below every key. */
const least = Uint8Array.of(0x00)

/** A record to be kept, with the keys that the indexes of its store had for it when it was handed over. */
export interface NewRecord {
  readonly key: KeyBytes
  readonly value: Uint8Array
  readonly entries: ReadonlyArray<{ readonly index: IndexShape; readonly key: KeyBytes }>
}

/** Throws `ConstraintError`, before anything has changed, when a unique index has the key for another record. */
export const putRecord = (file: SqliteFile, store: StoreShape, record: NewRecord): void => {
  for (const { index, key } of record.entries) {
    if (index.unique) assertFree(file, index, key, record.key)
  }
  file.recall.forget(store.id)
  file.run(
    "INSERT INTO records (store, key, value) VALUES (?, ?, ?) ON CONFLICT (store, key) DO UPDATE SET value = excluded.value",
    store.id,
    record.key,
    record.value
  )
  for (const { id } of store.indexes.values()) {
    file.run("DELETE FROM entries WHERE index_id = ? AND primary_key = ?", id, record.key)
  }
  for (const { index, key } of record.entries) addEntry(file, index, key, record.key)
}

/** As `putRecord`; throws `ConstraintError` also when there is a record of this key. */
export const addRecord = (file: SqliteFile, store: StoreShape, record: NewRecord): void => {
  if (file.one("SELECT 1 FROM records WHERE store = ? AND key = ?", store.id, record.key) !== undefined) {
    throw problem("ConstraintError", `The store ${store.name} has a record of this key.`)
  }
  putRecord(file, store, record)
}

export const deleteRecords = (file: SqliteFile, store: StoreShape, span: Span): void => {
  file.recall.forget(store.id)
  for (const { id } of store.indexes.values()) {
    file.run("DELETE FROM entries WHERE index_id = ? AND primary_key >= ? AND primary_key < ?", id, span.from, span.to)
  }
  file.run("DELETE FROM records WHERE store = ? AND key >= ? AND key < ?", store.id, span.from, span.to)
}

/** Fills a new index from the records that are there. */
export const fillIndex = (file: SqliteFile, store: StoreShape, index: IndexShape): void => {
  for (const row of file.each("SELECT key, value FROM records WHERE store = ?", store.id)) {
    const key = keyAt(decodeValue(blob(row["value"])), index.keyPath)
    if (key === undefined) continue
    const primaryKey = blob(row["key"])
    if (index.unique) assertFree(file, index, key, primaryKey)
    addEntry(file, index, key, primaryKey)
  }
}

const addEntry = (file: SqliteFile, index: IndexShape, key: KeyBytes, primaryKey: KeyBytes): void =>
  file.run("INSERT INTO entries (index_id, key, primary_key) VALUES (?, ?, ?)", index.id, key, primaryKey)

const assertFree = (file: SqliteFile, index: IndexShape, key: KeyBytes, primaryKey: KeyBytes): void => {
  const taken = file.one(
    "SELECT 1 FROM entries WHERE index_id = ? AND key = ? AND primary_key <> ?",
    index.id,
    key,
    primaryKey
  )
  if (taken !== undefined) throw problem("ConstraintError", `The index ${index.name} has this key for another record.`)
}
