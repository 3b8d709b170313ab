import { assert, describe, it } from "@effect/vitest"
import { Attachment, EncryptedAttachment, initAsync } from "@matrix-org/matrix-sdk-crypto-wasm"
import { Redacted, Schema } from "effect"
import { encryptedFileOf, type FileSecrets, readAttachment } from "../../../src/domain/Attachment.ts"
import { MxcUri } from "../../../src/domain/Ids.ts"
import { openFile, sealFile } from "../../../src/layers/MatrixClient/FileCrypto.ts"

const url = MxcUri.make("mxc://example.org/abc")
const text = (bytes: Uint8Array | undefined) => bytes === undefined ? undefined : new TextDecoder().decode(bytes)

/** What an event says of the file, as the reader of events takes it. */
const secretsIn = (file: unknown): FileSecrets => {
  const attachment = readAttachment({ msgtype: "m.file", file }, "x")
  assert(attachment?.secrets !== undefined, "the file is not read")
  return Redacted.value(attachment.secrets)
}

describe("an encrypted file", () => {
  // From the tests of matrix-rust-sdk (crates/matrix-sdk-crypto/src/file_encryption/attachments.rs).
  it("is opened as another implementation has sealed it", () => {
    const ciphertext = Buffer.from("s5p2f7p/biHLISGGQ2StLusb16wkGksvIaA=", "base64")
    const secrets = {
      key: "Voq2nkPme_x8no5-Tjq_laDAdxE6iDbxnlQXxwFPgE4",
      iv: "i0DovxYdJEcAAAAAAAAAAA",
      sha256: "ANdt819a8bZl4jKy3Z+jcqtiNICa2y0AW4BBJ/iQRAU"
    }
    assert.strictEqual(text(openFile(ciphertext, secrets)), "It's a secret to everybody")
  })

  it("passes between this and the crypto of matrix-rust-sdk, both ways", async () => {
    await initAsync()
    for (const size of [0, 1, 15, 16, 17, 100_000]) {
      const bytes = Uint8Array.from({ length: size }, (_, index) => index % 251)
      const theirs = Attachment.encrypt(bytes)
      const info: unknown = JSON.parse(theirs.mediaEncryptionInfo ?? "")
      assert(typeof info === "object")
      assert.deepStrictEqual(openFile(theirs.encryptedData, secretsIn({ ...info, url })), bytes)

      const { ciphertext, secrets } = sealFile(bytes)
      const file = encryptedFileOf({ _tag: "Sealed", url, ...secrets })
      assert.deepStrictEqual(Attachment.decrypt(new EncryptedAttachment(ciphertext, JSON.stringify(file))), bytes)
    }
  })

  it.prop("is refused when any bit of it was changed on the way", [
    Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 99 }))),
    Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 7 })))
  ], ([at, bit]) => {
    const { ciphertext, secrets } = sealFile(new Uint8Array(100))
    assert.isDefined(openFile(ciphertext, secrets))
    const changed = Uint8Array.from(ciphertext, (byte, index) => index === at ? byte ^ (1 << bit) : byte)
    assert.isUndefined(openFile(changed, secrets))
    assert.isUndefined(openFile(ciphertext.subarray(0, at), secrets))
  })

  it("has a key and a counter of its own, and the counter has room for every block", () => {
    const [one, other] = [sealFile(new Uint8Array(10)), sealFile(new Uint8Array(10))]
    assert.notStrictEqual(one.secrets.key, other.secrets.key)
    assert.notStrictEqual(one.secrets.iv, other.secrets.iv)
    assert.isTrue(Buffer.from(one.secrets.iv, "base64").subarray(8).equals(Buffer.alloc(8)))
  })
})
