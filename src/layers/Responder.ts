import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { attachmentText } from "../domain/Attachment.ts"
import type { Chat } from "../domain/Chat.ts"
import { type IncomingMessage, type Reply, text } from "../domain/Message.ts"

/** Turns a message in a chat into replies. This is what a bot author writes. */
export class Responder extends Context.Service<Responder, {
  /**
   * The replies to `message`, in order. A failure or defect ends in one diagnostic reply to the person. May run again for
   * the same message after a crash: keep side effects idempotent by `message.eventId`. A message that carries a file has it as
   * `message.attachment`, and as `message.body` only what was said with it, which may be nothing.
   */
  respond(chat: Chat, message: IncomingMessage): Stream.Stream<Reply, unknown>
}>()("homing/Responder") {
  /** Says what it hears, and names what it is shown. */
  static readonly layerEcho = Layer.succeed(
    Responder,
    Responder.of({ respond: (_chat, message) => Stream.make(text(echoOf(message))) })
  )
}

const echoOf = ({ attachment, body }: IncomingMessage): string => {
  if (attachment === undefined) return body
  const got = `You sent me ${attachmentText(attachment)}.`
  return body === "" ? got : `${got}\n\n${body}`
}
