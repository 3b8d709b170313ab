import * as Effect from "effect/Effect"
import { meaningOf, rulesOf, type SettingName, settingsText } from "../../domain/ChatSettings.ts"
import { codeSpan } from "../../domain/CodeSpan.ts"
import { type IncomingMessage, notice } from "../../domain/Message.ts"
import { AppConfig } from "../../layers/AppConfig.ts"
import { ChatManager } from "../../layers/ChatManager.ts"
import { OfferedResponders } from "../../layers/Responder.ts"
import { writeMarkerOrLater } from "../Markers.ts"
import { resolveChat } from "../Resolve.ts"
import { notForYou, ownChat } from "./OwnChat.ts"

/** `!settings`: how the chat of this room is set. Everybody in it may know. */
export const showSettings = Effect.fnUntraced(function*(message: IncomingMessage) {
  const chat = yield* resolveChat(message)
  const { backlog, commandPrefix } = yield* AppConfig
  const howTo = chat.owner === message.sender
    ? `Type ${codeSpan(`${commandPrefix}set <setting> <value>`)} to change one.`
    : "The owner of this chat can change them."
  return [notice([
    `The settings of ${codeSpan(chat.title)}:`,
    "",
    settingsText(chat.settings, backlog, yield* OfferedResponders),
    "",
    howTo
  ].join("\n"))]
})

/** `!set`: for the owner only, here and in the marker. */
export const changeSetting = Effect.fnUntraced(
  function*(message: IncomingMessage, name: SettingName, value: string | undefined) {
    const { id } = yield* ownChat(message)
    const chat = yield* (yield* ChatManager).set(id, name, value)
    yield* writeMarkerOrLater(chat)
    const choice = yield* OfferedResponders
    const rules = rulesOf(chat.settings, (yield* AppConfig).backlog, choice)
    const now = value === undefined ? `${codeSpan(rules[name])} again, the default` : codeSpan(rules[name])
    return [notice(`${codeSpan(name)} is now ${now}: ${meaningOf(name, rules, choice)}.`)]
  },
  Effect.catchTag("NotTheOwner", notForYou)
)
