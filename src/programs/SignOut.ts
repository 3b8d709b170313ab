import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { DeviceId } from "../domain/Ids.ts"
import { AppConfig, localSettingsOf } from "../layers/AppConfig.ts"
import type { ConfigReport } from "../layers/AppConfig/Resolution.ts"
import * as MatrixClient from "../layers/MatrixClient.ts"
import { keysIn } from "../layers/MatrixClient/KeptDevice.ts"
import * as Operator from "../layers/MatrixClient/Operator.ts"
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
 * `homing sign-out`: the session ends, and its keys are put aside, since the next device has keys of its own. It opens no key, so that it
 * mends a key that is lost or a `crypto.db` that is damaged; the stored session knows its homeserver. Refused while a bot runs, which would
 * lose its session under its feet, and where no bot has run: to sign out makes no database.
 */
export const signOutConfigured = Effect.fn("SignOut")(function*(report: ConfigReport) {
  const settings = yield* localSettingsOf(report)
  const config = Layer.succeed(AppConfig, settings)
  yield* Effect.scoped(Layer.build(Layer.provide(Store.layerReadOnly, config)))
  yield* Effect.gen(function*() {
    const store = yield* Store
    const device = yield* store.session.deviceId
    // What is damaged does not say whose it is.
    const kept = (yield* keysIn(settings.dataDir).pipe(Effect.orElseSucceed(() => undefined)))?.device
    if (kept !== undefined && device !== undefined && kept !== device) return yield* putForeignKeysAside(kept, device)
    yield* signOut.pipe(Effect.provide(Operator.layerSession))
    yield* putAside(kept ?? device)
  }).pipe(Effect.provide(Layer.provideMerge(Store.layer, config)))
})

/** The keys are of another device than the session: they are what is in the way, and the session is good. */
const putForeignKeysAside = Effect.fnUntraced(function*(kept: DeviceId, device: DeviceId) {
  yield* putAside(kept)
  yield* Console.log(
    `They belong to device ${kept}, and the session to ${device}, which is kept: start again. ` +
      `To end it, too, run "homing sign-out" once more.`
  )
})

const putAside = Effect.fnUntraced(function*(device: DeviceId | undefined) {
  const aside = yield* Store.putKeysAside(device)
  const shown = aside.filter((path) => !/-(shm|wal)$/.test(path))
  if (shown.length > 0) yield* Console.log(`Put the keys aside: ${shown.join(", ")}.`)
})
