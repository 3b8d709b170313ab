import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Homeserver, type HomeserverRequest } from "../Homeserver.ts"
import * as Media from "./Media.ts"
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
    const ask = Effect.fnUntraced(function*(request: HomeserverRequest, longest: Duration.Duration) {
      const answer = yield* homeserver.handle(request).pipe(
        Effect.flatMap((answer) => answer.broken === "stalled" ? Effect.never : Effect.succeed(answer)),
        Effect.timeoutOrElse({
          duration: longest,
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
    const tokenOf = (accessToken: Redacted.Redacted | undefined) =>
      accessToken === undefined ? undefined : Redacted.value(accessToken)

    return Transport.of({
      locate: () => Effect.succeed("memory://homeserver"),
      send: Effect.fn("Transport.send")(({ accessToken, body, deadline: longer, method, path, query }) =>
        ask({
          method,
          path: `/_matrix/client/v3${path}`,
          query: query ?? {},
          body,
          accessToken: tokenOf(accessToken)
        }, longer ?? deadline)
      ),
      carry: Effect.fn("Transport.carry")(function*({ accessToken, content, deadline, limit, method, path, query }) {
        const { body, ...answer } = yield* ask({
          method,
          path,
          query: query ?? {},
          body: content?.bytes,
          contentType: content?.type,
          accessToken: tokenOf(accessToken)
        }, deadline)
        const bytes = body instanceof Uint8Array ? body : new TextEncoder().encode(JSON.stringify(body))
        if (bytes.byteLength <= limit) return { ...answer, bytes }
        return yield* new NoAnswer({ detail: "the answer is too large.", final: false, tooLarge: true })
      })
    })
  })
)

/** Straight into the model of a homeserver: no HTTP, no SDK, and time by Effect's clock. */
export const layer = Layer.mergeAll(
  Session.layer,
  Rooms.layer,
  Messages.layer,
  Media.layer,
  Provisioning.layer,
  MemoryCrypto.decryption,
  MemorySync.layer
).pipe(
  Layer.provide(MemoryCrypto.sealing),
  Layer.provide(PlainRequests.layer),
  Layer.provide([SignedIn.layer, Rooms.LatestView.layer, transport])
)
