import { IDBCursorWithValue } from "./Cursor.ts"
import { decodeKey } from "./Key.ts"
import { definiteSpanOf, spanOf } from "./KeyRange.ts"
import type { IDBObjectStore } from "./ObjectStore.ts"
import { problem } from "./Problem.ts"
import { type Listing, unlimited } from "./Records.ts"
import type { IDBRequest } from "./Request.ts"
import { decodeValue } from "./Value.ts"

/** What stores and indexes have in common: they are read, in the order of their keys. */
export abstract class Source {
  readonly #listing: Listing

  constructor(listing: Listing) {
    this.#listing = listing
  }

  /** Where the records stand: the store itself, or that of the index. */
  protected abstract readonly home: IDBObjectStore

  get(query: unknown): IDBRequest {
    this.home.assertUsable()
    const span = definiteSpanOf(query)
    return this.#ask(() => this.#listing.list(span, 1).map((row) => decodeValue(row.value))[0])
  }

  getAll(query?: unknown, count?: number): IDBRequest {
    this.home.assertUsable()
    const span = spanOf(query)
    return this.#ask(() => this.#listing.list(span, limitOf(count)).map((row) => decodeValue(row.value)))
  }

  /** The primary keys, also of an index. */
  getAllKeys(query?: unknown, count?: number): IDBRequest {
    this.home.assertUsable()
    const span = spanOf(query)
    return this.#ask(() => this.#listing.keys(span, limitOf(count)).map(decodeKey))
  }

  count(query?: unknown): IDBRequest {
    this.home.assertUsable()
    const span = spanOf(query)
    return this.#ask(() => this.#listing.count(span))
  }

  /** A cursor that goes forward. */
  openCursor(query?: unknown, direction = "next"): IDBRequest {
    this.home.assertUsable()
    if (direction !== "next") throw problem("NotSupportedError", `Cursors go "next", and not "${direction}".`)
    const span = spanOf(query)
    return IDBCursorWithValue.open(this, this.home, (last) => this.#listing.next(span, last))
  }

  #ask(run: () => unknown): IDBRequest {
    return this.home.transaction.ask(this, run)
  }
}

const limitOf = (count: number | undefined): number => count === undefined || count === 0 ? unlimited : count
