import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Chat } from "../domain/Chat.ts"
import { offerToMove } from "../domain/ChatChoice.ts"
import { notice } from "../domain/Message.ts"
import { isAllowed } from "../domain/Policy.ts"
import { answered, ignored } from "../domain/Settlement.ts"
import { AppConfig } from "../layers/AppConfig.ts"
import { ChatManager } from "../layers/ChatManager.ts"
import { MatrixProvisioning, MatrixRooms, MatrixSession } from "../layers/MatrixClient.ts"
import { statement } from "../layers/Rendering.ts"
import type { PendingRow } from "../layers/Store.ts"
import { newerChatText, showsNewerChat, writeMarkerOrLater } from "./Markers.ts"
import { resolveChat } from "./Resolve.ts"

/**
 * What becomes of an invite: from an allowed user, the bot joins, finds or registers the chat of the room, writes its
 * marker and greets. Every step can be done twice: a crash in the middle only means that it is done again.
 */
export const handleInvite = Effect.fn("handleInvite")(function*({ key, roomId, sender }: PendingRow) {
  const config = yield* AppConfig
  const { userId: self } = yield* (yield* MatrixSession).self
  if (!isAllowed(sender, { ...config, self })) {
    yield* Effect.logInfo("invite_ignored").pipe(
      Effect.annotateLogs({ room: roomId, user: sender, reason: "invite_not_allowed" })
    )
    return ignored("invite_not_allowed")
  }
  const now = yield* Clock.currentTimeMillis
  const say = (text: string) =>
    Effect.map(statement(roomId, `${key}.${now}`, notice(text)), (greeting) => answered([greeting]))

  const rooms = yield* MatrixRooms
  if ((yield* rooms.view(roomId))?.isSpace === true) return ignored("space_invite")

  yield* (yield* MatrixProvisioning).join(roomId)
  const room = yield* rooms.read(roomId)
  // An invite need not tell what kind of room it leads to.
  if (room.isSpace) return ignored("space_invite")

  // The room may show a chat already: the successor of an upgraded room, or one that the bot was kicked from.
  const known = yield* resolveChat({ roomId, sender }).pipe(
    Effect.catchTag("UnregisteredRoom", () => Effect.succeed(undefined))
  )
  if (known === undefined && showsNewerChat(room)) return yield* say(newerChatText)
  const ownerName = room.members.get(sender)?.displayName ?? sender
  const chat = known ?? (yield* (yield* ChatManager).register({
    room: roomId,
    owner: sender,
    ownerName,
    title: room.name ?? `Chat with ${ownerName}`,
    roomName: room.name
  }))
  yield* writeMarkerOrLater(chat)
  yield* Effect.logInfo("invite_accepted").pipe(
    Effect.annotateLogs({ room: roomId, user: sender, chat: chat.id, known: known !== undefined })
  )

  const offer = known === undefined
    ? offerToMove(config.commandPrefix, yield* (yield* ChatManager).list(sender))
    : undefined
  return yield* say([greetingTo(known, config.commandPrefix), ...(offer === undefined ? [] : [offer])].join("\n\n"))
})

const greetingTo = (known: Chat | undefined, prefix: string): string => {
  if (known === undefined) {
    return `Hello! Write to me here and I will answer. Type \`${prefix}help\` to see what else I can do.`
  }
  return known.archived
    ? `I am back. The chat of this room is archived: its owner can open it again with \`${prefix}unarchive\`.`
    : "I am back, and this chat goes on where it stopped."
}
