import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Redacted, Result } from "effect"
import {
  attachmentText,
  captionOf,
  cleanFileName,
  cleanMimetype,
  encryptedFileOf,
  kindOf,
  readAttachment,
  sizeText
} from "../../src/domain/Attachment.ts"
import { EventId, MxcUri, RoomId, UserId } from "../../src/domain/Ids.ts"
import { readMessage } from "../../src/domain/Policy.ts"
import type { RawEvent } from "../../src/domain/SyncBatch.ts"
import { hostileJson, oneOf } from "./Reconciliation/World.ts"

const url = MxcUri.make("mxc://example.org/abc_DEF-123")
const secrets = {
  key: "Voq2nkPme_x8no5-Tjq_laDAdxE6iDbxnlQXxwFPgE4",
  iv: "i0DovxYdJEcAAAAAAAAAAA",
  sha256: "ANdt819a8bZl4jKy3Z+jcqtiNICa2y0AW4BBJ/iQRAU"
}
const sealed = encryptedFileOf({ _tag: "Sealed", url, ...secrets })
const picture = { msgtype: "m.image", body: "cat.png", url, info: { mimetype: "image/png", size: 714 } }

const read = (content: RawEvent["content"]) =>
  readMessage(
    {
      event_id: EventId.make("$event"),
      type: "m.room.message",
      sender: UserId.make("@ann:example.org"),
      origin_server_ts: 1000,
      content
    },
    RoomId.make("!room:example.org"),
    "live"
  )
const message = (content: RawEvent["content"]) => Result.getOrThrow(read(content))

describe("a message that carries a file", () => {
  it("says where it is and what it is said to be, and has no words of its own", () => {
    const { attachment, body } = message(picture)
    assert.strictEqual(body, "")
    assert.deepStrictEqual(attachment, {
      kind: "image",
      name: "cat.png",
      mimetype: "image/png",
      size: 714,
      url,
      secrets: undefined
    })
  })

  it("has what opens it when it is encrypted, and shows that to nobody who prints it", () => {
    const { attachment } = message({ ...picture, url: undefined, file: sealed })
    assert.strictEqual(attachment?.url, url)
    assert.deepStrictEqual(attachment?.secrets && Redacted.value(attachment.secrets), secrets)
    assert.notInclude(JSON.stringify(attachment), secrets.key)
  })

  it("is never looked for in clear when it is said to be encrypted", () => {
    assert.deepStrictEqual(read({ ...picture, file: { ...sealed, v: "v1" } }), Result.fail("malformed"))
  })

  it.each([
    ["a name alone is no caption", { body: "cat.png" }, ""],
    ["nor is one that is given twice", { body: "cat.png", filename: "cat.png" }, ""],
    ["what is said besides the name is", { body: "my cat", filename: "cat.png" }, "my cat"],
    ["a name that is none leaves the body as the name", { body: "cat.png", filename: "" }, ""]
  ])("%s", (_, content, caption) => {
    assert.strictEqual(message({ ...picture, ...content }).body, caption)
    assert.strictEqual(message({ ...picture, ...content }).attachment?.name, "cat.png")
    assert.strictEqual(captionOf({ ...picture, ...content }, content.body), caption)
  })

  it.each([
    ["without a place", { url: undefined }],
    ["with a place on the web", { url: "https://evil.example/cat.png" }],
    ["with a place that leaves its path", { url: "mxc://example.org/../../admin" }],
    ["with a place that is no string", { url: ["mxc://example.org/abc"] }],
    ["with a key that is too short", { file: { ...sealed, key: { ...sealed.key, k: "AAAA" } } }],
    ["with another cipher", { file: { ...sealed, key: { ...sealed.key, alg: "A128CTR" } } }],
    ["without a hash", { file: { ...sealed, hashes: {} } }],
    ["with a counter of another length", { file: { ...sealed, iv: "AAAA" } }],
    ["without a body", { body: undefined }]
  ])("is malformed %s", (_, wrong) => {
    assert.deepStrictEqual(read({ ...picture, ...wrong }), Result.fail("malformed"))
  })

  it("keeps nothing of an untrue description", () => {
    const { attachment } = message({ ...picture, info: { mimetype: "image/png\r\nX-Evil: 1", size: -1 } })
    assert.include(attachment, { mimetype: undefined, size: undefined })
    assert.include(message({ ...picture, info: 7 }).attachment, { mimetype: undefined, size: undefined })
    assert.include(message({ ...picture, info: { size: 1e300 } }).attachment, { size: undefined })
  })

  it.prop("is read or refused, whatever stands in it", [
    oneOf("msgtype", "body", "url", "file", "info", "filename", "mimetype", "size", "key", "iv", "hashes", "v", "k"),
    hostileJson
  ], ([name, hostile]) => {
    const whole: Record<string, unknown> = { ...picture, filename: "cat.png", file: sealed, [name]: hostile() }
    const info = { ...picture.info, [name]: hostile() }
    const key = { ...sealed.key, [name]: hostile() }
    for (const content of [whole, { ...picture, info }, { ...picture, file: { ...sealed, key, [name]: hostile() } }]) {
      const reading = read(content)
      if (Result.isFailure(reading)) continue
      assert.isAtMost(reading.success.attachment?.name.length ?? 0, 255)
    }
  }, { arbitrary: { runs: 500 } })
})

describe("the name of a file", () => {
  it.each([
    ["cat.png", "cat.png"],
    ["../../etc/passwd", ".._.._etc_passwd"],
    ["C:\\cat.png", "C:_cat.png"],
    ["a\u0000b\nc", "abc"],
    ["gpj.\u202Eexe", "gpj.exe"],
    ["..", "attachment"],
    ["  ", "attachment"],
    ["\u{1f98a}".repeat(200), "\u{1f98a}".repeat(127) + "\ufffd"]
  ])("%j becomes %j", (name, clean) => {
    assert.strictEqual(cleanFileName(name), clean)
  })

  it.prop("is one line, no path, and stays as it is when cleaned again", [
    Arbitrary.array(oneOf("a", ".", "/", "\\", "\n", "\u202e", " ", "\ud83e", "ü"), { maxLength: 300 })
  ], ([parts]) => {
    const name = cleanFileName(parts.join(""))
    assert.match(name, /^[^/\\\n\u202e]+$/)
    assert.isFalse(name === "." || name === "..")
    assert.strictEqual(cleanFileName(name), name)
  })
})

describe("the type of a file", () => {
  it("is kept without what could end a header", () => {
    assert.strictEqual(cleanMimetype("Image/PNG; q=1"), "image/png")
    assert.isUndefined(cleanMimetype("image/png\r\nx: y"))
    assert.isUndefined(cleanMimetype("picture"))
    assert.isUndefined(cleanMimetype(`image/${"x".repeat(200)}`))
  })

  it("tells how it is sent", () => {
    assert.deepStrictEqual(
      ["image/png", "audio/ogg", "video/mp4", "text/plain", "application/pdf"].map(kindOf),
      ["image", "audio", "video", "file", "file"]
    )
  })
})

it("the size of a file is said in few digits", () => {
  assert.deepStrictEqual(
    [0, 1, 714, 12_345, 999_499, 999_500, 3_400_000, 20_000_000].map(sizeText),
    ["0 bytes", "1 byte", "714 bytes", "12 kB", "999 kB", "1 MB", "3.4 MB", "20 MB"]
  )
})

it("an attachment in words shows its name as it is, and what is known", () => {
  const attachment = readAttachment({ ...picture, filename: "*`cat`*.png" }, "")
  assert(attachment !== undefined)
  assert.strictEqual(attachmentText(attachment), "an image, `` *`cat`*.png `` (image/png, 714 bytes)")
  assert.strictEqual(
    attachmentText({ ...attachment, kind: "file", mimetype: undefined, size: undefined }),
    "a file, `` *`cat`*.png ``"
  )
})
