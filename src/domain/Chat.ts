import * as Schema from "effect/Schema"
import { ChatId, RoomId, UserId } from "./Ids.ts"

/** Why a chat is shown in no room. */
export const DetachReason = Schema.Literals(["left", "kicked", "banned", "room_gone", "moved_away", "requested"])
export type DetachReason = typeof DetachReason.Type

/** Which room shows a chat. The chat manager is the only writer of bindings. */
export const Binding = Schema.Struct({
  roomId: RoomId,
  /** Milliseconds since the epoch at which the room began to show the chat. */
  boundAt: Schema.Number
})
export type Binding = typeof Binding.Type

/** A logical conversation, owned by one user and shown in one room at a time. */
export class Chat extends Schema.Class<Chat>("homing/domain/Chat")({
  id: ChatId,
  owner: UserId,
  /** The owner's display name when it was last seen, or the user id. */
  ownerName: Schema.String,
  title: Schema.String,
  archived: Schema.Boolean,
  /** Counts the changes of title, owner's name and archive flag: the newer revision wins. */
  revision: Schema.Int,
  /** Milliseconds since the epoch. */
  createdAt: Schema.Number,
  /** `null` while no room shows the chat. */
  binding: Schema.NullOr(Binding),
  /** Set exactly when `binding` is null. */
  detached: Schema.NullOr(DetachReason),
  /** The revision that the marker on the server carries, as far as is known: 0 when none was written. */
  markerRevision: Schema.Int
}) {}

/** Titles are cut to this many characters, so that a room name cannot fill the store. */
export const maximumTitleLength = 200
