import type { Attachment } from "./Attachment.ts"
import type { EventId, RoomId, TransactionId, UserId } from "./Ids.ts"

/**
 * How an event reached the inbox. Decided by sync provenance, never by comparing clocks: `live` came while the bot
 * ran, `missed` was waiting when it started, `recovered` was fetched from `/messages` to fill a limited timeline.
 */
export type Provenance = "live" | "missed" | "recovered"

/** A message as people send it: `m.room.message`, decoded and bounded. */
export interface IncomingMessage {
  readonly eventId: EventId
  readonly roomId: RoomId
  readonly sender: UserId
  /** `origin_server_ts`: milliseconds since the epoch by the sender's server. Only for showing. */
  readonly sentAt: number
  readonly msgtype: string
  /** The plain body without the quoted fallback of a reply. Of an attachment what is said with it, which is often nothing: "". */
  readonly body: string
  /** The file that an `m.image`, `m.file`, `m.audio` or `m.video` carries. */
  readonly attachment: Attachment | undefined
  /**
   * `m.mentions.user_ids` (Client-Server API, "User and room mentions"); empty when it mentions nobody, undefined when the
   * sender's client does not say.
   */
  readonly mentions: ReadonlyArray<UserId> | undefined
  /** The event that this message replies to, if it is a rich reply. */
  readonly replyTo: EventId | undefined
  /** The root of the thread that this message stands in. */
  readonly threadRoot: EventId | undefined
  /** The event that this message edits (`m.replace`): then body and mentions are the new ones. */
  readonly replaces: EventId | undefined
  readonly provenance: Provenance
}

/** A message that the bot will send: its content and transaction id are fixed before the first attempt. */
export interface OutgoingMessage {
  readonly roomId: RoomId
  readonly transactionId: TransactionId
  /** The event type, `m.room.message` for replies. */
  readonly type: string
  readonly content: Readonly<Record<string, unknown>>
  /** The file that the content tells of. It is uploaded before the message is sent, and the content then says where it is. */
  readonly file?: OutgoingFile
  /**
   * What is edited, redacted or reacted to: a message of ours, which may wait to be sent itself. Its event id is put into the content when
   * it is known.
   */
  readonly target?: TransactionId
}

export interface OutgoingFile {
  readonly bytes: Uint8Array
  readonly mimetype: string
}

/** The `type` of what takes a message of ours back: it is sent to an endpoint of its own (Client-Server API, "Redactions"). */
export const redactionType = "m.room.redaction"

/** The `type` of an entry that is no message: the bot leaves the room, behind its last words. */
export const leaveType = "dev.homing.leave"

/** One reply of a responder or a command. */
export type Reply = TextReply | FileReply

/** Markdown, rendered when it goes into the outbox. */
export interface TextReply {
  readonly markdown: string
  /** `m.notice` for what the bot says about itself, `m.text` for what it has to say. */
  readonly kind: "text" | "notice"
  /** Reactions that the bot puts under it, for people to click. */
  readonly buttons?: ReadonlyArray<string>
}

/** A file. Its type tells whether it is sent as an image, audio, a video or just a file. */
export interface FileReply {
  readonly kind: "file"
  readonly name: string
  /** Such as `image/png`. What is no such type is sent as `application/octet-stream`. */
  readonly mimetype: string
  readonly bytes: Uint8Array
  /** Markdown that is shown with it. */
  readonly caption?: string | undefined
}

export const text = (markdown: string): TextReply => ({ markdown, kind: "text" })
export const notice = (markdown: string): TextReply => ({ markdown, kind: "notice" })
export const file = (file: Omit<FileReply, "kind">): FileReply => ({ ...file, kind: "file" })
