import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type { Chat } from "../domain/Chat.ts"
import { type IncomingMessage, type Reply, text } from "../domain/Message.ts"

/** Turns a message in a chat into replies. This is what a bot author writes. */
export class Responder extends Context.Service<Responder, {
  /**
   * The replies to `message`, in order. A failure or defect ends in one diagnostic reply to the person. May run again for
   * the same message after a crash: keep side effects idempotent by `message.eventId`.
   */
  respond(chat: Chat, message: IncomingMessage): Stream.Stream<Reply, unknown>
}>()("homing/Responder") {
  /** Says what it hears. */
  static readonly layerEcho = Layer.succeed(
    Responder,
    Responder.of({ respond: (_chat, message) => Stream.make(text(message.body)) })
  )
}
