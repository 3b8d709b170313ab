import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Homeserver } from "../Homeserver.ts"
import * as MemoryCrypto from "./MemoryCrypto.ts"
import * as MemorySync from "./MemorySync.ts"
import * as Messages from "./Messages.ts"
import { NoAnswer } from "./NoAnswer.ts"
import * as PlainRequests from "./PlainRequests.ts"
import * as Provisioning from "./Provisioning.ts"
import * as Rooms from "./Rooms.ts"
import * as Session from "./Session.ts"
import { SignedIn } from "./SignedIn.ts"
import { Transport } from "./Transport.ts"

/** As long as a client over HTTP waits for a body that stalls. */
const deadline = Duration.seconds(30)

const transport = Layer.effect(
  Transport,
  Effect.gen(function*() {
    const homeserver = yield* Homeserver
    return Transport.of({
      locate: () => Effect.succeed("memory://homeserver"),
      send: Effect.fn("Transport.send")(function*({ accessToken, body, deadline: longer, method, path, query }) {
        const answer = yield* homeserver.handle({
          method,
          path: `/_matrix/client/v3${path}`,
          query: query ?? {},
          body,
          accessToken: accessToken === undefined ? undefined : Redacted.value(accessToken)
        }).pipe(
          Effect.flatMap((answer) => answer.broken === "stalled" ? Effect.never : Effect.succeed(answer)),
          Effect.timeoutOrElse({
            duration: longer ?? deadline,
            orElse: () => Effect.fail(new NoAnswer({ detail: "no whole answer came in time.", final: false }))
          })
        )
        if (answer.broken !== undefined) return yield* new NoAnswer({ detail: "the connection was cut.", final: false })
        const seconds = Number(answer.headers?.["retry-after"] ?? Number.NaN)
        return {
          status: answer.status,
          body: answer.body,
          retryAfter: Number.isFinite(seconds) ? seconds * 1000 : undefined
        }
      })
    })
  })
)

/** Straight into the model of a homeserver: no HTTP, no SDK, and time by Effect's clock. */
export const layer = Layer.mergeAll(
  Session.layer,
  Rooms.layer,
  Messages.layer,
  Provisioning.layer,
  MemoryCrypto.decryption,
  MemorySync.layer
).pipe(
  Layer.provide(MemoryCrypto.sealing),
  Layer.provide(PlainRequests.layer),
  Layer.provide([SignedIn.layer, Rooms.LatestView.layer, transport])
)
