import { Effect, Layer } from "effect"
import { MatrixMessages } from "../../../src/layers/MatrixClient.ts"
import { Store } from "../../../src/layers/Store.ts"
import { runUnguarded } from "./Unguarded.ts"

/** A bot that moves its cursor before it keeps what came: no transaction holds both. */
const cursorFirst = Layer.effect(
  Store,
  Effect.map(Store, (store) =>
    Store.of({
      ...store,
      inbox: {
        ...store.inbox,
        ingest: (batch) => Effect.andThen(store.inbox.ingest({ ...batch, rows: [] }), store.inbox.ingest(batch))
      }
    }))
)

runUnguarded(Layer.merge(cursorFirst, Layer.effect(MatrixMessages, MatrixMessages)))
