import * as Effect from "effect/Effect"
import { inClearKeyOf, inClearText } from "../domain/Diagnostic.ts"
import { notice } from "../domain/Message.ts"
import { MatrixSession } from "../layers/MatrixClient.ts"
import { statement } from "../layers/Rendering.ts"
import { type InboxRow, Store } from "../layers/Store.ts"

/**
 * Tells an encrypted room, once for good, why what is said there in clear gets no answer: nobody is passed over in silence. Part of the
 * transaction that ignores it. Answers with the rooms that are told.
 */
export const tellInClear = Effect.fn("tellInClear")(function*(ignored: ReadonlyArray<InboxRow>) {
  const { userId: self } = yield* (yield* MatrixSession).self
  const { outbox } = yield* Store
  for (const { roomId } of ignored) {
    const about = inClearKeyOf(roomId)
    yield* outbox.announce(yield* statement(roomId, about, notice(inClearText)), { about, sender: self })
  }
  return ignored.map(({ roomId }) => roomId)
})
