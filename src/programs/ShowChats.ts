import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Chat, DetachReason } from "../domain/Chat.ts"
import type { ChatId, RoomId, UserId } from "../domain/Ids.ts"
import { plural } from "../domain/Plural.ts"
import { AppConfig, localSettingsOf } from "../layers/AppConfig.ts"
import type { ConfigReport } from "../layers/AppConfig/Resolution.ts"
import { Store } from "../layers/Store.ts"
import { columns, cut } from "./Table.ts"
import { timeOf } from "./Why.ts"

/** A chat as the operator sees it. Times are in milliseconds since the epoch. */
export interface ListedChat {
  readonly id: ChatId
  readonly title: string
  readonly owner: UserId
  readonly ownerName: string
  /** Null while no room shows it; `detached` then says why. */
  readonly room: RoomId | null
  readonly archived: boolean
  readonly detached: DetachReason | null
  readonly createdAt: number
  /** When the newest message came that is still remembered. */
  readonly lastMessageAt: number | null
}

interface ChatsOptions {
  /** The archived ones, too. */
  readonly archived: boolean
  readonly json: boolean
}

/** `homing chats`: the chats that are remembered here. Only looks, so that a bot may run meanwhile. */
export const showChats = Effect.fn("ShowChats")(function*(report: ConfigReport, options: ChatsOptions) {
  const settings = yield* localSettingsOf(report)
  const chats = yield* readChats.pipe(
    Effect.provide(Store.layerReadOnly.pipe(Layer.provide(Layer.succeed(AppConfig, settings))))
  )
  const shown = chats.filter(({ archived }) => options.archived || !archived)
  yield* Console.log(options.json ? JSON.stringify(shown, null, 2) : renderedChats(shown, chats.length - shown.length))
})

/** Every chat of the store, those first where somebody wrote last. */
export const readChats = Effect.gen(function*() {
  const { chats } = yield* Store
  const all = yield* chats.all
  const heard = yield* chats.lastHeard("all")
  return all.map((chat) => listed(chat, heard)).sort(byActivity)
}).pipe(Effect.withSpan("readChats"))

const listed = (chat: Chat, heard: ReadonlyMap<RoomId, number>): ListedChat => ({
  id: chat.id,
  title: chat.title,
  owner: chat.owner,
  ownerName: chat.ownerName,
  room: chat.binding?.roomId ?? null,
  archived: chat.archived,
  detached: chat.detached,
  createdAt: chat.createdAt,
  lastMessageAt: chat.binding === null ? null : heard.get(chat.binding.roomId) ?? null
})

const byActivity = (a: ListedChat, b: ListedChat): number =>
  (b.lastMessageAt ?? -1) - (a.lastMessageAt ?? -1) || b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1)

/** As a table; `hidden` chats are archived and not among them. */
export const renderedChats = (chats: ReadonlyArray<ListedChat>, hidden: number): string => {
  const archived = hidden === 0
    ? []
    : [`${plural(hidden, "archived chat")} ${hidden === 1 ? "is" : "are"} not shown: add --archived.`]
  if (chats.length === 0) {
    return [hidden === 0 ? "There are no chats." : "There are no open chats.", ...archived].join("\n")
  }
  const table = columns(
    ["TITLE", "OWNER", "ROOM", "STATE", "LAST MESSAGE"],
    chats.map((chat) => [
      cut(chat.title, 40),
      chat.owner,
      chat.room ?? "-",
      stateOf(chat),
      chat.lastMessageAt === null ? "-" : timeOf(chat.lastMessageAt)
    ])
  )
  return [table, "", [`${plural(chats.length, "chat")}.`, ...archived].join(" ")].join("\n")
}

/** Such as `open`, or `archived, no room (kicked)`. */
export const stateOf = ({ archived, detached }: ListedChat): string =>
  [...(archived ? ["archived"] : []), ...(detached === null ? [] : [`no room (${detached})`])].join(", ") || "open"
