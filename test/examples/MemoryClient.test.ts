import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { AppConfig, botId, Homeserver, homeserver, MatrixClient, Store } from "homing/testing"

const client = MatrixClient.layerMemory.pipe(
  Layer.provideMerge(Layer.mergeAll(AppConfig.layerTest(), Store.layerMemory, homeserver))
)

it.effect("finds the room that Alice has invited the bot to", () =>
  Effect.gen(function*() {
    const alice = yield* (yield* Homeserver).as("alice")
    const room = yield* alice.createRoom({ name: "Game night", invite: [botId] })
    yield* (yield* MatrixClient.MatrixSession).authenticate
    yield* (yield* MatrixClient.MatrixProvisioning).join(room)
    yield* (yield* MatrixClient.MatrixSync).initialSync(undefined)
    const found = yield* (yield* MatrixClient.MatrixRooms).view(room)
    assert.strictEqual(found?.name, "Game night")
  }).pipe(Effect.provide(client)))
