import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Chat } from "../domain/Chat.ts"
import { offerToMove } from "../domain/ChatChoice.ts"
import type { RoomId, UserId } from "../domain/Ids.ts"
import { notice } from "../domain/Message.ts"
import { isAllowed } from "../domain/Policy.ts"
import type { ServerRoom } from "../domain/ServerRoom.ts"
import { answered, ignored } from "../domain/Settlement.ts"
import { replacesOwnSpace } from "../domain/UpgradeDuties.ts"
import { AppConfig } from "../layers/AppConfig.ts"
import { ChatManager } from "../layers/ChatManager.ts"
import { InviteLimit } from "../layers/InviteLimit.ts"
import { MatrixProvisioning, MatrixRooms, MatrixSession } from "../layers/MatrixClient.ts"
import { statement } from "../layers/Rendering.ts"
import { type PendingRow, Store } from "../layers/Store.ts"
import { newerChatText, showsNewerChat, writeMarkerOrLater } from "./Markers.ts"
import { resolveChat } from "./Resolve.ts"
import { unlessRefused } from "./UnlessRefused.ts"

/**
 * What becomes of an invite: from an allowed user, the bot joins, finds or registers the chat of the room, writes its
 * marker and greets. Every step can be done twice: a crash in the middle only means that it is done again.
 */
export const handleInvite = Effect.fn("handleInvite")(function*({ attempts, key, roomId, sender }: PendingRow) {
  const config = yield* AppConfig
  const { userId: self } = yield* (yield* MatrixSession).self
  if (!isAllowed(sender, { ...config, self })) {
    yield* declineStranger(roomId, sender)
    return ignored("invite_not_allowed")
  }
  const now = yield* Clock.currentTimeMillis
  const say = (text: string) =>
    Effect.map(statement(roomId, `${key}.${now}`, notice(text)), (greeting) => answered([greeting]))

  const rooms = yield* MatrixRooms
  const invited = yield* rooms.view(roomId)
  if (invited?.isSpace === true) return yield* spaceInvite(roomId)

  const provisioning = yield* MatrixProvisioning
  // Only the invite tells this: kept before it is gone.
  if (invited?.members.get(self)?.direct === true) yield* unlessRefused(provisioning.addDirect(roomId, sender))
  yield* provisioning.join(roomId)
  const room = yield* rooms.read(roomId)
  // An invite need not tell what kind of room it leads to.
  if (room.isSpace) return yield* spaceInvite(roomId)

  // The room may show a chat already: the successor of an upgraded room, or one that the bot was kicked from.
  const known = yield* resolveChat({ roomId, sender }, room).pipe(
    Effect.catchTag("UnregisteredRoom", () => Effect.succeed(undefined))
  )
  if (known === undefined && showsNewerChat(room)) return yield* say(newerChatText)
  // The tombstone of a room that this one replaces may still be on its way: the chat then comes here by itself.
  if (known === undefined && attempts <= patientAttempts && (yield* mayInherit(room))) {
    return { _tag: "Later" as const, waitMillis: 2_000 }
  }
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

/** Into a Space that replaces one of the bot's own it goes by itself, with all that is to be done there. */
const spaceInvite = Effect.fnUntraced(function*(space: RoomId) {
  const rooms = new Map((yield* (yield* MatrixRooms).snapshot).map((room) => [room.roomId, room]))
  if (!replacesOwnSpace(rooms, space)) yield* decline(space, noSpaces)
  return ignored("space_invite")
})

const noSpaces = "This is a Space: I show no chats in one. Please invite me to a room."

/** How often an invite is looked at before a room that replaces another gets a chat of its own. */
const patientAttempts = 5

/** Whether a room says that it replaces one that shows a chat and has no successor yet. */
const mayInherit = Effect.fnUntraced(function*({ predecessor }: ServerRoom) {
  if (predecessor === undefined) return false
  const older = yield* (yield* MatrixRooms).view(predecessor)
  return older?.membership === "join" && older.tombstone === undefined &&
    (yield* (yield* Store).chats.byRoom(predecessor)) !== undefined
})

/** Whom the bot may not talk to is told so by its leaving, as long as there are not too many of them; the rest is left open. */
const declineStranger = Effect.fnUntraced(function*(room: RoomId, user: UserId) {
  if (!(yield* (yield* InviteLimit).admit(user))) return
  yield* decline(room, "My operator has not allowed you to talk to me. Please ask whoever runs me.")
  yield* Effect.logInfo("invite_declined").pipe(
    Effect.annotateLogs({ room, user, reason: "invite_not_allowed" })
  )
})

/** Done again, or after the invite was taken back, it is refused: then there is nothing left to decline. */
const decline = Effect.fnUntraced(function*(room: RoomId, reason: string) {
  yield* unlessRefused((yield* MatrixProvisioning).leave(room, reason))
})

const greetingTo = (known: Chat | undefined, prefix: string): string => {
  if (known === undefined) {
    return `Hello! Write to me here and I will answer. Type \`${prefix}help\` to see what else I can do.`
  }
  return known.archived
    ? `I am back. The chat of this room is archived: its owner can open it again with \`${prefix}unarchive\`.`
    : "I am back, and this chat goes on where it stopped."
}
