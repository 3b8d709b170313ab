import type { ReferenceCode } from "./Ids.ts"
import type { OutgoingMessage } from "./Message.ts"
import type { IgnoreReason } from "./Policy.ts"

/** What became of an event in the inbox. Every event is settled exactly once, together with what is to be sent. */
export type Settlement =
  | {
    readonly _tag: "Answered"
    readonly replies: ReadonlyArray<OutgoingMessage>
    /** It was a command: its answer follows no edit. */
    readonly isCommand: boolean
  }
  | {
    readonly _tag: "Ignored"
    readonly reason: IgnoreReason
    /** What the sender is told all the same; mostly nothing. */
    readonly replies: ReadonlyArray<OutgoingMessage>
  }
  | {
    readonly _tag: "Failed"
    /** Stands in the diagnostic reply and in the log. */
    readonly code: ReferenceCode
    readonly problem: string
    /** The diagnostic reply; empty when the room was given one a moment ago. */
    readonly replies: ReadonlyArray<OutgoingMessage>
  }

export const answered = (replies: ReadonlyArray<OutgoingMessage>, isCommand = false): Settlement => ({
  _tag: "Answered",
  replies,
  isCommand
})
export const ignored = (reason: IgnoreReason, replies: ReadonlyArray<OutgoingMessage> = []): Settlement => ({
  _tag: "Ignored",
  reason,
  replies
})
