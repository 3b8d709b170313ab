import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { AppConfig, localSettingsOf } from "../layers/AppConfig.ts"
import type { ConfigReport } from "../layers/AppConfig/Resolution.ts"
import * as MatrixClient from "../layers/MatrixClient.ts"
import { Store } from "../layers/Store.ts"

/** Ends the stored session on the server and forgets it, and its device, here. Chats and messages are kept. */
export const signOut = Effect.gen(function*() {
  const session = yield* (yield* Store).session.load
  yield* (yield* MatrixClient.MatrixSession).signOut
  yield* Console.log(
    session === undefined
      ? "There was no session to end."
      : `Signed out ${session.userId} on device ${session.deviceId}. Chats and messages are kept.`
  )
})

/**
 * `homing sign-out` on the real layers; the stored session knows its homeserver. Refused while a bot runs, which would lose its session
 * under its feet, and where no bot has run: to sign out makes no database.
 */
export const signOutConfigured = Effect.fn("SignOut")(function*(report: ConfigReport) {
  const settings = yield* localSettingsOf(report)
  const config = Layer.succeed(AppConfig, settings)
  yield* Effect.scoped(Layer.build(Layer.provide(Store.layerReadOnly, config)))
  yield* Effect.gen(function*() {
    const device = yield* (yield* Store).session.deviceId
    yield* signOut.pipe(Effect.provide(MatrixClient.layer))
    // The client has closed them. The next device has keys of its own.
    if (device !== undefined) yield* Store.putKeysAside(device)
  }).pipe(Effect.provide(Layer.provideMerge(Store.layer, config)))
})
