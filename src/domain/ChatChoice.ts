import { type Chat, cleanTitle } from "./Chat.ts"
import { codeSpan } from "./CodeSpan.ts"
import type { RoomId } from "./Ids.ts"

/** Which of somebody's chats is meant by what they typed. */
export type ChatChoice =
  | { readonly _tag: "Chosen"; readonly chat: Chat }
  | { readonly _tag: "None" }
  | { readonly _tag: "Several"; readonly chats: ReadonlyArray<Chat> }

const chosen = (chat: Chat): ChatChoice => ({ _tag: "Chosen", chat })

/**
 * By id, else by title. Of several with the same title the only one without a room is meant, for it is why people ask; and what `room`
 * shows already is meant when somebody has used it, so that the same words said twice do the same.
 */
export const chooseChat = (chats: ReadonlyArray<Chat>, typed: string, room: RoomId): ChatChoice => {
  const byId = chats.find(({ id }) => id === typed)
  if (byId !== undefined) return chosen(byId)
  const named = titled(chats, typed)
  const here = named.find(({ binding }) => binding?.roomId === room)
  const others = named.filter((chat) => chat !== here)
  const roomless = others.filter(({ binding }) => binding === null)
  const [meant] = here !== undefined && !here.fresh ? [here] : roomless.length === 1 ? roomless : others
  if (meant === undefined) return here === undefined ? { _tag: "None" } : chosen(here)
  return meant === here || roomless.length === 1 || others.length === 1
    ? chosen(meant)
    : { _tag: "Several", chats: others }
}

/** Those of exactly this title; where there is none, those that differ in the case of letters only. */
const titled = (chats: ReadonlyArray<Chat>, typed: string): ReadonlyArray<Chat> => {
  const title = cleanTitle(typed)
  const exactly = chats.filter((chat) => chat.title === title)
  return exactly.length > 0 ? exactly : chats.filter((chat) => chat.title.toLowerCase() === title.toLowerCase())
}

/** How one of `chats` is named after `!move`: by its title where that is clear. */
export const nameOf = ({ id, title }: Chat, chats: ReadonlyArray<Chat>): string =>
  title === "" || /^["'“‘]/.test(title) || titled(chats, title).length > 1 ? id : title

/** More than these nobody reads in passing. */
const mostOffered = 3

/** What the owner of `chats` is told about those that no room shows: a sentence, or undefined when there is nothing to tell. */
export const offerToMove = (prefix: string, chats: ReadonlyArray<Chat>): string | undefined => {
  const homeless = chats.filter(({ archived, binding }) => binding === null && !archived)
  const [first] = homeless
  if (first === undefined) return undefined
  const names = homeless.slice(0, mostOffered).map((chat) => codeSpan(chat.title || chat.id)).join(", ")
  const more = homeless.length > mostOffered ? ` and ${homeless.length - mostOffered} more` : ""
  const command = codeSpan(`${prefix}move ${nameOf(first, chats)}`)
  return homeless.length === 1
    ? `You have a chat without a room: ${names}. Type ${command} to go on with it here.`
    : `You have chats without a room: ${names}${more}. Type ${command} to go on with one of them here.`
}
