import * as Schema from "effect/Schema"

/** A server name: DNS name, IPv4 or bracketed IPv6 address, with an optional port (Matrix spec, Appendices, "Server Name"). */
const serverName = String.raw`(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,255})(?::[0-9]{1,5})?`

const utf8 = new TextEncoder()

/** Identifiers are at most 255 bytes, sigil and server part included (Matrix spec, Appendices, "Common Identifier Format"). */
const atMost255Bytes = Schema.makeFilter<string>(
  // A UTF-16 unit is at most three bytes of UTF-8: nearly every id is told without encoding it.
  (id) => id.length <= 85 || (id.length <= 255 && utf8.encode(id).length <= 255),
  { expected: "at most 255 bytes" }
)

const identifier = (pattern: RegExp, expected: string) =>
  Schema.String.pipe(Schema.check(Schema.isPattern(pattern, { expected }), atMost255Bytes))

export const ServerName = identifier(new RegExp(`^${serverName}$`), "a server name such as example.org").pipe(
  Schema.brand("ServerName")
)
export type ServerName = typeof ServerName.Type

/** `@localpart:server`. Historical localparts may hold any character but `:`, white space and NUL. */
export const UserId = identifier(
  new RegExp(String.raw`^@[^:\s\0]*:${serverName}$`),
  "a user id such as @bot:example.org"
)
  .pipe(Schema.brand("UserId"))
export type UserId = typeof UserId.Type

/** `!opaque:server`, or `!` and 43 characters of URL-safe base64 without a server part since room version 12 (MSC4291). */
export const RoomId = identifier(
  new RegExp(String.raw`^!(?:[A-Za-z0-9_-]{43}|[^:\s\0]+:${serverName})$`),
  "a room id such as !abc:example.org"
).pipe(Schema.brand("RoomId"))
export type RoomId = typeof RoomId.Type

/** `$opaque`; room versions 1 and 2 append `:server`. */
export const EventId = identifier(/^\$[^\s\0]+$/, "an event id").pipe(Schema.brand("EventId"))
export type EventId = typeof EventId.Type

export const DeviceId = identifier(/^[^\s\0]+$/, "a device id").pipe(Schema.brand("DeviceId"))
export type DeviceId = typeof DeviceId.Type

/** The `{txnId}` of a send: unique per device and endpoint (Client-Server API, "Transaction identifiers"). */
export const TransactionId = identifier(/^[A-Za-z0-9._~-]+$/, "a transaction id").pipe(Schema.brand("TransactionId"))
export type TransactionId = typeof TransactionId.Type

/** Homing's own name of a conversation: stable over rooms, restarts and databases. */
export const ChatId = identifier(/^[A-Za-z0-9_-]{1,64}$/, "a chat id").pipe(Schema.brand("ChatId"))
export type ChatId = typeof ChatId.Type

/** `mxc://server/mediaId` (Client-Server API, "Matrix Content (mxc://) URIs"). */
export const MxcUri = identifier(new RegExp(`^mxc://${serverName}/[A-Za-z0-9_-]+$`), "an mxc:// URI").pipe(
  Schema.brand("MxcUri")
)
export type MxcUri = typeof MxcUri.Type

/** An opaque `next_batch`, up to which every event is safely in the inbox: the cursor. */
export const SyncToken = Schema.NonEmptyString.pipe(Schema.brand("SyncToken"))
export type SyncToken = typeof SyncToken.Type

/** What a diagnostic reply and its log line share, so that an operator finds one from the other. */
export const ReferenceCode = Schema.String.pipe(
  Schema.check(Schema.isPattern(/^[0-9A-HJKMNP-TV-Z]{8}$/)),
  Schema.brand("ReferenceCode")
)
export type ReferenceCode = typeof ReferenceCode.Type

/** The server part of a user id: everything after its first colon. */
export const serverOf = (user: UserId): ServerName => ServerName.make(user.slice(user.indexOf(":") + 1))
