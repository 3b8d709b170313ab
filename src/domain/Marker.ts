import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type Chat, foreignMarker, maximumTitleLength } from "./Chat.ts"
import { writtenSettings } from "./ChatSettings.ts"
import { ChatId, RoomId, UserId } from "./Ids.ts"

/** The type of room account data that holds a marker. Private to the bot's account. */
export const markerType = "dev.homing.chat"

export const markerVersion = 1

/** The server's copy of a binding: what is needed to rebuild a chat whose database was lost. */
export const Marker = Schema.Struct({
  version: Schema.Literal(markerVersion),
  /** The bot's account that wrote it: a marker of another account is not ours to restore. */
  account: UserId,
  chat_id: ChatId,
  /** The room it was written for, so that a marker copied to another room is recognised. */
  room_id: RoomId,
  owner: UserId,
  owner_name: Schema.String.pipe(Schema.check(Schema.isMaxLength(maximumTitleLength))),
  title: Schema.String.pipe(Schema.check(Schema.isMaxLength(maximumTitleLength))),
  archived: Schema.Boolean,
  revision: Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: foreignMarker - 1 }))),
  created_at: Schema.Finite,
  bound_at: Schema.Finite,
  /** What the room was called when that was last seen; absent when nobody had looked. */
  room_name: Schema.optionalKey(Schema.String.pipe(Schema.check(Schema.isMaxLength(maximumTitleLength)))),
  /** What the owner set; absent when nothing is. Whatever stands here, the chat is restored: `readSettings` makes the best of it. */
  settings: Schema.optionalKey(Schema.Unknown)
})
export type Marker = typeof Marker.Type

/** What the account data of a room says about a chat. Nothing in it is trusted before it has been decoded. */
export type MarkerReading =
  | { readonly _tag: "NoMarker" }
  | { readonly _tag: "Valid"; readonly marker: Marker }
  | { readonly _tag: "NewerVersion"; readonly version: number }
  | { readonly _tag: "Malformed" }

const Versioned = Schema.Struct({ version: Schema.Int })
const decodeVersioned = Schema.decodeUnknownResult(Versioned)
const decodeMarker = Schema.decodeUnknownResult(Marker)

/** Account data cannot be deleted in Matrix: an empty object is how a marker is taken away. */
const isEmpty = (content: unknown): boolean =>
  content === undefined || content === null ||
  (typeof content === "object" && !Array.isArray(content) && Object.keys(content).length === 0)

/** Reads the content of a marker as found on the server. Never throws. */
export const readMarker = (content: unknown): MarkerReading => {
  if (isEmpty(content)) return { _tag: "NoMarker" }
  const versioned = decodeVersioned(content)
  if (Result.isFailure(versioned)) return { _tag: "Malformed" }
  if (versioned.success.version > markerVersion) return { _tag: "NewerVersion", version: versioned.success.version }
  const marker = decodeMarker(content)
  return Result.isFailure(marker) ? { _tag: "Malformed" } : { _tag: "Valid", marker: marker.success }
}

/**
 * The marker of a bound chat, as it is to stand on the server; undefined for a chat that no room shows, and where the marker
 * that stands there is not ours to overwrite.
 */
export const markerOf = (account: UserId, chat: Chat): Marker | undefined => {
  if (chat.binding === null || chat.markerRevision === foreignMarker) return undefined
  const settings = writtenSettings(chat.settings)
  return {
    version: markerVersion,
    account,
    chat_id: chat.id,
    room_id: chat.binding.roomId,
    owner: chat.owner,
    owner_name: chat.ownerName,
    title: chat.title,
    archived: chat.archived,
    revision: chat.revision,
    created_at: chat.createdAt,
    bound_at: chat.binding.boundAt,
    ...(chat.roomName === null ? {} : { room_name: chat.roomName }),
    ...(Object.keys(settings).length === 0 ? {} : { settings })
  }
}
