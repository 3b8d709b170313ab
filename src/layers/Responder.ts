import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Record from "effect/Record"
import * as Stream from "effect/Stream"
import { attachmentText } from "../domain/Attachment.ts"
import type { Chat } from "../domain/Chat.ts"
import { type IncomingMessage, type Reply, text } from "../domain/Message.ts"
import { oneResponder, problemOf, type ResponderChoice, responderOf } from "../domain/ResponderChoice.ts"

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

  /**
   * Several responders by name, of which the owner of a chat chooses one with `!set responder <name>`; `default` answers until then. A name
   * is a lower-case letter and at most 31 more, digits, `_` or `-`. `about` tells people what it means that this one answers: a sentence of
   * the bot without its full stop. Throws where a name cannot be one.
   */
  static readonly layerSeveral = <Name extends string, E, R>(
    responders: Readonly<Record<Name, Layer.Layer<Responder, E, R>>>,
    options: { readonly default: NoInfer<Name>; readonly about?: { readonly [N in NoInfer<Name>]?: string } }
  ): Layer.Layer<Responder, E, R> => {
    const choice: ResponderChoice = {
      standard: options.default,
      meanings: new Map(
        Record.keys(responders).map((name) => [name, options.about?.[name] ?? `I answer as ${name} does`])
      )
    }
    const problem = problemOf(choice)
    if (problem !== undefined) throw new TypeError(problem)
    // By one memo map: what several of them are made of is made once.
    const dispatching = Layer.fromBuildMemo(Effect.fnUntraced(function*(memoMap, scope) {
      const built = new Map<string, Responder["Service"]>()
      for (const [name, layer] of Record.toEntries(responders)) {
        built.set(name, Context.get(yield* Layer.buildWithMemoMap(layer, memoMap, scope), Responder))
      }
      return Context.make(Responder, {
        respond: (chat, message) =>
          built.get(responderOf(choice, chat.settings.responder))?.respond(chat, message) ?? Stream.empty
      })
    }))
    return Layer.merge(dispatching, Layer.succeed(OfferedResponders, choice))
  }
}

/** The responders that the owner of a chat can choose from, for those who tell of them. Comes with `Responder.layerSeveral`. */
export const OfferedResponders = Context.Reference<ResponderChoice>("homing/OfferedResponders", {
  defaultValue: () => oneResponder
})

const echoOf = ({ attachment, body }: IncomingMessage): string => {
  if (attachment === undefined) return body
  const got = `You sent me ${attachmentText(attachment)}.`
  return body === "" ? got : `${got}\n\n${body}`
}
