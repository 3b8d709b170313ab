import { assert, layer } from "@effect/vitest"
import { Duration, Effect, Layer, Queue } from "effect"
import { RoomId, UserId } from "../../../src/domain/Ids.ts"
import type { RawEvent, SyncBatch } from "../../../src/domain/SyncBatch.ts"
import { AppConfig } from "../../../src/layers/AppConfig.ts"
import { Door } from "../../../src/layers/Homeserver/Door.ts"
import * as MatrixClient from "../../../src/layers/MatrixClient.ts"
import { Store } from "../../../src/layers/Store.ts"
import { sdkPerson } from "../../programs/SdkPerson.ts"
import { Wire, wiredWorld } from "../../programs/Wire.ts"

const user = UserId.make("@bot:homing.test")

/** The bot's client alone: it signs in and syncs, and nobody opens what comes. */
const clientOf = Effect.gen(function*() {
  const { url } = yield* Door
  const settings = { homeserverUrl: new URL(url), userId: user, syncTimeout: Duration.seconds(2) }
  return yield* Layer.build(MatrixClient.layer.pipe(
    Layer.provide(Store.layerMemory),
    Layer.provide(AppConfig.layerTest(settings))
  ))
})

layer(wiredWorld(["bot", "ann"]), { excludeTestServices: true })("an event that cannot be read", (it) => {
  it.effect("is tried once when its key comes, however often it was looked at before", () =>
    Effect.gen(function*() {
      const wire = yield* Wire
      const client = yield* clientOf
      yield* Effect.gen(function*() {
        const crypto = yield* MatrixClient.MatrixCrypto
        const sync = yield* MatrixClient.MatrixSync
        const came = yield* Queue.unbounded<RawEvent>()
        const take = ({ timelines }: SyncBatch) =>
          Queue.offerAll(came, timelines.flatMap(({ events }) => events)).pipe(Effect.asVoid)
        const arrived = (id: string): Effect.Effect<RawEvent> =>
          Effect.flatMap(Queue.take(came), (event) => event.event_id === id ? Effect.succeed(event) : arrived(id))
        yield* (yield* MatrixClient.MatrixSession).authenticate
        yield* sync.initialSync(undefined)
        yield* Effect.forkScoped(sync.loop(take))

        const ann = yield* sdkPerson("ann", "password")
        const join = Effect.fnUntraced(function*(name: string) {
          const room = RoomId.make(yield* ann.createRoom(name, user))
          yield* (yield* MatrixClient.MatrixProvisioning).join(room)
          yield* ann.sees(room, user)
          return room
        })
        const often = yield* join("Often")
        const once = yield* join("Once")
        yield* wire.holdKeysOf(ann.userId)
        const first = yield* arrived(yield* ann.say(often, "looked at often"))
        for (let looks = 0; looks < 10; looks++) yield* Effect.flip(crypto.decrypt(often, first))
        yield* wire.releaseKeys
        assert.strictEqual(yield* crypto.nextReadable, often)
        assert.strictEqual((yield* crypto.decrypt(often, first)).content["body"], "looked at often")

        yield* wire.holdKeysOf(ann.userId)
        const second = yield* arrived(yield* ann.say(once, "looked at once"))
        yield* Effect.flip(crypto.decrypt(once, second))
        yield* wire.releaseKeys
        // Had the first been tried ten times, it would be told of nine more times before.
        assert.strictEqual(yield* crypto.nextReadable, once)
      }).pipe(Effect.provide(client))
    }).pipe(Effect.scoped), 30_000)
})
