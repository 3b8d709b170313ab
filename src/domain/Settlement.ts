import * as Schema from "effect/Schema"
import type { ReferenceCode } from "./Ids.ts"
import type { OutgoingMessage } from "./Message.ts"
import type { IgnoreReason } from "./Policy.ts"

/**
 * Where an event of the inbox stands. A pending one is settled once, by `stateAfter`, and no settled one changes again; only an invite into the
 * same room begins anew.
 */
export const InboxState = Schema.Literals(["pending", "answered", "ignored", "failed"])
export type InboxState = typeof InboxState.Type

/**
 * What a pending event waits for, as it is kept: its turn; its key, set aside meanwhile, so that others go on; or its turn again, since a key came. From
 * its key it goes to its turn again only.
 */
export const waitsFor = { itsTurn: 0, itsKey: 1, itsTurnAgain: 2 } as const

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

/** The state that a settlement leads to. */
export const stateAfter = {
  Answered: "answered",
  Ignored: "ignored",
  Failed: "failed"
} as const satisfies Readonly<Record<Settlement["_tag"], InboxState>>
