import * as Effect from "effect/Effect"
import { codeSpan } from "../../domain/CodeSpan.ts"
import { type IncomingMessage, notice } from "../../domain/Message.ts"
import { promptMinutes, yes } from "../../domain/Prompt.ts"
import { AppConfig } from "../../layers/AppConfig.ts"
import { ask, confirmTyped } from "../Prompts.ts"
import { notForYou, ownChat } from "./OwnChat.ts"

/** `!delete`: asks first. `!delete confirm` is for clients without reactions. */
export const askToDelete = Effect.fnUntraced(function*(message: IncomingMessage, confirmed: boolean) {
  const howTo = codeSpan(`${(yield* AppConfig).commandPrefix}delete`)
  if (confirmed) {
    return (yield* confirmTyped(message)) ?? [notice(`There is nothing to confirm: type ${howTo} first.`)]
  }
  const chat = yield* ownChat(message)
  const question =
    `Do you want to delete the chat ${codeSpan(chat.title)} for good? I forget it and leave this room; what was said ` +
    `here stays in the room. React to this message with ${yes} or ✅ within ${promptMinutes} minutes, or type ` +
    `${codeSpan(`${(yield* AppConfig).commandPrefix}delete confirm`)}.`
  return yield* ask(message, question, { _tag: "DeleteChat", chat: chat.id })
}, Effect.catchTag("NotTheOwner", notForYou))
