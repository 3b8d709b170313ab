import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import { SessionEnded } from "../../domain/Errors.ts"
import type { Settings } from "../AppConfig.ts"
import type { Session } from "../MatrixClient.ts"

export interface Credentials {
  readonly session: Session
  readonly accessToken: Redacted.Redacted
}

/** Who the bot is signed in as. The session writes it; everything that sends a request reads it. */
export class SignedIn extends Context.Service<SignedIn, {
  /** The latest credentials; waits for the first. */
  readonly credentials: Effect.Effect<Credentials>
  set(credentials: Credentials): Effect.Effect<void>
}>()("homing/MatrixClient/SignedIn") {
  static readonly layer = Layer.effect(
    SignedIn,
    Effect.gen(function*() {
      const first = yield* Deferred.make<Credentials>()
      const latest = yield* Ref.make(Option.none<Credentials>())
      return SignedIn.of({
        credentials: Deferred.await(first).pipe(
          Effect.flatMap((early) => Effect.map(Ref.get(latest), Option.getOrElse(() => early)))
        ),
        set: (credentials) =>
          Ref.set(latest, Option.some(credentials)).pipe(
            Effect.andThen(Deferred.succeed(first, credentials)),
            Effect.asVoid
          )
      })
    })
  )
}

/** What a person can do about a session that the server has ended. */
export const sessionEnded = (
  session: Pick<Session, "userId" | "deviceId">,
  softLogout: boolean,
  settings: Pick<Settings, "accessToken" | "password">
): SessionEnded =>
  new SessionEnded({
    user: session.userId,
    device: session.deviceId,
    softLogout,
    remedy: settings.accessToken !== undefined
      ? "Set a new HOMING_ACCESS_TOKEN."
      : softLogout
      ? settings.password === undefined
        ? "The same device may sign in again: set HOMING_PASSWORD and start again."
        : "The same device may sign in again with the password: start again."
      : settings.password === undefined
      ? "Run \"homing sign-out\", set HOMING_PASSWORD or HOMING_ACCESS_TOKEN and start again as a new device."
      : "Run \"homing sign-out\", and the next start signs in with the password as a new device."
  })
