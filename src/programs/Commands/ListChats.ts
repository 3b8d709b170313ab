import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Chat } from "../../domain/Chat.ts"
import { nameOf } from "../../domain/ChatChoice.ts"
import { codeSpan } from "../../domain/CodeSpan.ts"
import type { UserId } from "../../domain/Ids.ts"
import { notice } from "../../domain/Message.ts"
import { AppConfig } from "../../layers/AppConfig.ts"
import { ChatManager } from "../../layers/ChatManager.ts"
import { Store } from "../../layers/Store.ts"
import { linkTo } from "./RoomLink.ts"

/** More than this nobody reads in one message. */
const pageLength = 20

/** `!chats`: the chats of the person who asks, the newest first, a page at a time. */
export const listChats = Effect.fnUntraced(function*(
  owner: UserId,
  { archived, page }: { readonly archived: boolean; readonly page: number }
) {
  const { commandPrefix } = yield* AppConfig
  const chats = (yield* (yield* ChatManager).list(owner)).filter((chat) => archived || !chat.archived)
  const command = `${commandPrefix}chats${archived ? " all" : ""}`
  if (chats.length === 0) return [notice(noChats(commandPrefix, archived))]

  const pages = Math.ceil(chats.length / pageLength)
  if (page > pages) {
    const last = pages === 1 ? codeSpan(command) : codeSpan(`${command} ${pages}`)
    return [notice(`There is no page ${page}: type ${last} for the last one.`)]
  }
  const shown = chats.slice((page - 1) * pageLength, page * pageLength)
  const lastHeard = yield* (yield* Store).chats.lastHeard(shown.flatMap(({ binding }) => binding?.roomId ?? []))
  const now = yield* Clock.currentTimeMillis
  return [notice([
    pages === 1 ? "Your chats:" : `Your chats, page ${page} of ${pages}:`,
    "",
    ...shown.map((chat) => lineOf(chat, chats, chat.binding && lastHeard.get(chat.binding.roomId), now)),
    ...(page < pages ? ["", `Type ${codeSpan(`${command} ${page + 1}`)} for the next page.`] : [])
  ].join("\n"))]
})

const noChats = (prefix: string, archived: boolean): string =>
  archived
    ? `You have no chats. Invite me to a room, or type ${codeSpan(`${prefix}register`)} in this one.`
    : `You have no chats that are open. Invite me to a room, or type ${codeSpan(`${prefix}register`)} in this one; ` +
      `${codeSpan(`${prefix}chats all`)} shows those that are archived, too.`

/** With the id where the chat is to be named by it: where its title repeats, and where no room leads to it. */
const lineOf = (
  chat: Chat,
  all: ReadonlyArray<Chat>,
  heardAt: number | null | undefined,
  now: number
): string => {
  const { archived, binding, detached, id, title } = chat
  const needsId = binding === null || nameOf(chat, all) === id
  return `- ${codeSpan(title)}${archived ? " (archived)" : ""}` +
    (binding === null ? ` (no room: ${detached ?? "unbound"})` : ` – [open](${linkTo(binding.roomId)})`) +
    (heardAt === undefined || heardAt === null ? "" : `, last message ${ago(now - heardAt)}`) +
    (needsId ? `, id ${codeSpan(id)}` : "")
}

/** How long ago something was, in milliseconds: as coarse as people say it, and in no time zone. */
export const ago = (millis: number): string => {
  const units = [["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000]] as const
  for (const [unit, length] of units) {
    const count = Math.floor(millis / length)
    if (count >= 1) return `${count} ${unit}${count === 1 ? "" : "s"} ago`
  }
  return "just now"
}
