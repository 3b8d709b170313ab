import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Layer } from "effect"
import { Homeserver } from "../../../src/layers/Homeserver.ts"
import { Door } from "../../../src/layers/Homeserver/Door.ts"

const world = Door.layer().pipe(
  Layer.provideMerge(Homeserver.layer({ users: [{ name: "bot", password: "open sesame" }] }))
)

const silent = {
  trace: () => {},
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  getChild: () => silent
}

/** The real SDK, signed in as the bot, that ends with the scope. */
const sdkClient = Effect.gen(function*() {
  const { url } = yield* Door
  const sdk = yield* Effect.promise(() => import("matrix-js-sdk/lib/matrix.js"))
  const anonymous = new sdk.MatrixClient({ baseUrl: url, logger: silent })
  const session = yield* Effect.promise(() =>
    anonymous.loginRequest({
      type: "m.login.password",
      identifier: { type: "m.id.user", user: "bot" },
      password: "open sesame",
      device_id: "HOMING"
    })
  )
  const client = new sdk.MatrixClient({
    baseUrl: url,
    accessToken: session.access_token,
    userId: session.user_id,
    deviceId: session.device_id,
    logger: silent,
    disableVoip: true
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => client.startClient({ disablePresence: true })),
    () => Effect.sync(() => client.stopClient())
  )
  return { sdk, client }
})

layer(world, { excludeTestServices: true })("the real SDK", (it) => {
  it.effect("signs in, syncs, reads a message and answers it", () =>
    Effect.gen(function*() {
      const homeserver = yield* Homeserver
      const alice = yield* homeserver.as("alice")
      const { client, sdk } = yield* sdkClient
      const prepared = yield* Deferred.make<void>()
      const heard = yield* Deferred.make<string>()
      client.on(sdk.ClientEvent.Sync, (state) => {
        if (state === sdk.SyncState.Prepared) Deferred.doneUnsafe(prepared, Effect.void)
      })
      client.on(sdk.RoomEvent.Timeline, (event, room) => {
        if (event.getSender() !== alice.userId || event.getType() !== "m.room.message") return
        Deferred.doneUnsafe(heard, Effect.succeed(`${room?.name}: ${String(event.getContent()["body"])}`))
      })
      yield* Deferred.await(prepared)

      const room = yield* alice.createRoom({ name: "Tea", invite: ["@bot:homing.test"] })
      yield* alice.waitFor(room, (event) => event.state_key === "@bot:homing.test")
      yield* Effect.promise(() => client.joinRoom(room))
      yield* alice.say(room, "ping")
      assert.strictEqual(yield* Deferred.await(heard), "Tea: ping")

      yield* Effect.promise(() => client.sendTextMessage(room, "pong"))
      const reply = yield* alice.waitFor(room, (event) => event.content["body"] === "pong")
      assert.strictEqual(reply.sender, "@bot:homing.test")

      // What the SDK asks for, the model knows; the unstable it may do without.
      const missing = (yield* homeserver.requests).filter(({ path, status }) =>
        status === 404 && !path.includes("/unstable/")
      )
      assert.deepStrictEqual(missing, [])
    }))
})
