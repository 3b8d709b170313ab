import { encodeKey, type KeyBytes, successor } from "./Key.ts"
import { problem } from "./Problem.ts"

/** Keys from `from` on and below `to`. One form for every range: what is closed above ends at the successor of the bound. */
export interface Span {
  readonly from: KeyBytes
  readonly to: KeyBytes
}

/** Every key starts between these. An empty lower bound would reach SQLite as NULL, which nothing is greater than. */
const everything: Span = { from: Uint8Array.of(0x00), to: Uint8Array.of(0xff) }

/** A range of keys. Only what makes one is there: nobody but the stores reads it. */
export class IDBKeyRange {
  readonly span: Span

  private constructor(span: Span) {
    this.span = span
  }

  static bound(lower: unknown, upper: unknown, lowerOpen = false, upperOpen = false): IDBKeyRange {
    const [from, to] = [encodeKey(lower), encodeKey(upper)]
    const order = Buffer.compare(from, to)
    if (order > 0 || (order === 0 && (lowerOpen || upperOpen))) {
      throw problem("DataError", "The lower bound of the range is above its upper bound.")
    }
    return new IDBKeyRange({ from: lowerOpen ? successor(from) : from, to: upperOpen ? to : successor(to) })
  }

  static lowerBound(lower: unknown, open = false): IDBKeyRange {
    const from = encodeKey(lower)
    return new IDBKeyRange({ ...everything, from: open ? successor(from) : from })
  }

  static upperBound(upper: unknown, open = false): IDBKeyRange {
    const to = encodeKey(upper)
    return new IDBKeyRange({ ...everything, to: open ? to : successor(to) })
  }
}

/** What a query asks for: a range, one key, or everything when there is none. */
export const spanOf = (query: unknown): Span =>
  query === undefined || query === null ? everything : definiteSpanOf(query)

/** As `spanOf`, for what is never done to everything by leaving the query out. */
export const definiteSpanOf = (query: unknown): Span => {
  if (query instanceof IDBKeyRange) return query.span
  const from = encodeKey(query)
  return { from, to: successor(from) }
}
