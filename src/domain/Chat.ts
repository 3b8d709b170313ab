import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ChatSettings, noSettings } from "./ChatSettings.ts"
import { ChatId, RoomId, UserId } from "./Ids.ts"

/** Why a chat is shown in no room. */
export const DetachReason = Schema.Literals(["left", "kicked", "banned", "room_gone", "moved_away"])
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
  /** What its owner set in it. Chats of reports that were kept before there were settings have none. */
  settings: ChatSettings.pipe(
    Schema.withConstructorDefault(Effect.succeed(noSettings)),
    Schema.withDecodingDefaultKey(Effect.succeed(noSettings))
  ),
  /** Counts the changes of title, owner's name, archive flag and settings: the newer revision wins. */
  revision: Schema.Int,
  /** Milliseconds since the epoch. */
  createdAt: Schema.Number,
  /** `null` while no room shows the chat. */
  binding: Schema.NullOr(Binding),
  /** Set exactly when `binding` is null. */
  detached: Schema.NullOr(DetachReason),
  /** The revision that the marker on the server carries, as far as is known: 0 when none was written, or `foreignMarker`. */
  markerRevision: Schema.Int,
  /**
   * What its room was called when that was last seen: from then on, another name is a new title. `""` for a room that had none; null
   * when nobody has looked yet.
   */
  roomName: Schema.NullOr(Schema.String).pipe(
    Schema.withConstructorDefault(Effect.succeed(null)),
    Schema.withDecodingDefaultKey(Effect.succeed(null))
  ),
  /** The room that showed it before: the last one of a chat without a room; else one where its marker may still stand. */
  formerRoom: Schema.NullOr(RoomId).pipe(
    Schema.withConstructorDefault(Effect.succeed(null)),
    Schema.withDecodingDefaultKey(Effect.succeed(null))
  ),
  /** Nobody has said anything in it yet but commands. */
  fresh: Schema.Boolean.pipe(
    Schema.withConstructorDefault(Effect.succeed(false)),
    Schema.withDecodingDefaultKey(Effect.succeed(false))
  )
}) {}

/** Titles are cut to this many characters, so that a room name cannot fill the store. */
export const maximumTitleLength = 200

/**
 * The `markerRevision` of a chat whose room holds a marker that is not ours to overwrite: of a newer version of Homing, or
 * of another account. Newer than every revision, so that it never looks as if it were to be written.
 */
export const foreignMarker = 2_147_483_647

/** Control characters, line breaks and other white space: each run becomes one space. */
const spacing = /[\p{Cc}\p{Z}]+/gu

/** Marks that turn the direction of what follows: a title with one could rewrite the sentence around it (Unicode TR 36). */
const directionMarks = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** A title or display name on one line, without the characters that only disturb. Not cut yet. */
export const oneLine = (text: string): string =>
  text.toWellFormed().replace(directionMarks, "").replace(spacing, " ").trim()

/** Makes a title of what somebody else wrote: one line, at most `maximumTitleLength` long. Empty when nothing is left. */
export const cleanTitle = (text: string): string => {
  const line = oneLine(text.slice(0, 8 * maximumTitleLength))
  if (line.length <= maximumTitleLength) return line
  const lead = line.charCodeAt(maximumTitleLength - 1)
  const splitsPair = lead >= 0xd800 && lead <= 0xdbff
  return line.slice(0, splitsPair ? maximumTitleLength - 1 : maximumTitleLength).trimEnd()
}
