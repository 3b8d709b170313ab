import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { EventId } from "../../../src/domain/Ids.ts"
import { answered, ignored } from "../../../src/domain/Settlement.ts"
import { type InboxRow, Store } from "../../../src/layers/Store.ts"
import { batch, bot, message, roomA, roomB } from "./Samples.ts"

const inStore = <E>(body: (store: Store["Service"]) => Effect.fn.Return<void, E>) =>
  Effect.flatMap(Store, Effect.fnUntraced(body)).pipe(Effect.provide(Store.layerMemory))

describe("encrypted messages", () => {
  const sealed = (id: string, ciphertext: string, row: Partial<InboxRow> = {}): InboxRow => {
    const { event, ...rest } = { ...message(id), ...row }
    return event === undefined
      ? assert.fail("a message has an event")
      : { ...rest, event: { ...event, type: "m.room.encrypted", content: { ciphertext } } }
  }
  const reasons = (store: Store["Service"], ...keys: ReadonlyArray<string>) =>
    Effect.forEach(keys, (key) => Effect.map(store.inbox.find(key), (record) => record?.reason))

  it.effect(
    "count once, also when the first was settled, and when their bytes are written in another way",
    () =>
      inStore(function*(store) {
        assert.deepStrictEqual(yield* store.inbox.ingest(batch([sealed("$1", "AAEC/w")])), [])
        const again = sealed("$2", "AAEC/w==")
        assert.deepStrictEqual(yield* store.inbox.ingest(batch([again])), [{
          row: again,
          reason: "replayed"
        }])
        yield* store.inbox.settle("$1", answered([]))
        yield* store.inbox.ingest(batch([sealed("$3", "AAEC/w"), sealed("$4", "AAEC/g")]))
        assert.deepStrictEqual(yield* reasons(store, "$1", "$2", "$3", "$4"), [
          undefined,
          "replayed",
          "replayed",
          undefined
        ])
        // The server repeats an answer: the event itself is no repetition of itself.
        assert.deepStrictEqual(yield* store.inbox.ingest(batch([sealed("$4", "AAEC/g"), again])), [])
        assert.strictEqual((yield* store.inbox.find("$4"))?.state, "pending")
      })
  )

  it.effect(
    "of others, and of other rooms, are others",
    () =>
      inStore(function*(store) {
        yield* store.inbox.ingest(batch([
          sealed("$1", "AAEC"),
          sealed("$2", "AAEC", { sender: bot }),
          sealed("$3", "AAEC", { roomId: roomB })
        ]))
        assert.deepStrictEqual(yield* reasons(store, "$1", "$2", "$3"), [undefined, undefined, undefined])
      })
  )

  it.effect(
    "can come again when they are forgotten",
    () =>
      inStore(function*(store) {
        yield* store.inbox.ingest(batch([sealed("$1", "AAEC")]))
        yield* store.inbox.settle("$1", answered([]))
        yield* store.prune({ before: 1e15, keep: 0 })
        yield* store.inbox.ingest(batch([sealed("$2", "AAEC")]))
        assert.strictEqual((yield* store.inbox.find("$2"))?.state, "pending")
      })
  )

  it.effect(
    "tell whether the newest that came to a running bot were read",
    () =>
      inStore(function*(store) {
        assert.deepStrictEqual(yield* store.inbox.decryptions(9), [])
        yield* store.inbox.ingest(batch([
          sealed("$read", "AAEA"),
          sealed("$locked", "AAEB"),
          sealed("$late", "AAEC"),
          sealed("$missed", "AAED", { provenance: "missed" }),
          sealed("$again", "AAEA"),
          sealed("$redacted", "AAEE"),
          message("$clear"),
          sealed("$untouched", "AAEF")
        ], {
          redactions: [{
            redaction: EventId.make("$redaction"),
            roomId: roomA,
            target: EventId.make("$redacted"),
            follow: false
          }]
        }))
        yield* store.inbox.settle("$read", ignored("notice"))
        yield* store.inbox.settle("$clear", answered([]))
        for (const key of ["$locked", "$late", "$missed"]) yield* store.inbox.setAside(key, [])
        assert.deepStrictEqual(yield* store.inbox.decryptions(9), [true, false, false])
        assert.strictEqual(yield* store.inbox.asideIn(roomA), 2)
        yield* store.inbox.takeUpAll
        assert.deepStrictEqual(yield* store.inbox.decryptions(9), [true, false, false])
        yield* store.inbox.settle("$late", answered([]))
        assert.deepStrictEqual(yield* store.inbox.decryptions(9), [true, false, true])
        assert.deepStrictEqual(yield* store.inbox.decryptions(2), [false, true])
        assert.strictEqual(yield* store.inbox.asideIn(roomA), 1)
        assert.strictEqual(yield* store.inbox.asideIn(roomB), 0)
      })
  )

  it.effect(
    "make their rooms known for good, and the first in clear there is told of",
    () =>
      inStore(function*(store) {
        const encrypted = Effect.map(store.encryptedRooms([roomA, roomB]), (rooms) => [...rooms])
        assert.deepStrictEqual(yield* encrypted, [])
        const inClear = (id: string) => ({ row: message(id), reason: "not_encrypted", tell: true })
        yield* store.inbox.ingest(batch([], { encrypted: [roomA] }))
        assert.lengthOf(
          yield* store.inbox.ingest(batch([], { encrypted: [roomA], ignored: [inClear("$1"), inClear("$2")] })),
          1
        )
        assert.deepStrictEqual(
          yield* store.inbox.ingest(batch([], { encrypted: [roomA], ignored: [inClear("$3")] })),
          []
        )
        assert.deepStrictEqual(yield* reasons(store, "$1", "$2", "$3"), Array(3).fill("not_encrypted"))
        assert.deepStrictEqual(yield* encrypted, [roomA])
        yield* store.forget("session")
        assert.deepStrictEqual(yield* encrypted, [roomA])
        yield* store.forget("nothing")
        assert.deepStrictEqual(yield* encrypted, [])
      })
  )
})
