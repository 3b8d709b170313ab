import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as HttpTransport from "./HttpTransport.ts"
import { KeptDevice } from "./KeptDevice.ts"
import * as Media from "./Media.ts"
import * as Messages from "./Messages.ts"
import * as Provisioning from "./Provisioning.ts"
import { RecoveryKey } from "./RecoveryKey.ts"
import * as Rooms from "./Rooms.ts"
import { SdkClient } from "./SdkClient.ts"
import { SdkCrypto } from "./SdkCrypto.ts"
import * as SdkDecryption from "./SdkDecryption.ts"
import * as SdkRequests from "./SdkRequests.ts"
import * as SdkSealing from "./SdkSealing.ts"
import * as SdkSync from "./SdkSync.ts"
import * as Session from "./Session.ts"
import { SignedIn } from "./SignedIn.ts"

const keptDevice = Layer.effect(KeptDevice, Effect.map(SdkCrypto, ({ device }) => device))

/** matrix-js-sdk over HTTP. The only module that loads the SDK: import it dynamically. */
export const layer = Layer.mergeAll(
  Session.layer,
  Rooms.layer,
  Messages.layer,
  Media.layer,
  Provisioning.layer,
  SdkDecryption.layer,
  SdkSync.layer
).pipe(
  Layer.provide([SdkSealing.layer, keptDevice]),
  Layer.provide(SdkCrypto.layer),
  Layer.provide(SdkRequests.layer),
  Layer.provide(SdkClient.layer),
  Layer.provide([RecoveryKey.layer, SignedIn.layer, Rooms.LatestView.layer, HttpTransport.layer])
)
