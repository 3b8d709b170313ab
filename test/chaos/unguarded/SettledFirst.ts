import { Effect, Layer } from "effect"
import { MatrixMessages } from "../../../src/layers/MatrixClient.ts"
import { Store } from "../../../src/layers/Store.ts"
import { runUnguarded } from "./Unguarded.ts"

/** A bot that settles a message first and has its answer in memory only: no transaction holds both. */
const settledFirst = Layer.effect(
  Store,
  Effect.gen(function*() {
    const store = yield* Store
    const { send } = yield* MatrixMessages
    return Store.of({
      ...store,
      inbox: {
        ...store.inbox,
        settleAndBegin: (key, settlement) => {
          if (settlement._tag !== "Answered") return store.inbox.settleAndBegin(key, settlement)
          return store.inbox.settleAndBegin(key, { ...settlement, replies: [] }).pipe(
            Effect.tap(Effect.forEach(settlement.replies, (reply) => Effect.ignore(send(reply))))
          )
        }
      }
    })
  })
)

runUnguarded(Layer.merge(settledFirst, Layer.effect(MatrixMessages, MatrixMessages)))
