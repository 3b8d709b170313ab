import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fs from "node:fs"
import { join } from "node:path"
import { keyFromFile } from "../../../src/layers/MatrixClient/CryptoKey.ts"
import { makeFile } from "../../../src/layers/MatrixClient/NewFile.ts"
import { temporaryDirectory } from "../Store/Samples.ts"

describe("a key file", () => {
  it.effect("is there whole, or not there: what a life left that ended in the middle is begun anew", () =>
    Effect.gen(function*() {
      const path = join(yield* temporaryDirectory, "crypto.key")
      Fs.writeFileSync(`${path}.unfinished`, "half a k", { mode: 0o644 })
      assert.isTrue(makeFile(path, "a key\n"))
      assert.strictEqual(Fs.readFileSync(path, "utf8"), "a key\n")
      assert.strictEqual(Fs.statSync(path).mode & 0o777, 0o600)
      assert.isFalse(Fs.existsSync(`${path}.unfinished`))
    }))

  it.effect("is never written over", () =>
    Effect.gen(function*() {
      const path = join(yield* temporaryDirectory, "crypto.key")
      const key = yield* keyFromFile(path)
      assert.isFalse(makeFile(path, "another\n"))
      assert.deepStrictEqual(yield* keyFromFile(path), key)
    }))

  it.effect("that is empty or holds no key is told, with what to do, and not one byte of it", () =>
    Effect.gen(function*() {
      const path = join(yield* temporaryDirectory, "crypto.key")
      Fs.writeFileSync(path, "")
      const empty = yield* Effect.flip(keyFromFile(path))
      assert.match(empty.message, /crypto\.key is empty\. .*homing sign-out/)
      Fs.writeFileSync(path, "c2VjcmV0\n")
      const short = yield* Effect.flip(keyFromFile(path))
      assert.match(short.message, /holds no key: it must be 32 bytes.*homing sign-out/)
      assert.notInclude(short.message, "c2VjcmV0")
    }))
})
