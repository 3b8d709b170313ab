import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ChatId, EventId, type RoomId, type TransactionId, type UserId } from "./Ids.ts"
import type { RawEvent } from "./SyncBatch.ts"

/** What is done when the person who was asked says yes. */
export const PromptAction = Schema.TaggedUnion({ DeleteChat: { chat: ChatId } })
export type PromptAction = typeof PromptAction.Type

/** A question of the bot that one person can say yes to. */
export interface Prompt {
  /** Of the message that asks. */
  readonly transactionId: TransactionId
  readonly roomId: RoomId
  readonly asker: UserId
  readonly action: PromptAction
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** A yes counts for so many minutes. */
export const promptMinutes = 10

/** Under what the bot asks it puts this reaction itself, so that to say yes is one click. */
export const yes = "🗑️"

/** Reactions that mean yes. Clients differ in whether they write the variation selector. */
const meanYes = new Set(["🗑", "✅"])

/** The type of a reaction, which is never encrypted (Client-Server API, "Event annotations and reactions"). */
export const reactionType = "m.reaction"

const decodeReaction = Schema.decodeUnknownOption(Schema.Struct({
  "m.relates_to": Schema.Struct({ rel_type: Schema.Literal("m.annotation"), event_id: EventId, key: Schema.String })
}))

/** What a reaction says yes to; undefined when it says anything else. */
export const confirmedBy = ({ content, type }: RawEvent): EventId | undefined => {
  if (type !== reactionType) return undefined
  const reaction = decodeReaction(content)
  if (Option.isNone(reaction)) return undefined
  const { event_id, key } = reaction.value["m.relates_to"]
  return meanYes.has(key.replaceAll("\ufe0f", "")) ? event_id : undefined
}
