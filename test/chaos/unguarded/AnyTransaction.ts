import { Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { TransactionId } from "../../../src/domain/Ids.ts"
import { MatrixMessages } from "../../../src/layers/MatrixClient.ts"
import { Store } from "../../../src/layers/Store.ts"
import { runUnguarded } from "./Unguarded.ts"

/** A bot whose every attempt has a transaction id of its own: the server takes a repetition for another message. */
const anyTransaction = Layer.effect(
  MatrixMessages,
  Effect.map(MatrixMessages, (messages) =>
    MatrixMessages.of({
      ...messages,
      send: (message) => messages.send({ ...message, transactionId: TransactionId.make(randomUUID()) })
    }))
)

runUnguarded(Layer.merge(anyTransaction, Layer.effect(Store, Store)))
