import { damaged, problem } from "./Problem.ts"

/** A key of a record, as it is handed out (w3.org/TR/IndexedDB, 2.4). Binary keys always come back as an ArrayBuffer. */
export type Key = number | Date | string | ArrayBuffer | ReadonlyArray<Key>

/**
 * The bytes of a key. SQLite compares them with memcmp, and that gives the order of IndexedDB: number < date < string <
 * binary < array. Every kind ends where it says so, so that no key is the beginning of another and the bytes alone suffice
 * to read the key again.
 */
export type KeyBytes = Uint8Array

const tag = { end: 0x00, number: 0x10, date: 0x20, string: 0x30, binary: 0x40, array: 0x50 } as const

/** The bytes of a key; throws `DataError` when `value` is none. */
export const encodeKey = (value: unknown): KeyBytes => {
  const bytes = encodeIfKey(value)
  if (bytes === undefined) throw problem("DataError", "This value cannot be a key.")
  return bytes
}

/** The bytes of a key; undefined when `value` is none, which leaves a record out of an index. */
export const encodeIfKey = (value: unknown): KeyBytes | undefined => {
  const writer = new Writer()
  return writeKey(writer, value, []) ? writer.bytes() : undefined
}

export const decodeKey = (bytes: KeyBytes): Key => readKey(new Reader(bytes))

/** The least bytes that are greater than these. */
export const successor = (bytes: KeyBytes): KeyBytes => {
  const next = new Uint8Array(bytes.length + 1)
  next.set(bytes)
  return next
}

/** Whether `value` was a key. An array that has been `seen` in it already makes it none. */
const writeKey = (to: Writer, value: unknown, seen: Array<unknown>): boolean => {
  if (typeof value === "number") return writeNumber(to, tag.number, value)
  if (typeof value === "string") return writeString(to, value)
  if (value instanceof Date) return writeNumber(to, tag.date, value.getTime())
  if (value instanceof ArrayBuffer) return !value.detached && writeBinary(to, new Uint8Array(value))
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteLength, byteOffset } = value
    return buffer instanceof ArrayBuffer && !buffer.detached &&
      writeBinary(to, new Uint8Array(buffer, byteOffset, byteLength))
  }
  return Array.isArray(value) && writeArray(to, value, seen)
}

/** The order of IEEE 754 numbers is that of their bits once the sign is turned, and with it all bits of a negative one. */
const writeNumber = (to: Writer, kind: number, value: number): boolean => {
  if (Number.isNaN(value)) return false
  // -0 and 0 are one key.
  scratch.setFloat64(0, value + 0)
  const negative = scratch.getUint8(0) >= 0x80
  to.byte(kind)
  for (let i = 0; i < 8; i++) {
    const byte = scratch.getUint8(i)
    to.byte(negative ? byte ^ 0xff : i === 0 ? byte ^ 0x80 : byte)
  }
  return true
}

/**
 * Strings are ordered by UTF-16 code units, which is not the order of UTF-8. A unit takes one byte below 127, two up to
 * 16,510 and three above; a longer form always starts higher, and none starts with the byte that ends the string.
 */
const writeString = (to: Writer, value: string): boolean => {
  to.byte(tag.string)
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i)
    if (unit < 0x7f) to.byte(unit + 1)
    else if (unit < 0x407f) {
      to.byte(0x80 | (unit - 0x7f) >> 8)
      to.byte((unit - 0x7f) & 0xff)
    } else {
      to.byte(0xc0)
      to.byte(unit >> 8)
      to.byte(unit & 0xff)
    }
  }
  to.byte(tag.end)
  return true
}

/** A zero is followed by a 255, and the two zeros that end the bytes are below it. */
const writeBinary = (to: Writer, value: Uint8Array): boolean => {
  to.byte(tag.binary)
  for (const byte of value) {
    to.byte(byte)
    if (byte === 0) to.byte(0xff)
  }
  to.byte(tag.end)
  to.byte(tag.end)
  return true
}

const writeArray = (to: Writer, value: ReadonlyArray<unknown>, seen: Array<unknown>): boolean => {
  if (seen.includes(value)) return false
  seen.push(value)
  to.byte(tag.array)
  for (let i = 0; i < value.length; i++) {
    if (!Object.hasOwn(value, i) || !writeKey(to, value[i], seen)) return false
  }
  to.byte(tag.end)
  return true
}

const readKey = (from: Reader): Key => {
  const kind = from.byte()
  switch (kind) {
    case tag.number:
      return readNumber(from)
    case tag.date:
      return new Date(readNumber(from))
    case tag.string:
      return readString(from)
    case tag.binary:
      return readBinary(from)
    case tag.array:
      return readArray(from)
    default:
      throw damaged(`a key starts with ${kind}`)
  }
}

const readNumber = (from: Reader): number => {
  const first = from.byte()
  const negative = first < 0x80
  scratch.setUint8(0, negative ? first ^ 0xff : first ^ 0x80)
  for (let i = 1; i < 8; i++) scratch.setUint8(i, negative ? from.byte() ^ 0xff : from.byte())
  return scratch.getFloat64(0)
}

const readString = (from: Reader): string => {
  let text = ""
  for (let byte = from.byte(); byte !== tag.end; byte = from.byte()) {
    const unit = byte < 0x80
      ? byte - 1
      : byte < 0xc0
      ? ((byte & 0x3f) << 8 | from.byte()) + 0x7f
      : from.byte() << 8 | from.byte()
    text += String.fromCharCode(unit)
  }
  return text
}

const readBinary = (from: Reader): ArrayBuffer => {
  const bytes: Array<number> = []
  for (;;) {
    const byte = from.byte()
    if (byte === 0 && from.byte() === tag.end) return Uint8Array.from(bytes).buffer
    bytes.push(byte)
  }
}

const readArray = (from: Reader): ReadonlyArray<Key> => {
  const keys: Array<Key> = []
  while (from.peek() !== tag.end) keys.push(readKey(from))
  from.byte()
  return keys
}

const scratch = new DataView(new ArrayBuffer(8))

class Writer {
  #bytes = new Uint8Array(64)
  #length = 0

  byte(value: number): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(this.#length * 2)
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    this.#bytes[this.#length++] = value
  }

  bytes(): KeyBytes {
    return this.#bytes.subarray(0, this.#length)
  }
}

class Reader {
  readonly #bytes: KeyBytes
  #at = 0

  constructor(bytes: KeyBytes) {
    this.#bytes = bytes
  }

  peek(): number {
    const byte = this.#bytes[this.#at]
    if (byte === undefined) throw damaged("a key ends too early")
    return byte
  }

  byte(): number {
    const byte = this.peek()
    this.#at++
    return byte
  }
}
