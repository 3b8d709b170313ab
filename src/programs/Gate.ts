import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Arrived } from "../domain/Arrival.ts"
import type { IncomingMessage } from "../domain/Message.ts"
import { decidePolicy, readMessage } from "../domain/Policy.ts"
import { joinedCount, type ServerRoom } from "../domain/ServerRoom.ts"
import { AppConfig } from "../layers/AppConfig.ts"
import { MatrixRooms, MatrixSession } from "../layers/MatrixClient.ts"
import { Store } from "../layers/Store.ts"

/** What the policy gate has to know besides the message itself. */
export const policyContext = Effect.fnUntraced(function*(message: IncomingMessage, room: ServerRoom | undefined) {
  const { allowedServers, allowedUsers, commandPrefix } = yield* AppConfig
  const { userId: self } = yield* (yield* MatrixSession).self
  const repliesToSelf = message.replyTo !== undefined && (yield* (yield* Store).outbox.hasSent(message.replyTo))
  const joinedMembers = room === undefined ? 0 : joinedCount(room)
  return { self, allowedUsers, allowedServers, commandPrefix, joinedMembers, repliesToSelf }
})

/** Whether the gate lets a message through, before anything is done about it. */
export const wouldAccept = Effect.fnUntraced(function*({ event, provenance, roomId }: Arrived) {
  const reading = readMessage(event, roomId, provenance)
  if (Result.isFailure(reading)) return false
  const room = yield* (yield* MatrixRooms).view(roomId)
  return decidePolicy(reading.success, yield* policyContext(reading.success, room))._tag === "Accept"
})
