import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { SyncToken } from "../../domain/Ids.ts"
import { AccountLook, NoStoredSession } from "../AccountLook.ts"
import { AppConfig } from "../AppConfig.ts"
import { Store } from "../Store.ts"
import { syncBody } from "./Exchange.ts"
import * as HttpTransport from "./HttpTransport.ts"
import { textField } from "./Json.ts"
import * as MemoryCrypto from "./MemoryCrypto.ts"
import { NoAnswer } from "./NoAnswer.ts"
import { withPatience } from "./Patience.ts"
import * as PlainRequests from "./PlainRequests.ts"
import * as Provisioning from "./Provisioning.ts"
import { type RawAnswer, refusalOf } from "./Requests.ts"
import { LatestView } from "./Rooms.ts"
import { applySync, emptyView } from "./RoomView.ts"
import * as Session from "./Session.ts"
import { type Credentials, sessionEnded, SignedIn } from "./SignedIn.ts"
import { syncFilter } from "./SyncFilter.ts"
import { Transport } from "./Transport.ts"

/** Of the timelines nothing is needed: a server without `state_after` gives the state up to the event that is left. */
const filter = JSON.stringify({ ...syncFilter, room: { ...syncFilter.room, timeline: { limit: 1 } } })

/** The first answer for a large account takes a server minutes. */
const deadline = Duration.minutes(10)

const make = Effect.gen(function*() {
  const settings = yield* AppConfig
  const store = yield* Store
  const transport = yield* Transport
  const signedIn = yield* SignedIn

  /** A dead session ends it, any other refusal is no answer. */
  const accepted = Effect.fnUntraced(function*(name: string, answer: RawAnswer, { session }: Credentials) {
    const refusal = refusalOf(name, answer)
    if (refusal?.reason._tag === "UnknownToken") {
      return yield* sessionEnded(session, refusal.reason.softLogout, settings)
    }
    if (refusal !== undefined) {
      return yield* new NoAnswer({ detail: `${name} gives HTTP ${answer.status}.`, final: true })
    }
    return answer.body
  })

  const sync = ({ accessToken, session }: Credentials, since: SyncToken | undefined) =>
    transport.send({
      homeserverUrl: session.homeserverUrl,
      method: "GET",
      path: "/sync",
      query: {
        filter,
        timeout: "0",
        full_state: "true",
        // Nobody is to see the bot come online for this.
        set_presence: "offline",
        "org.matrix.msc4222.use_state_after": "true",
        // The stored cursor, as a start would: it tells of rooms that were left meanwhile, and takes no to-device message away that
        // the bot has not acknowledged itself. A later token would.
        ...(since === undefined ? {} : { since })
      },
      accessToken,
      deadline,
      limit: syncBody
    })

  const look = Effect.gen(function*() {
    const stored = yield* store.session.load
    if (stored === undefined) return yield* new NoStoredSession({ dataDir: settings.dataDir })
    const { accessToken, deviceId, homeserverUrl, userId } = stored
    const credentials: Credentials = { session: { userId, deviceId, homeserverUrl }, accessToken }
    const see = Effect.gen(function*() {
      yield* transport.locate(homeserverUrl, undefined)
      const who = yield* transport.send({ homeserverUrl, method: "GET", path: "/account/whoami", accessToken })
      yield* accepted("the check of the session", who, credentials)
      yield* signedIn.set(credentials)
      const cursor = yield* store.cursor
      const answer = yield* sync(credentials, cursor)
      const unknown = cursor !== undefined && answer.status === 400 && textField(answer.body, "errcode") === "M_UNKNOWN"
      const body = yield* accepted("/sync", unknown ? yield* sync(credentials, undefined) : answer, credentials)
      return Array.from(applySync(emptyView, body, userId).values(), ({ room }) => room)
    })
    // Somebody waits at a terminal, who can ask again.
    const rooms = yield* withPatience(see, { url: homeserverUrl, patience: Duration.zero })
    return { account: userId, homeserverUrl, rooms }
  }).pipe(Effect.withSpan("AccountLook.look"))

  return AccountLook.of({ look })
})

const base = Layer.merge(SignedIn.layer, HttpTransport.layer)

/** A look with the stored session, without the SDK. Needs the store, which may be open for reading only. */
export const layerLook = Layer.effect(AccountLook, make).pipe(Layer.provide(base))

/** The same, and the power to change the rooms that were seen: only after a look. */
export const layer = Layer.merge(
  Layer.effect(AccountLook, make),
  Provisioning.layer.pipe(
    Layer.provide(MemoryCrypto.sealing),
    Layer.provide([PlainRequests.layer, LatestView.layer])
  )
).pipe(Layer.provide(base))

/** The stored session, to be ended: it needs no keys, which may be what is wrong. */
export const layerSession = Session.layer.pipe(Layer.provide(base))
