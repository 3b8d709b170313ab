import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { RoomId, SyncToken, UserId } from "../../src/domain/Ids.ts"
import { Checkpoint } from "../../src/layers/Checkpoint.ts"
import { Store } from "../../src/layers/Store.ts"

/** The places that an effect passes. */
const placesOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const places: Array<string> = []
    return Effect.as(Effect.provideService(effect, Checkpoint, (place) => void places.push(place)), places)
  })

describe("Checkpoint", () => {
  it.effect("stands before, inside and after a transaction of the store", () =>
    Effect.gen(function*() {
      const { inbox } = yield* Store
      const places = yield* placesOf(inbox.ingest({
        rows: [{
          key: "$a",
          kind: "message",
          roomId: RoomId.make("!a:hs.test"),
          sender: UserId.make("@a:hs.test"),
          event: undefined,
          provenance: "live"
        }],
        ignored: [],
        echoes: [],
        edits: [],
        redactions: [],
        reactions: [],
        answered: [],
        gaps: [],
        encrypted: [],
        cursor: SyncToken.make("s1")
      }))
      assert.strictEqual(places[0], "Store.inbox.ingest:before")
      assert.strictEqual(places.at(-1), "Store.inbox.ingest:after")
      assert.deepStrictEqual([...new Set(places.slice(1, -1))], ["Store.inbox.ingest:inside"])
    }).pipe(Effect.provide(Store.layerMemory)))

  it.effect("stands around a statement that is a transaction by itself", () =>
    Effect.gen(function*() {
      const { inbox } = yield* Store
      const places = yield* placesOf(inbox.begin(RoomId.make("!a:hs.test")))
      assert.deepStrictEqual(places, ["Store.inbox.begin:before", "Store.inbox.begin:after"])
    }).pipe(Effect.provide(Store.layerMemory)))

  it.effect("is not passed after what was undone", () =>
    Effect.gen(function*() {
      const store = yield* Store
      const places = yield* placesOf(Effect.exit(store.transaction(Effect.fail("no"))).pipe(Effect.withSpan("undone")))
      assert.deepStrictEqual(places, ["undone:before"])
    }).pipe(Effect.provide(Store.layerMemory)))
})
