import type { UserId } from "./Ids.ts"
import type { IncomingMessage } from "./Message.ts"
import { wordsOf } from "./Policy.ts"
import type { RawEvent } from "./SyncBatch.ts"

/** A mention as clients write it (Client-Server API, "User and room mentions"), at the beginning of what is said: of whom, and what is shown. */
const leadingPill = /^\s*(?:<p>)?\s*<a href="https:\/\/matrix\.to\/#\/([^"?]+)[^"]*">([^<]+)<\/a>/i
const quotedReply = /^<mx-reply>.*?<\/mx-reply>/s

/** What stands between a name and what is said to whoever has it. */
const separator = /^(?:\s*[:,]\s*|\s+)/

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: "\"", "#39": "'" }
const unescaped = (html: string): string => html.replace(/&(amp|lt|gt|quot|#39);/g, (_, name) => entities[name] ?? "")

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** By which names the bot is spoken to in an event: its user id, and what the first pill shows. */
const namesIn = (event: RawEvent, self: UserId): ReadonlyArray<string> => {
  const html = wordsOf(event.content)["formatted_body"]
  const [, user = "", shown = ""] = typeof html === "string"
    ? leadingPill.exec(html.replace(quotedReply, "").slice(0, 2_000)) ?? []
    : []
  return decoded(user) === self ? [self, unescaped(shown)] : [self]
}

/**
 * The message without the name of the bot before what is said to it: `Homing: !status` says `!status`. Only where it mentions the bot, or
 * its client does not say whom it mentions and the user id stands there. A message of nothing but the name stays as it is.
 */
export const withoutVocative = (message: IncomingMessage, event: RawEvent, self: UserId): IncomingMessage => {
  if (message.mentions !== undefined && !message.mentions.includes(self)) return message
  const name = namesIn(event, self).find((name) => name !== "" && message.body.startsWith(name))
  if (name === undefined) return message
  const rest = message.body.slice(name.length)
  const said = rest.replace(separator, "")
  return said === rest || said === ""
    ? message
    : { ...message, body: said, mentions: [...message.mentions ?? [], self] }
}
