import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { failure, make, MatrixRequests } from "./Requests.ts"
import { SignedIn } from "./SignedIn.ts"
import { Transport } from "./Transport.ts"

/** Requests of the signed-in account straight over the transport, without the SDK. */
export const layer = Layer.effect(
  MatrixRequests,
  Effect.gen(function*() {
    const signedIn = yield* SignedIn
    const { send } = yield* Transport
    return MatrixRequests.of(make(Effect.fnUntraced(function*(request) {
      const { accessToken, session } = yield* signedIn.credentials
      return yield* send({ ...request, homeserverUrl: session.homeserverUrl, accessToken }).pipe(
        Effect.mapError(({ detail }) => failure(request.name, { _tag: "Unreachable", detail }, detail))
      )
    })))
  })
)
