import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { transactionIdOf } from "../domain/Delivery.ts"
import { type IncomingMessage, notice, type TextReply } from "../domain/Message.ts"
import { confirmedBy, type Prompt, type PromptAction, promptMinutes, yes } from "../domain/Prompt.ts"
import { answered, ignored } from "../domain/Settlement.ts"
import type { RawEvent } from "../domain/SyncBatch.ts"
import { statement } from "../layers/Rendering.ts"
import { type PendingRow, Store } from "../layers/Store.ts"
import { deleteChat } from "./Commands/DeleteChat.ts"

const tooLate = notice("That was too late, and nothing was done. Ask me again if you still want it.")

/**
 * Asks who typed a command whether it is to be done. `question` is markdown that says how to answer. The one reply of the command: by its
 * transaction id the answer is known.
 */
export const ask = Effect.fnUntraced(function*(message: IncomingMessage, question: string, action: PromptAction) {
  const expiresAt = (yield* Clock.currentTimeMillis) + Duration.toMillis(Duration.minutes(promptMinutes))
  yield* (yield* Store).prompts.put({
    transactionId: transactionIdOf(message.eventId, 0),
    roomId: message.roomId,
    asker: message.sender,
    action,
    expiresAt
  })
  const reply: TextReply = { ...notice(question), buttons: [yes] }
  return [reply]
})

/** Somebody was asked, and types yes: what that comes to, or undefined when nothing was asked. */
export const confirmTyped = Effect.fnUntraced(function*({ roomId, sender }: IncomingMessage) {
  const { chats, prompts } = yield* Store
  const prompt = yield* prompts.newest(roomId, sender)
  if (prompt === undefined) return undefined
  // It was answered long ago, and the room shows another chat by now: that one was not asked about.
  const shown = yield* chats.byRoom(roomId)
  if (shown !== undefined && shown.id !== prompt.action.chat) {
    yield* prompts.remove(prompt.transactionId)
    return undefined
  }
  return yield* confirm(prompt)
})

/** A reaction to a question of the bot. Only those of whom was asked come here. */
export const settleReaction = Effect.fn("settleReaction")(function*(row: PendingRow, event: RawEvent) {
  const target = confirmedBy(event)
  const prompt = target && (yield* (yield* Store).prompts.byEvent(target, row.roomId, row.sender))
  if (prompt === undefined) return ignored("not_asked")
  const replies = yield* confirm(prompt)
  return answered(yield* Effect.forEach(replies, (reply) => statement(row.roomId, row.key, reply)), true)
})

/** Whoever says yes twice gets it once: what was done before is not late. */
const confirm = Effect.fnUntraced(function*(prompt: Prompt) {
  const isOver = prompt.expiresAt < (yield* Clock.currentTimeMillis)
  const done = yield* carryOut(prompt, isOver)
  if (done !== undefined) return done
  yield* (yield* Store).prompts.remove(prompt.transactionId)
  return [tooLate]
})

/** What there is to say when it is done; undefined when it may not be done any more. */
const carryOut = (prompt: Prompt, isOver: boolean) => {
  switch (prompt.action._tag) {
    case "DeleteChat":
      return deleteChat(prompt.action.chat, prompt, isOver)
  }
}
