import { Deferred, Effect } from "effect"
import type { MatrixEvent } from "matrix-js-sdk/lib/matrix.js"
import { Door } from "../../src/layers/Homeserver/Door.ts"

const silent = {
  trace: () => {},
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  getChild: () => silent
}

/** A person with a client that encrypts: the SDK, as Element has it. */
export const sdkPerson = Effect.fn("sdkPerson")(function*(user: string, password: string) {
  const { url } = yield* Door
  const sdk = yield* Effect.promise(() => import("matrix-js-sdk/lib/matrix.js"))
  const anonymous = new sdk.MatrixClient({ baseUrl: url, logger: silent })
  const session = yield* Effect.promise(() =>
    anonymous.loginRequest({ type: "m.login.password", identifier: { type: "m.id.user", user }, password })
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
  yield* Effect.promise(() => client.initRustCrypto({ useIndexedDB: false }))
  const prepared = yield* Deferred.make<void>()
  client.on(sdk.ClientEvent.Sync, (state) => {
    if (state === sdk.SyncState.Prepared) Deferred.doneUnsafe(prepared, Effect.void)
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => client.startClient({ disablePresence: true })),
    () => Effect.sync(() => client.stopClient())
  )
  yield* Deferred.await(prepared)

  /** Answers when `isIt` holds; looks at every event that comes, and at every one that is decrypted. */
  const until = <A>(isIt: () => A | undefined): Effect.Effect<A> =>
    Effect.callback<A>((resume) => {
      const look = () => {
        const found = isIt()
        if (found === undefined) return
        client.off(sdk.ClientEvent.Sync, look)
        client.off(sdk.MatrixEventEvent.Decrypted, look)
        client.off(sdk.RoomEvent.Timeline, look)
        resume(Effect.succeed(found))
      }
      client.on(sdk.ClientEvent.Sync, look)
      client.on(sdk.MatrixEventEvent.Decrypted, look)
      client.on(sdk.RoomEvent.Timeline, look)
      look()
    })

  const timeline = (room: string): ReadonlyArray<MatrixEvent> =>
    client.getRoom(room)?.getLiveTimeline().getEvents() ?? []

  return {
    client,
    userId: session.user_id,
    /** What was said in a room, in clear, by whom and how. */
    said: (room: string) => timeline(room).filter((event) => event.getType() === "m.room.message"),
    createRoom: (name: string, invite: string, encrypted = true) =>
      Effect.promise(() =>
        client.createRoom({
          name,
          invite: [invite],
          preset: sdk.Preset.PrivateChat,
          initial_state: encrypted
            ? [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }]
            : []
        })
      ).pipe(Effect.map(({ room_id }) => room_id)),
    /** The first event of somebody else, in clear. */
    greetingIn: (room: string) =>
      until(() =>
        timeline(room).find((event) => event.getType() === "m.room.message" && event.getSender() !== session.user_id)
      ),
    /** Switches encryption on, and waits until this client knows. */
    encrypt: (room: string) =>
      Effect.promise(() =>
        client.sendStateEvent(room, sdk.EventType.RoomEncryption, { algorithm: "m.megolm.v1.aes-sha2" })
      ).pipe(Effect.andThen(until(() => client.getRoom(room)?.hasEncryptionStateEvent() === true ? true : undefined))),
    /** The identity keys of the devices of somebody, as the server tells them. */
    deviceOf: (user: string) =>
      Effect.promise(() => client.downloadKeysForUsers([user])).pipe(
        Effect.map(({ device_keys }) => Object.values(device_keys[user] ?? {}).map(({ keys }) => keys))
      ),
    say: (room: string, body: string) =>
      Effect.promise(() => client.sendTextMessage(room, body)).pipe(Effect.map(({ event_id }) => event_id)),
    /** An event in clear that answers `question`. */
    answerTo: (room: string, question: string) =>
      until(() =>
        timeline(room).find((event) =>
          event.getType() === "m.room.message" && event.getSender() !== session.user_id &&
          event.replyEventId === question
        )
      )
  }
})
