import { parseCommand } from "./Command.ts"
import type { EventId, RoomId, TransactionId, UserId } from "./Ids.ts"
import type { IncomingMessage } from "./Message.ts"
import type { IgnoreReason } from "./Policy.ts"
import type { InboxState } from "./Settlement.ts"

/** The message that an edit names, and what was said to it. */
export interface EditedMessage {
  readonly roomId: RoomId
  readonly sender: UserId
  readonly state: InboxState
  readonly threadRoot: EventId | undefined
  /** It is an edit itself, and such cannot be edited (Client-Server API, "Event replacements"). */
  readonly isEdit: boolean
  readonly isCommand: boolean
  readonly isRedacted: boolean
  /** The room shows an answer that is not known here. */
  readonly answeredElsewhere: boolean
  /** How many edits of it were answered. */
  readonly edits: number
  /** An edit that came after this one was answered already. */
  readonly overtaken: boolean
  /** What stands in the room as the answer, or will: the transaction ids of its parts, in order. */
  readonly parts: ReadonlyArray<TransactionId>
}

/** An answer follows so many edits of its question: somebody may play, and each costs an answer. */
export const mostEdits = 20

/**
 * Why the answer does not follow an edit; undefined when it does. Only answers of the responder do: no command is carried out by an edit, or
 * twice.
 */
export const refusalOfEdit = (
  edit: Pick<IncomingMessage, "roomId" | "sender" | "body">,
  question: EditedMessage | undefined,
  commandPrefix: string
): IgnoreReason | undefined => {
  if (question === undefined || question.roomId !== edit.roomId || question.sender !== edit.sender) return "edit"
  if (question.isRedacted) return "redacted"
  if (question.state !== "answered" && question.state !== "failed") return "edit"
  if (question.isEdit || question.isCommand || question.answeredElsewhere || question.overtaken) return "edit"
  if (parseCommand(commandPrefix, edit.body)._tag !== "NotACommand") return "edit"
  return question.edits >= mostEdits ? "edited_too_often" : undefined
}
