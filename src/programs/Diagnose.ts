import * as Effect from "effect/Effect"
import { offerToMove } from "../domain/ChatChoice.ts"
import { diagnosticText, type Problem, referenceCodeOf, strangerText } from "../domain/Diagnostic.ts"
import type { UnregisteredRoom } from "../domain/Errors.ts"
import type { ReferenceCode } from "../domain/Ids.ts"
import { type IncomingMessage, notice, type OutgoingMessage } from "../domain/Message.ts"
import { expectsAnswer, isAllowed, type PolicyContext } from "../domain/Policy.ts"
import type { Settlement } from "../domain/Settlement.ts"
import { AppConfig } from "../layers/AppConfig.ts"
import { ChatManager } from "../layers/ChatManager.ts"
import { DiagnosticLimit } from "../layers/DiagnosticLimit.ts"
import { MatrixRooms } from "../layers/MatrixClient.ts"
import { answersTo, type Question } from "../layers/Rendering.ts"
import { RepairMemory } from "../layers/RepairMemory.ts"

/**
 * Settles a message as failed: a warning for the operator and a reply for the person, with the same reference code.
 * `detail` is what the operator needs to find the cause; the person is not shown it.
 */
export const diagnose = Effect.fn("diagnose")(function*(
  message: Question & { readonly body?: string },
  problem: Problem,
  detail: string,
  annotations: Readonly<Record<string, unknown>> = {}
) {
  return yield* diagnoseAs(referenceCodeOf(message.eventId), message, problem, detail, annotations)
})

/**
 * A message in a room that shows no chat: what can be done there depends on what it is, and on what the person has elsewhere. While it is
 * known that no repair helps, the diagnostic that said so speaks for every message: each is settled with its code, and neither the room
 * nor the log hears it again.
 */
export const diagnoseUnregistered = Effect.fn("diagnoseUnregistered")(function*(
  message: IncomingMessage,
  { message: detail, repair, room, toldAs, user }: UnregisteredRoom
) {
  if (toldAs !== undefined) {
    yield* Effect.logDebug("message_not_handled_again").pipe(
      Effect.annotateLogs({ code: toldAs, room, user, event: message.eventId })
    )
    return failed(toldAs, { _tag: "Unregistered", offer: undefined }, detail, [])
  }
  const { commandPrefix } = yield* AppConfig
  const offer = offerToMove(commandPrefix, yield* (yield* ChatManager).list(message.sender))
  const isSpace = (yield* (yield* MatrixRooms).view(message.roomId))?.isSpace === true
  const problem: Problem = isSpace ? { _tag: "Space" } : { _tag: "Unregistered", offer }
  const code = referenceCodeOf(message.eventId)
  const others = yield* (yield* RepairMemory).failed(room, code)
  return yield* diagnoseAs(code, message, problem, detail, { repair, others })
})

const failed = (
  code: ReferenceCode,
  problem: Problem,
  detail: string,
  replies: ReadonlyArray<OutgoingMessage>
): Settlement => ({ _tag: "Failed", code, problem: `${problem._tag}: ${detail}`.slice(0, 2_000), replies })

const diagnoseAs = Effect.fnUntraced(function*(
  code: ReferenceCode,
  message: Pick<IncomingMessage, "eventId" | "roomId" | "sender" | "threadRoot"> & { readonly body?: string },
  problem: Problem,
  detail: string,
  annotations: Readonly<Record<string, unknown>>
) {
  const { commandPrefix } = yield* AppConfig
  yield* Effect.logWarning("message_not_handled").pipe(Effect.annotateLogs({
    code,
    room: message.roomId,
    user: message.sender,
    event: message.eventId,
    problem: problem._tag,
    detail,
    ...annotations
  }))
  const replies = (yield* mayTell(message, problem, commandPrefix))
    ? yield* answersTo(message, [notice(diagnosticText(problem, commandPrefix, code))])
    : []
  return failed(code, problem, detail, replies)
})

/** What somebody hears, once in a while, whom the bot may not talk to and who waits for an answer. */
export const toldStranger = Effect.fnUntraced(function*(message: IncomingMessage, context: PolicyContext) {
  if (!expectsAnswer(message, context)) return []
  if (!(yield* (yield* DiagnosticLimit).admitStranger(message.roomId, message.sender))) return []
  const shared = context.owner !== undefined && isAllowed(context.owner, context)
  return yield* answersTo(message, [notice(strangerText(message.sender, context.commandPrefix, shared))])
})

/** That a room has no open chat is true of all its messages: said once in a while, but always to somebody who typed a command. */
const mayTell = Effect.fnUntraced(function*(
  message: { readonly roomId: IncomingMessage["roomId"]; readonly body?: string },
  problem: Problem,
  commandPrefix: string
) {
  if (problem._tag !== "Unregistered" && problem._tag !== "Space" && problem._tag !== "Archived") return true
  const told = yield* (yield* DiagnosticLimit).admit(message.roomId)
  return told || message.body?.startsWith(commandPrefix) === true
})
