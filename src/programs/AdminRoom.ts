import * as Effect from "effect/Effect"
import type { IncomingMessage } from "../domain/Message.ts"
import { joinedCount } from "../domain/ServerRoom.ts"
import { AppConfig } from "../layers/AppConfig.ts"
import { MatrixRooms } from "../layers/MatrixClient.ts"

/** Whether somebody whom `admins` names says this to the bot alone. To everybody else there is no `!admin`. */
export const isForAdmins = Effect.fnUntraced(function*({ roomId, sender }: Pick<IncomingMessage, "roomId" | "sender">) {
  if (!(yield* AppConfig).admins.includes(sender)) return false
  const room = yield* (yield* MatrixRooms).view(roomId)
  return room !== undefined && joinedCount(room) === 2 && room.members.get(sender)?.membership === "join"
})
