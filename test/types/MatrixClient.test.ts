import { expectTypeOf, it } from "@effect/vitest"
import type { Effect, Layer } from "effect"
import type { CryptoUnusable, SessionEnded, StoreUnavailable, SyncStalled } from "../../src/domain/Errors.ts"
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

// What the Matrix client promises by its types. These fail in `tsc`, before anything runs.

it("both layers give the services and need nothing hidden; only the keys can fail", () => {
  expectTypeOf<typeof layer>().toEqualTypeOf<
    Layer.Layer<MatrixClient, CryptoUnusable | StoreUnavailable, AppConfig | Store>
  >()
  expectTypeOf<typeof layerMemory>().toEqualTypeOf<Layer.Layer<MatrixClient, never, AppConfig | Store | Homeserver>>()
})

it("who reads rooms holds nothing that could change one", () => {
  expectTypeOf<Extract<keyof MatrixRooms["Service"], keyof MatrixProvisioning["Service"]>>().toBeNever()
})

it("the loop ends only with an error, that of whoever takes the batches among them", () => {
  type Loop = typeof loopOverStore
  expectTypeOf<ReturnType<Loop>>().toEqualTypeOf<
    Effect.Effect<never, StoreUnavailable | CryptoUnusable | SessionEnded | SyncStalled>
  >()
})

const loopOverStore = (loop: MatrixSync["Service"]["loop"], store: Effect.Effect<void, StoreUnavailable>) =>
  loop(() => store)
