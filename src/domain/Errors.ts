import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { ChatId, DeviceId, ReferenceCode, RoomId, UserId } from "./Ids.ts"

/**
 * What is wrong, in words of the person who can mend it. Each `message` is one paragraph that names the setting or the
 * command that helps and holds no secret. Exit codes follow sysexits.h.
 */
export const exitCode = {
  unexpected: 70,
  homeserverUnreachable: 69,
  storeUnusable: 74,
  leaseHeld: 75,
  credentialsRefused: 77,
  badConfig: 78
} as const

// --- chats

/** A room that the bot is in and that shows no chat. Never answered with a made-up chat. */
export class UnregisteredRoom extends Schema.TaggedError<UnregisteredRoom>()("UnregisteredRoom", {
  room: RoomId,
  user: UserId,
  /** What the repair of this room found, as reason codes with counts; absent when none was tried. */
  repair: Schema.optionalKey(Schema.Record(Schema.String, Schema.Int)),
  /** The diagnostic that was given when the last repair did not help; only while that is so recent that none was tried now. */
  toldAs: Schema.optionalKey(ReferenceCode)
}) {
  override get message() {
    return `No chat is bound to room ${this.room}.`
  }
}

/** The chat of the room was put away by its owner, and takes no messages. */
export class ChatArchived extends Schema.TaggedError<ChatArchived>()("ChatArchived", {
  chat: ChatId,
  title: Schema.String
}) {
  override get message() {
    return `Chat ${this.chat} is archived.`
  }
}

/** Only the owner of a chat may change it. */
export class NotTheOwner extends Schema.TaggedError<NotTheOwner>()("NotTheOwner", { chat: ChatId, user: UserId }) {
  override get message() {
    return `${this.user} does not own chat ${this.chat}.`
  }
}

/** The responder of a chat failed on a message. */
export class ResponderFailed extends Schema.TaggedError<ResponderFailed>()("ResponderFailed", {
  chat: ChatId,
  cause: Schema.Defect()
}) {
  override get message() {
    return `The responder failed in chat ${this.chat}: ${String(this.cause)}`
  }
}

/** The files of an answer are larger than what can be kept and sent. Sizes in bytes. */
export class FilesTooLarge extends Schema.TaggedError<FilesTooLarge>()("FilesTooLarge", { limit: Schema.Int }) {
  override get message() {
    return `The files of the answer have more than ${this.limit} bytes together.`
  }
}

/** There is no chat of this id. */
export class ChatNotFound extends Schema.TaggedError<ChatNotFound>()("ChatNotFound", { chat: ChatId }) {
  override get message() {
    return `There is no chat ${this.chat}.`
  }
}

/** The room shows another chat already: one room shows one chat. */
export class RoomTaken extends Schema.TaggedError<RoomTaken>()("RoomTaken", { room: RoomId, chat: ChatId }) {
  override get message() {
    return `Room ${this.room} already shows chat ${this.chat}.`
  }
}

// --- requests to the homeserver

/** Why the homeserver did not do what a request asked. */
export const FailureReason = Schema.Union([
  /** 429. `retryAfter` in milliseconds, 0 when the server gave none. */
  Schema.TaggedStruct("RateLimited", { retryAfter: Schema.Number }),
  /** M_FORBIDDEN, 401 and 403 without a better word. */
  Schema.TaggedStruct("Forbidden", {}),
  Schema.TaggedStruct("NotFound", {}),
  Schema.TaggedStruct("TooLarge", {}),
  /** M_UNKNOWN_TOKEN: the session is over; `softLogout` when the same device may sign in again. */
  Schema.TaggedStruct("UnknownToken", { softLogout: Schema.Boolean }),
  /** No answer, or one that is not a homeserver's: connection refused, time-out, 5xx. */
  Schema.TaggedStruct("Unreachable", { detail: Schema.String }),
  /** 200 or 4xx whose body is no JSON that the specification knows. */
  Schema.TaggedStruct("NotMatrix", { detail: Schema.String }),
  /** Any other refusal. */
  Schema.TaggedStruct("Rejected", { status: Schema.Number, errcode: Schema.String })
])
export type FailureReason = typeof FailureReason.Type

/** A request that the homeserver refused or did not answer. */
export class MatrixFailure extends Schema.TaggedError<MatrixFailure>()("MatrixFailure", {
  /** What was asked, such as `join` or `GET /sync`. Never holds a token. */
  request: Schema.String,
  reason: FailureReason,
  /** The server's own words (`error`), or the transport's. At most 500 characters. */
  detail: Schema.String
}) {
  override get message() {
    return `The homeserver did not accept "${this.request}" (${this.reason._tag}): ${this.detail}`
  }
}

/** A file that somebody sent is larger than what was asked for. */
export class AttachmentTooLarge extends Schema.TaggedError<AttachmentTooLarge>()("AttachmentTooLarge", {
  /** Bytes. */
  limit: Schema.Number
}) {
  override get message() {
    return `The file has more than ${this.limit} bytes.`
  }
}

/** A file that somebody sent is not the one that the message tells of: it was damaged, or changed on the way. */
export class AttachmentBroken extends Schema.TaggedError<AttachmentBroken>()("AttachmentBroken", {
  detail: Schema.String
}) {
  override get message() {
    return `The file cannot be used: ${this.detail}`
  }
}

/** An encrypted event that cannot be read, for now or for good. */
export class Undecryptable extends Schema.TaggedError<Undecryptable>()("Undecryptable", {
  /** The SDK's `DecryptionFailureCode`, or why there was none. */
  reason: Schema.String
}) {
  override get message() {
    return `The event cannot be decrypted: ${this.reason}`
  }
}

/** An encrypted event whose key was given by somebody else than it claims to be from: the homeserver has put another name on it. */
export class ForgedSender extends Schema.TaggedError<ForgedSender>()("ForgedSender", {}) {
  override get message() {
    return "The event is not from whom it says it is."
  }
}

// --- what stops a start

/** One setting that cannot be used. `names` lists every name that it can be set by. */
export const ConfigProblem = Schema.Struct({
  setting: Schema.String,
  names: Schema.Array(Schema.String),
  problem: Schema.String
})
export type ConfigProblem = typeof ConfigProblem.Type

/** The settings cannot be used; all problems at once. Exit code 78. */
export class ConfigInvalid extends Schema.TaggedError<ConfigInvalid>()("ConfigInvalid", {
  problems: Schema.Array(ConfigProblem),
  /** Every setting stands above it already. */
  beneathTable: Schema.optionalKey(Schema.Boolean)
}) {
  override readonly [Runtime.errorExitCode] = exitCode.badConfig
  override get message() {
    const lines = this.problems.map((_) => `  ${_.setting}: ${_.problem}\n    set it with ${_.names.join(", ")}`)
    return `The configuration has ${this.problems.length === 1 ? "a problem" : `${this.problems.length} problems`}:\n${
      lines.join("\n")
    }${this.beneathTable === true ? "" : `\nRun "homing config" to see every setting and where it came from.`}`
  }
}

/** The homeserver knows the account but refuses the token or the password. Exit code 77. */
export class CredentialsRefused extends Schema.TaggedError<CredentialsRefused>()("CredentialsRefused", {
  detail: Schema.String,
  /** What to do, naming the setting. */
  remedy: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = exitCode.credentialsRefused
  override get message() {
    return `The homeserver refused to sign in: ${this.detail} ${this.remedy}`
  }
}

/** The stored session was signed out on the server, so that its device is gone. Exit code 77. */
export class SessionEnded extends Schema.TaggedError<SessionEnded>()("SessionEnded", {
  user: UserId,
  device: DeviceId,
  /** The device is kept on the server: `authenticate` can sign it in again when a password is configured. */
  softLogout: Schema.Boolean.pipe(Schema.withConstructorDefault(Effect.succeed(false))),
  remedy: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = exitCode.credentialsRefused
  override get message() {
    return `The homeserver has signed out ${this.user} on device ${this.device}. ${this.remedy} Chats and messages are kept.`
  }
}

/** No homeserver answered at the address within the configured patience. Exit code 69. */
export class HomeserverUnreachable extends Schema.TaggedError<HomeserverUnreachable>()("HomeserverUnreachable", {
  url: Schema.String,
  detail: Schema.String,
  remedy: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = exitCode.homeserverUnreachable
  override get message() {
    return `No homeserver answers at ${this.url}: ${this.detail} ${this.remedy}`
  }
}

/** The database cannot be opened, read or written. Exit code 74. */
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>()("StoreUnavailable", {
  path: Schema.String,
  problem: Schema.Literals([
    "not_writable",
    "disk_full",
    "corrupt",
    "newer_schema",
    "other_account",
    "unpatched_driver",
    "failed"
  ]),
  detail: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = exitCode.storeUnusable
  override get message() {
    return `${this.path.endsWith(".db") ? "The database " : ""}${this.path} cannot be used: ${this.detail}`
  }
}

/** The keys of the device cannot be used. Exit code 74. */
export class CryptoUnusable extends Schema.TaggedError<CryptoUnusable>()("CryptoUnusable", {
  /** A clause. */
  detail: Schema.String,
  remedy: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = exitCode.storeUnusable
  override get message() {
    return `Encryption cannot start: ${this.detail} ${this.remedy}`
  }
}

/** The device cannot be verified, or its keys not be backed up, until somebody does something. Messages are answered all the same. */
export class EncryptionLocked extends Schema.TaggedError<EncryptionLocked>()("EncryptionLocked", {
  detail: Schema.String,
  remedy: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = exitCode.credentialsRefused
  override get message() {
    return `${this.detail} ${this.remedy}`
  }
}

/** Another process runs on the same data directory. Exit code 75. */
export class LeaseHeld extends Schema.TaggedError<LeaseHeld>()("LeaseHeld", {
  path: Schema.String,
  /** Who holds it, as far as it said so: process id and start time. */
  holder: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = exitCode.leaseHeld
  override get message() {
    return `Another Homing (${this.holder}) is running on ${this.path}. Two processes must not share an account: ` +
      `stop the other one, or give this one its own HOMING_DATA_DIR and its own account.`
  }
}

/** The sync loop gave no sign of life for longer than it may. The supervisor starts it again. Exit code 69 when it gives up. */
export class SyncStalled extends Schema.TaggedError<SyncStalled>()("SyncStalled", {
  /** Milliseconds without a sign of life. */
  silentFor: Schema.Number,
  detail: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = exitCode.homeserverUnreachable
  override get message() {
    return `The sync loop made no progress for ${Math.round(this.silentFor / 1000)} s: ${this.detail}`
  }
}
