/** What the types of the Matrix client promise. Checked by the compiler alone: nothing here runs. */
import type { Effect, Layer } from "effect"
import type { SessionEnded, StoreUnavailable, SyncStalled } from "../../src/domain/Errors.ts"
import type { AppConfig } from "../../src/layers/AppConfig.ts"
import type { Homeserver } from "../../src/layers/Homeserver.ts"
import type {
  layer,
  layerMemory,
  MatrixClient,
  MatrixProvisioning,
  MatrixRooms,
  MatrixSync
} from "../../src/layers/MatrixClient.ts"
import type { Store } from "../../src/layers/Store.ts"

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const holds = <_ extends true>() => {}

// Both layers give the five services, cannot fail, and need nothing hidden.
holds<Same<typeof layer, Layer.Layer<MatrixClient, never, AppConfig | Store>>>()
holds<Same<Layer.Success<typeof layerMemory>, MatrixClient>>()
holds<Same<Layer.Services<typeof layerMemory>, AppConfig | Store | Homeserver>>()

// Who reads rooms holds nothing that could change one.
type Reading = keyof MatrixRooms["Service"]
type Changing = keyof MatrixProvisioning["Service"]
holds<Same<Extract<Reading, Changing>, never>>()

// The loop ends only with an error, and passes on that of whoever takes the batches.
declare const loop: MatrixSync["Service"]["loop"]
declare const store: Effect.Effect<void, StoreUnavailable>
const run = () => loop(() => store)
holds<Same<ReturnType<typeof run>, Effect.Effect<never, StoreUnavailable | SessionEnded | SyncStalled>>>()
