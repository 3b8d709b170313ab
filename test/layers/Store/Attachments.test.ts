import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import type { Upload } from "../../../src/domain/Attachment.ts"
import { EventId, MxcUri } from "../../../src/domain/Ids.ts"
import { answered } from "../../../src/domain/Settlement.ts"
import { AppConfig } from "../../../src/layers/AppConfig.ts"
import { Store } from "../../../src/layers/Store.ts"
import { batch, message, reply, roomA, temporaryDirectory } from "./Samples.ts"

const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 256)
const sealed: Upload = {
  _tag: "Sealed",
  url: MxcUri.make("mxc://example.org/abc"),
  key: "Voq2nkPme_x8no5-Tjq_laDAdxE6iDbxnlQXxwFPgE4",
  iv: "i0DovxYdJEcAAAAAAAAAAA",
  sha256: "ANdt819a8bZl4jKy3Z+jcqtiNICa2y0AW4BBJ/iQRAU"
}
const withFile = { ...reply("t1"), file: { bytes, mimetype: "image/png" } }

/** A store on disk with a text and a file that wait, the file first. */
const aStoreWithFile = Effect.gen(function*() {
  const store = yield* Store
  yield* store.inbox.ingest(batch([message("$1")]))
  yield* store.inbox.settle("$1", answered([withFile, reply("t2")]))
  return store
})

const onDisk = Effect.fnUntraced(function*<A, E>(test: (dataDir: string) => Effect.Effect<A, E, Store>) {
  const dataDir = yield* temporaryDirectory
  return yield* Effect.provide(test(dataDir), Layer.provide(Store.layer, AppConfig.layerTest({ dataDir })))
})

/** What the database itself holds. */
const countIn = (dataDir: string) => {
  const database = new DatabaseSync(join(dataDir, "homing.db"), { readOnly: true })
  const rows = database.prepare("SELECT count(*) AS rows FROM attachments").get()
  const uploads = database.prepare("SELECT count(upload) AS rows FROM outbox").get()
  database.close()
  return [rows?.["rows"], uploads?.["rows"]]
}

it.effect("the file of a message waits with it, and the message tells where it is by now", () =>
  onDisk(() =>
    Effect.gen(function*() {
      const { outbox } = yield* aStoreWithFile
      assert.deepInclude(yield* outbox.next(roomA), { message: reply("t1"), upload: { _tag: "Waiting" } })
      assert.deepStrictEqual(yield* outbox.file(withFile.transactionId), { bytes, mimetype: "image/png" })
      yield* outbox.uploaded(withFile.transactionId, sealed)
      assert.deepInclude(yield* outbox.next(roomA), { upload: sealed })
    })
  ))

it.effect("a message without a file has none, and says nothing of one", () =>
  onDisk(() =>
    Effect.gen(function*() {
      const { outbox } = yield* aStoreWithFile
      yield* outbox.sent(withFile.transactionId, EventId.make("$sent"))
      assert.notProperty(yield* outbox.next(roomA), "upload")
    })
  ))

it.effect("a file that was sent is forgotten, and what opens it", () =>
  onDisk((dataDir) =>
    Effect.gen(function*() {
      const { outbox } = yield* aStoreWithFile
      yield* outbox.uploaded(withFile.transactionId, sealed)
      assert.deepStrictEqual(countIn(dataDir), [1, 1])
      yield* outbox.sent(withFile.transactionId, EventId.make("$sent"))
      assert.deepStrictEqual(countIn(dataDir), [0, 0])
      assert.isUndefined(yield* outbox.file(withFile.transactionId))
    })
  ))

it.effect("a file that was dropped is forgotten, too", () =>
  onDisk((dataDir) =>
    Effect.gen(function*() {
      const { outbox } = yield* aStoreWithFile
      assert.isTrue(yield* outbox.drop(withFile.transactionId))
      assert.deepStrictEqual(countIn(dataDir), [0, 0])
      assert.isFalse(yield* outbox.drop(withFile.transactionId))
    })
  ))

it.effect("a file that could not be delivered is kept for another attempt, and goes with its message", () =>
  onDisk((dataDir) =>
    Effect.gen(function*() {
      const store = yield* aStoreWithFile
      yield* store.outbox.dead(withFile.transactionId, "forbidden")
      assert.isUndefined(yield* store.outbox.file(withFile.transactionId))
      assert.isTrue(yield* store.outbox.retry(withFile.transactionId))
      assert.deepStrictEqual((yield* store.outbox.file(withFile.transactionId))?.bytes, bytes)
      yield* store.outbox.dead(withFile.transactionId, "forbidden")
      yield* store.outbox.drop(reply("t2").transactionId)
      assert.deepStrictEqual(yield* store.prune({ before: 1e15, keep: 0 }), { inbox: 1, outbox: 2 })
      assert.deepStrictEqual(countIn(dataDir), [0, 0])
    })
  ))

it.effect("a message that is settled again keeps the file it had", () =>
  onDisk((dataDir) =>
    Effect.gen(function*() {
      const store = yield* aStoreWithFile
      yield* store.inbox.ingest(batch([message("$2")]))
      yield* store.inbox.settle("$2", answered([{ ...withFile, file: { bytes: new Uint8Array(3), mimetype: "a/b" } }]))
      assert.deepStrictEqual((yield* store.outbox.file(withFile.transactionId))?.bytes, bytes)
      assert.deepStrictEqual(countIn(dataDir), [1, 1])
    })
  ))

it.effect("everything can be forgotten while files wait", () =>
  onDisk((dataDir) =>
    Effect.gen(function*() {
      const store = yield* aStoreWithFile
      yield* store.forget("session")
      assert.deepStrictEqual(countIn(dataDir), [0, 0])
    })
  ))
