import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Layer } from "effect"
import { Homeserver } from "../../../src/layers/Homeserver.ts"
import { Door } from "../../../src/layers/Homeserver/Door.ts"

const world = Door.layer().pipe(
  Layer.provideMerge(Homeserver.layer({
    users: [
      { name: "bot", password: "open sesame" },
      { name: "alice", password: "open sesame" }
    ]
  }))
)

const silent = {
  trace: () => {},
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  getChild: () => silent
}

/** The real SDK, signed in as a user and synced once; it ends with the scope. */
const sdkClient = Effect.fnUntraced(function*(user: string, options: { readonly encryption: boolean }) {
  const { url } = yield* Door
  const sdk = yield* Effect.promise(() => import("matrix-js-sdk/lib/matrix.js"))
  const { logger } = yield* Effect.promise(() => import("matrix-js-sdk/lib/logger.js"))
  if ("methodFactory" in logger && "rebuild" in logger && typeof logger.rebuild === "function") {
    logger.methodFactory = () => () => {}
    logger.rebuild()
  }
  const anonymous = new sdk.MatrixClient({ baseUrl: url, logger: silent })
  const session = yield* Effect.promise(() =>
    anonymous.loginRequest({
      type: "m.login.password",
      identifier: { type: "m.id.user", user },
      password: "open sesame"
    })
  )
  const client = new sdk.MatrixClient({
    baseUrl: url,
    accessToken: session.access_token,
    userId: session.user_id,
    deviceId: session.device_id,
    store: new sdk.MemoryStore(),
    logger: silent,
    disableVoip: true
  })
  if (options.encryption) yield* Effect.promise(() => client.initRustCrypto({ useIndexedDB: false }))
  const prepared = yield* Deferred.make<void>()
  client.on(sdk.ClientEvent.Sync, (state) => {
    if (state === sdk.SyncState.Prepared) Deferred.doneUnsafe(prepared, Effect.void)
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => client.startClient({ disablePresence: true })),
    () => Effect.sync(() => client.stopClient())
  )
  yield* Deferred.await(prepared)
  return { sdk, client }
})

layer(world, { excludeTestServices: true })("the real SDK", (it) => {
  it.effect("signs in, syncs, reads a message and answers it", () =>
    Effect.gen(function*() {
      const homeserver = yield* Homeserver
      const carol = yield* homeserver.as("carol")
      const { client, sdk } = yield* sdkClient("bot", { encryption: false })
      const heard = yield* Deferred.make<string>()
      client.on(sdk.RoomEvent.Timeline, (event, room) => {
        if (event.getSender() !== carol.userId || event.getType() !== "m.room.message") return
        Deferred.doneUnsafe(heard, Effect.succeed(`${room?.name}: ${String(event.getContent()["body"])}`))
      })

      const room = yield* carol.createRoom({ name: "Tea", invite: ["@bot:homing.test"] })
      yield* Effect.promise(() => client.joinRoom(room))
      yield* carol.say(room, "ping")
      assert.strictEqual(yield* Deferred.await(heard), "Tea: ping")

      yield* Effect.promise(() => client.sendTextMessage(room, "pong"))
      const reply = yield* carol.waitFor(room, (event) => event.content["body"] === "pong")
      assert.strictEqual(reply.sender, "@bot:homing.test")

      // What the SDK asks for, the model knows; the unstable it may do without.
      const missing = (yield* homeserver.requests)
        .filter(({ path, status }) => status === 404 && !path.includes("/unstable/"))
      assert.deepStrictEqual(missing, [])
    }))

  it.effect("reads what another one has encrypted, and the server cannot", () =>
    Effect.gen(function*() {
      const homeserver = yield* Homeserver
      const alice = yield* sdkClient("alice", { encryption: true })
      const bot = yield* sdkClient("bot", { encryption: true })
      const observer = yield* homeserver.as("alice")
      const room = yield* observer.createRoom({ encrypted: true, invite: ["@bot:homing.test"] })
      yield* Effect.promise(() => bot.client.joinRoom(room))

      const ready = yield* Deferred.make<void>()
      const look = () => {
        const known = alice.client.getRoom(room)
        if (known?.hasEncryptionStateEvent() === true && known.getMember("@bot:homing.test")?.membership === "join") {
          Deferred.doneUnsafe(ready, Effect.void)
        }
      }
      alice.client.on(alice.sdk.ClientEvent.Sync, look)
      look()
      const read = yield* Deferred.make<unknown>()
      bot.client.on(bot.sdk.MatrixEventEvent.Decrypted, (event) => {
        if (!event.isDecryptionFailure()) Deferred.doneUnsafe(read, Effect.succeed(event.getContent()["body"]))
      })
      yield* Deferred.await(ready)
      yield* Effect.promise(() => alice.client.sendTextMessage(room, "between us"))
      assert.strictEqual(yield* Deferred.await(read), "between us")
      assert.notInclude(JSON.stringify(yield* observer.messages(room)), "between us")
    }), 20_000)
})
