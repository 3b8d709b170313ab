import { decodeKey, type Key } from "./Key.ts"
import type { IDBObjectStore } from "./ObjectStore.ts"
import { problem } from "./Problem.ts"
import type { Listed } from "./Records.ts"
import { IDBRequest } from "./Request.ts"
import type { Source } from "./Source.ts"
import { decodeValue } from "./Value.ts"

/** The first record, or the one that comes after `last`. */
type Next = (last: Listed | undefined) => Listed | undefined

/** Goes forward through the records of a store or an index, one request a step; every step reads what is there by then. */
export class IDBCursor {
  readonly source: Source
  readonly request: IDBRequest
  readonly direction = "next"
  key: Key | undefined
  primaryKey: Key | undefined
  protected readonly home: IDBObjectStore
  readonly #next: Next
  #at: Listed | undefined
  /** False while the next record is on its way, and at the end. */
  #stands = false

  protected constructor(source: Source, home: IDBObjectStore, next: Next) {
    this.source = source
    this.home = home
    this.#next = next
    this.request = new IDBRequest(source, home.transaction)
  }

  continue(to?: unknown): void {
    this.#assertStands()
    if (to !== undefined) throw problem("NotSupportedError", "A cursor goes to the next record, and not to a key.")
    this.#stands = false
    this.request.again()
    this.#advance()
  }

  /** Replaces the record that the cursor stands on. */
  update(value: unknown): IDBRequest {
    this.home.transaction.assertWritable()
    this.#assertStands()
    return this.home.replace(this, value, this.primaryKey)
  }

  delete(): IDBRequest {
    this.home.transaction.assertWritable()
    this.#assertStands()
    return this.home.remove(this, this.primaryKey)
  }

  protected read(_at: Listed | undefined): void {}

  protected begin(): IDBRequest {
    this.#advance()
    return this.request
  }

  #advance(): void {
    this.home.transaction.ask(this.source, () => {
      this.#at = this.#next(this.#at)
      this.#stands = this.#at !== undefined
      this.key = this.#at && decodeKey(this.#at.key)
      this.primaryKey = this.#at && decodeKey(this.#at.primaryKey)
      this.read(this.#at)
      return this.#stands ? this : null
    }, this.request)
  }

  #assertStands(): void {
    this.home.assertUsable()
    if (!this.#stands) throw problem("InvalidStateError", "The cursor is on its way, or at its end.")
  }
}

export class IDBCursorWithValue extends IDBCursor {
  value: unknown

  static open(source: Source, home: IDBObjectStore, next: Next): IDBRequest {
    return new IDBCursorWithValue(source, home, next).begin()
  }

  protected override read(at: Listed | undefined): void {
    this.value = at && decodeValue(at.value)
  }
}
