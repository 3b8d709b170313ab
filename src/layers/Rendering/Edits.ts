import * as Effect from "effect/Effect"
import { transactionIdOf } from "../../domain/Delivery.ts"
import type { TransactionId } from "../../domain/Ids.ts"
import { type OutgoingMessage, redactionType, type Reply, type TextReply } from "../../domain/Message.ts"
import { contentOf, cutToBytes, type Question, repliesTo } from "../Rendering.ts"

/** Bytes of JSON for the words that only clients without edits show: they stand in the event beside the new content. */
const fallbackBytes = 4_000

/**
 * The new answer to a message that was edited, as changes of what stands there: parts that exist are edited, more become replies, fewer are
 * redacted; so is one in whose place a file is to stand, which is a reply of its own. `parts` are their transaction ids. The transaction ids of
 * all this are derived from the edit of the question.
 */
export const answersToEdit = Effect.fnUntraced(function*(
  message: Question,
  parts: ReadonlyArray<TransactionId>,
  replies: ReadonlyArray<Reply>
) {
  const answers = yield* repliesTo(message, replies)
  const edited = yield* Effect.forEach(answers, (answer, part) => {
    const [target, reply] = [parts[part], replies[part]]
    if (target === undefined || reply === undefined || reply.kind === "file") return Effect.succeed(answer)
    return Effect.map(replacement(message, reply), (content): OutgoingMessage => ({ ...answer, content, target }))
  })
  const surplus = parts.filter((_, part) => replies[part] === undefined || replies[part].kind === "file")
  const redactions = surplus.map((target, part): OutgoingMessage => ({
    roomId: message.roomId,
    transactionId: transactionIdOf(`${message.eventId} surplus`, part),
    type: redactionType,
    content: {},
    target
  }))
  return [...edited, ...redactions]
})

/** `m.replace` (Client-Server API, "Event replacements"). Who was mentioned by the first words is not told again. */
const replacement = Effect.fnUntraced(function*(message: Question, reply: TextReply) {
  const content = yield* contentOf(reply, { "m.mentions": { user_ids: [message.sender] } }, fallbackBytes)
  return {
    msgtype: content.msgtype,
    body: cutToBytes(`* ${content.body}`, fallbackBytes),
    "m.mentions": {},
    "m.new_content": content,
    "m.relates_to": { rel_type: "m.replace" }
  }
})
