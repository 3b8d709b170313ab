import { Deferred, Effect, Schedule } from "effect"
import { type CryptoCallbacks, decodeRecoveryKey } from "matrix-js-sdk/lib/crypto-api/index.js"
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

/** Opens every secret storage that there is with this key. */
const opensWith = (recoveryKey: string): CryptoCallbacks => ({
  getSecretStorageKey: ({ keys }) =>
    Promise.resolve([Object.keys(keys)[0] ?? "", decodeRecoveryKey(recoveryKey.trim())])
})

const megolm = { algorithm: "m.megolm.v1.aes-sha2" } as const

/** A person with a client that encrypts, on the homeserver behind the door. */
export const sdkPerson = Effect.fn("sdkPerson")(function*(user: string, password: string, recoveryKey?: string) {
  const { url } = yield* Door
  return yield* sdkPersonAt({ url, user, password, ...(recoveryKey === undefined ? {} : { recoveryKey }) })
})

/**
 * A person with a client that encrypts: the SDK, as Element has it, on a new device of its own. Its keys live as long as the
 * scope. With the recovery key of the account it takes over the identity, which signs the device.
 */
export const sdkPersonAt = Effect.fn("sdkPersonAt")(function*(
  { password, recoveryKey, url, user }: {
    readonly url: string
    readonly user: string
    readonly password: string
    readonly recoveryKey?: string
  }
) {
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
    ...(recoveryKey === undefined ? {} : { cryptoCallbacks: opensWith(recoveryKey) }),
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
  // The keys go up after the first sync: who encrypts for a device before the server knows them leaves it out.
  yield* Effect.promise(() => client.downloadKeysForUsers([session.user_id])).pipe(
    Effect.repeat({
      until: ({ device_keys }) => device_keys[session.user_id]?.[session.device_id] !== undefined,
      schedule: Schedule.spaced("100 millis")
    })
  )

  if (recoveryKey !== undefined) yield* Effect.promise(async () => client.getCrypto()?.bootstrapCrossSigning({}))

  /** Answers when `isIt` holds; looks at every event that comes, and at every one that is decrypted. */
  const until = <A>(isIt: () => A | undefined): Effect.Effect<A> =>
    Effect.callback<A>((resume) => {
      const stop = () => {
        client.off(sdk.ClientEvent.Sync, look)
        client.off(sdk.MatrixEventEvent.Decrypted, look)
        client.off(sdk.RoomEvent.Timeline, look)
      }
      const look = () => {
        const found = isIt()
        if (found === undefined) return
        stop()
        resume(Effect.succeed(found))
      }
      client.on(sdk.ClientEvent.Sync, look)
      client.on(sdk.MatrixEventEvent.Decrypted, look)
      client.on(sdk.RoomEvent.Timeline, look)
      look()
      return Effect.sync(stop)
    })

  const timeline = (room: string): ReadonlyArray<MatrixEvent> =>
    client.getRoom(room)?.getLiveTimeline().getEvents() ?? []
  const isOfAnother = (event: MatrixEvent) =>
    event.getType() === "m.room.message" && event.getSender() !== session.user_id

  return {
    client,
    userId: session.user_id,
    deviceId: session.device_id,
    token: session.access_token,
    /** What was said in a room, in clear, by whom and how. */
    said: (room: string) => timeline(room).filter((event) => event.getType() === "m.room.message"),
    /** What came into a room and cannot be read here. */
    unreadable: (room: string) => timeline(room).filter((event) => event.isDecryptionFailure()),
    createRoom: (name: string, invite: string | ReadonlyArray<string>, encrypted = true) =>
      Effect.promise(() =>
        client.createRoom({
          name,
          invite: typeof invite === "string" ? [invite] : [...invite],
          preset: sdk.Preset.PrivateChat,
          initial_state: encrypted ? [{ type: "m.room.encryption", state_key: "", content: megolm }] : []
        })
      ).pipe(Effect.map(({ room_id }) => room_id)),
    /** Joins, and waits until this client knows the room and its members. */
    join: (room: string) =>
      Effect.promise(() => client.joinRoom(room)).pipe(
        Effect.andThen(until(() => client.getRoom(room)?.getMyMembership() === "join" ? true : undefined)),
        Effect.asVoid
      ),
    leave: (room: string) => Effect.asVoid(Effect.promise(() => client.leave(room))),
    invite: (room: string, user: string) => Effect.asVoid(Effect.promise(() => client.invite(room, user))),
    /** Waits until this client has seen how somebody stands to a room. */
    sees: (room: string, user: string, membership = "join") =>
      Effect.asVoid(
        until(() => client.getRoom(room)?.getMember(user)?.membership === membership ? true : undefined)
      ),
    /** The first event of somebody else, in clear. */
    greetingIn: (room: string) => until(() => timeline(room).find(isOfAnother)),
    /** Switches encryption on, and waits until this client knows. */
    encrypt: (room: string) =>
      Effect.promise(() => client.sendStateEvent(room, sdk.EventType.RoomEncryption, megolm)).pipe(
        Effect.andThen(until(() => client.getRoom(room)?.hasEncryptionStateEvent() === true ? true : undefined))
      ),
    /** The identity keys of the devices of somebody, as the server tells them. */
    deviceOf: (user: string) =>
      Effect.promise(() => client.downloadKeysForUsers([user])).pipe(
        Effect.map(({ device_keys }) => Object.values(device_keys[user] ?? {}).map(({ keys }) => keys))
      ),
    say: (room: string, body: string, mentions?: ReadonlyArray<string>) =>
      Effect.promise(() =>
        client.sendEvent(room, sdk.EventType.RoomMessage, {
          msgtype: sdk.MsgType.Text,
          body,
          ...(mentions === undefined ? {} : { "m.mentions": { user_ids: [...mentions] } })
        })
      ).pipe(Effect.map(({ event_id }) => event_id)),
    /** Says an own message in other words. */
    edit: (room: string, target: string, body: string) =>
      Effect.promise(() =>
        client.sendEvent(room, sdk.EventType.RoomMessage, {
          msgtype: sdk.MsgType.Text,
          body: `* ${body}`,
          "m.new_content": { msgtype: sdk.MsgType.Text, body },
          "m.relates_to": { rel_type: sdk.RelationType.Replace, event_id: target }
        })
      ).pipe(Effect.map(({ event_id }) => event_id)),
    /** The event with this id in this client's timeline, once it is there and could be read. */
    reads: (room: string, id: string) =>
      until(() => timeline(room).find((event) => event.getId() === id && event.getType() === "m.room.message")),
    /** The event with this id once it is there and this client has failed to read it. */
    failsToRead: (room: string, id: string) =>
      until(() => timeline(room).find((event) => event.getId() === id && event.isDecryptionFailure())),
    /** What this client makes of an encrypted event that somebody hands to it: its words, or undefined. */
    opens: Effect.fn("opens")(function*(event: MatrixEvent) {
      const { event_id, origin_server_ts, room_id, sender } = event.event
      const sealed = new sdk.MatrixEvent({
        type: event.getWireType(),
        content: { ...event.getWireContent() },
        ...(event_id === undefined ? {} : { event_id }),
        ...(room_id === undefined ? {} : { room_id }),
        ...(sender === undefined ? {} : { sender }),
        ...(origin_server_ts === undefined ? {} : { origin_server_ts })
      })
      yield* Effect.promise(() => client.decryptEventIfNeeded(sealed))
      return sealed.getType() === "m.room.message" && !sealed.isDecryptionFailure()
        ? String(sealed.getContent()["body"])
        : undefined
    }),
    /** An event in clear that answers `question`. */
    answerTo: (room: string, question: string) =>
      until(() => timeline(room).find((event) => isOfAnother(event) && event.replyEventId === question)),
    until
  }
})

export type SdkPerson = Effect.Success<ReturnType<typeof sdkPersonAt>>
