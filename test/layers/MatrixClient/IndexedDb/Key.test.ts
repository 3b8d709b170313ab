import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { indexedDB as reference } from "fake-indexeddb"
import { decodeKey, encodeIfKey, encodeKey } from "../../../../src/layers/MatrixClient/IndexedDb/Key.ts"
import { oneOf } from "../../../domain/Reconciliation/World.ts"
import { thrownBy } from "./Databases.ts"

const order = (a: unknown, b: unknown) => Buffer.compare(encodeKey(a), encodeKey(b))
const circle: Array<unknown> = [1]
circle.push(circle)
const twice = [1]
const holes: Array<number> = []
holes.length = 1
const detached = new ArrayBuffer(4)
structuredClone(detached, { transfer: [detached] })

/** Where the encoding changes its form, and half pairs: UTF-16 orders them below what UTF-8 does. */
const unit = oneOf(0, 1, 0x61, 0x7e, 0x7f, 0x80, 0xff, 0x407e, 0x407f, 0x4080, 0xd83e, 0xdd8a, 0xe000, 0xffff)
const text = Arbitrary.array(unit, { maxLength: 4 }).pipe(Arbitrary.map((units) => String.fromCharCode(...units)))
// The reference takes an empty view for one that was given away.
const bytes = Arbitrary.array(oneOf(0, 1, 0x7f, 0xfe, 0xff), { maxLength: 4 }).pipe(
  Arbitrary.map((_) => Uint8Array.from(_))
)
const number = Arbitrary.all([
  Arbitrary.schema(Schema.Number),
  oneOf(undefined, 0, -0, 1, -1, 0.1, 255, 256, -256, Infinity, -Infinity, 5e-324, -5e-324, Number.MAX_SAFE_INTEGER)
]).pipe(Arbitrary.map(([any, special]) => special ?? (Number.isNaN(any) ? 0 : any)))
const simple: Arbitrary.Arbitrary<unknown> = Arbitrary.all([oneOf(0, 1, 2, 3, 4), number, text, bytes]).pipe(
  Arbitrary.map(([kind, number, text, bytes]) =>
    [
      number,
      new Date(Math.trunc(Math.max(-8e15, Math.min(8e15, number)))),
      text,
      bytes.length > 0 ? bytes : bytes.buffer,
      bytes.buffer
    ][kind]
  )
)
const nested: Arbitrary.Arbitrary<unknown> = Arbitrary.array(simple, { maxLength: 3 })
const key: Arbitrary.Arbitrary<unknown> = Arbitrary.all([
  oneOf("simple", "array", "arrays"),
  simple,
  Arbitrary.array(nested, { maxLength: 2 })
]).pipe(Arbitrary.map(([kind, simple, arrays]) => kind === "simple" ? simple : kind === "array" ? [simple] : arrays))

describe("keys", () => {
  it.prop("stand in the order of IndexedDB", [key, key], ([a, b]) => {
    assert.strictEqual(Math.sign(order(a, b)), reference.cmp(a, b))
  }, { arbitrary: { runs: 3000 } })

  it.prop("come back as they were", [key], ([key]) => {
    const again = decodeKey(encodeKey(key))
    assert.strictEqual(reference.cmp(again, key), 0)
    assert.strictEqual(order(again, key), 0)
  }, { arbitrary: { runs: 2000 } })

  it.prop("begin with no other key, so that the bytes of an array have one reading", [key, key], ([a, b]) => {
    const [short, long] = [encodeKey(a), encodeKey(b)]
    assert.isTrue(order(a, b) === 0 || Buffer.compare(long.subarray(0, short.length), short) !== 0)
  }, { arbitrary: { runs: 1000 } })

  it("of each kind stand after those of the kind before", () => {
    const kinds = [
      [-Infinity, -1, 0, Infinity],
      [new Date(-1), new Date(1)],
      ["", "\0", "a", "aa", "\ud83e\udd8a", "\uffff"],
      [Uint8Array.of(), Uint8Array.of(0), Uint8Array.of(0, 0), Uint8Array.of(1)],
      [[], [1], [1, 1], ["a"], [[]]]
    ].flat()
    for (const [at, a] of kinds.entries()) {
      for (const [other, b] of kinds.entries()) assert.strictEqual(order(a, b), Math.sign(at - other))
    }
  })

  it("are one for zero and minus zero, and for a buffer and a view of it", () => {
    assert.strictEqual(order(0, -0), 0)
    assert.strictEqual(order(Uint8Array.of(1, 2), Uint8Array.of(0, 1, 2, 3).subarray(1, 3)), 0)
    assert.strictEqual(order(Uint8Array.of(1, 2), Uint8Array.of(1, 2).buffer), 0)
  })

  it.each([
    ["undefined", undefined],
    ["null", null],
    ["a boolean", true],
    ["NaN", NaN],
    ["an invalid date", new Date(NaN)],
    ["an object", {}],
    ["a bigint", 1n],
    ["a symbol", Symbol.iterator],
    ["a regular expression", /a/],
    ["an array of what is none", [1, {}]],
    ["an array with holes", holes],
    ["an array in itself", circle],
    ["an array with another in it twice", [twice, twice]],
    ["a buffer that was given away", detached]
  ])("are not made of %s", (_, value) => {
    assert.strictEqual(thrownBy(() => encodeKey(value)), "DataError")
    assert.isUndefined(encodeIfKey(value))
  })
})
