import { Effect, Schedule, type Scope } from "effect"
import { type Logger, logger as globalLogger } from "matrix-js-sdk/lib/logger.js"
import { EventType, MatrixClient, MatrixEvent, MemoryStore, MsgType } from "matrix-js-sdk/lib/matrix.js"
import { logIn, type Person, personWith, type RoomEvent } from "./People.ts"

const nothing = () => {}
const logger: Logger = {
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  getChild: () => logger
}

/** What does not ask for a logger, speaks to the global one. */
const silence = () => {
  const global: object = globalLogger
  if ("methodFactory" in global && "rebuild" in global && typeof global.rebuild === "function") {
    global.methodFactory = () => nothing
    global.rebuild()
  }
}

const encryption = {
  type: "m.room.encryption",
  state_key: "",
  content: { algorithm: "m.megolm.v1.aes-sha2" }
}

/**
 * Signs a person in whose rooms are encrypted: matrix-js-sdk writes and reads for them, as Element does, and everything else
 * are plain requests. Their keys live as long as the scope.
 */
export const signInEncrypting = Effect.fn("signInEncrypting")(
  function*(url: string, name: string, password: string): Effect.fn.Return<Person, never, Scope.Scope> {
    silence()
    const session = yield* logIn(url, name, password)
    const { deviceId, token, userId } = session
    const plain = personWith(url, session, [encryption])
    const client = new MatrixClient({
      accessToken: token,
      baseUrl: url,
      deviceId,
      disableVoip: true,
      logger,
      store: new MemoryStore(),
      userId
    })
    yield* Effect.promise(() => client.initRustCrypto({ useIndexedDB: false }))
    yield* Effect.acquireRelease(
      Effect.promise(() => client.startClient({ disablePresence: true })),
      () => Effect.sync(() => client.stopClient())
    )
    // Who encrypts before the server knows the keys of a device leaves it out.
    yield* plain.keysOf(userId).pipe(
      Effect.repeat({ until: (devices) => devices.length > 0, schedule: Schedule.spaced(100) })
    )

    /** What could be read stays so. */
    const known = new Map<string, RoomEvent>()
    const open = Effect.fnUntraced(function*(room: string, event: RoomEvent) {
      if (event.type !== "m.room.encrypted") return event
      const before = known.get(event.event_id)
      if (before !== undefined) return before
      const { content, event_id, origin_server_ts, sender, type } = event
      const sealed = new MatrixEvent({
        content: { ...content },
        event_id,
        origin_server_ts,
        room_id: room,
        sender,
        type
      })
      yield* Effect.promise(() => client.decryptEventIfNeeded(sealed))
      if (sealed.isDecryptionFailure() || sealed.getType() === type) return event
      const relation = content["m.relates_to"]
      const opened: RoomEvent = {
        ...event,
        type: sealed.getType(),
        content: { ...sealed.getContent(), ...(relation === undefined ? {} : { "m.relates_to": relation }) },
        opened: true
      }
      known.set(event_id, opened)
      return opened
    })

    return {
      ...plain,
      write: (room, transaction, content) =>
        Effect.promise(() =>
          client.sendEvent(
            room,
            EventType.RoomMessage,
            { ...content, msgtype: MsgType.Text, body: String(content["body"]) },
            transaction
          )
        ).pipe(Effect.map(({ event_id }) => event_id)),
      sees: (room, user) =>
        Effect.sync(() => {
          const seen = client.getRoom(room)
          return seen?.hasEncryptionStateEvent() === true && seen.getMember(user)?.membership === "join"
        }).pipe(Effect.repeat({ until: (here) => here, schedule: Schedule.spaced(100) }), Effect.asVoid),
      record: (room) => Effect.flatMap(plain.record(room), Effect.forEach((event) => open(room, event)))
    }
  }
)
