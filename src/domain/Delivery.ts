import * as Schema from "effect/Schema"
import type { FailureReason } from "./Errors.ts"
import { type EventId, TransactionId } from "./Ids.ts"
import type { OutgoingMessage } from "./Message.ts"
import { relationIn } from "./Relation.ts"

/**
 * Where a message of the outbox stands. `dead` can never be delivered as it stands, and waits for the operator to have it tried again; `dropped`
 * was taken out. What is `sent`, as the server says, stays so.
 */
export const OutboxState = Schema.Literals(["pending", "sent", "dead", "dropped"])
export type OutboxState = typeof OutboxState.Type

/** What to do with a message that the homeserver did not take. Times are in milliseconds. */
export type NextStep =
  | {
    readonly _tag: "Retry"
    readonly after: number /** The whole account waits, not only this room. */
    readonly all: boolean
  }
  | { readonly _tag: "Dead"; readonly reason: string }

const firstDelay = 1_000
const longestDelay = 60_000
/** A server that asks for more, as one does whose clock differs and that names a time, is asked again sooner: it can say no once more. */
const longestPause = 10 * 60_000

/** 1 s, 2 s, 4 s … 60 s. */
export const backoff = (failures: number): number => Math.min(longestDelay, firstDelay * 2 ** Math.max(0, failures - 1))

/**
 * Whether a failed send can succeed later. What the server refuses for good becomes dead, with its reason; everything
 * else is sent again with the same transaction id. `failures` counts the attempts that failed in a row, this one included.
 */
export const afterFailure = (reason: FailureReason, failures: number): NextStep => {
  switch (reason._tag) {
    case "RateLimited":
      return { _tag: "Retry", after: Math.min(Math.max(reason.retryAfter, 500), longestPause), all: true }
    // A dead token is the session's business: it ends the run or signs in again, and then the message goes out.
    case "UnknownToken":
    case "Unreachable":
    case "NotMatrix":
      return { _tag: "Retry", after: backoff(failures), all: false }
    case "Forbidden":
      return { _tag: "Dead", reason: "forbidden" }
    case "NotFound":
      return { _tag: "Dead", reason: "room_not_found" }
    case "TooLarge":
      return { _tag: "Dead", reason: "too_large" }
    case "Rejected":
      return { _tag: "Dead", reason: `rejected: ${reason.errcode}` }
  }
}

const refused = ".refused"

/**
 * The transaction id of what is said instead of an answer that the homeserver does not take; undefined where nothing is said: of what answers
 * nobody, or only changes a message, and of what was said instead itself.
 */
export const insteadOf = ({ content, target, transactionId }: OutgoingMessage): TransactionId | undefined => {
  const answers = relationIn(content)?.["m.in_reply_to"] !== undefined
  return !answers || target !== undefined || transactionId.endsWith(refused)
    ? undefined
    : TransactionId.make(`${transactionId}${refused}`)
}

/** The message with its relation to `event` (Client-Server API, "Forming relationships between events"). */
export const pointedAt = (message: OutgoingMessage, event: EventId): OutgoingMessage => ({
  ...message,
  content: { ...message.content, "m.relates_to": { ...relationIn(message.content), event_id: event } }
})

/** A transaction id has at most 255 bytes: of longer keys the beginning stands in it, and a hash of all. */
const longestKey = 200

const utf8 = new TextEncoder()

/** FNV-1a of 64 bits. It must never change: see `transactionIdOf`. */
export const hashOf = (text: string): bigint => {
  let hash = 0xcbf29ce484222325n
  for (const byte of utf8.encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  return hash
}

/**
 * The transaction id of the nth message that answers `key` (an event id, or another stable name). Derived, not drawn: the
 * same question answered again after a lost database gets the same id, and the server drops the repetition.
 */
export const transactionIdOf = (key: EventId | string, part: number): TransactionId => {
  const safe = key.replace(/[^A-Za-z0-9_-]/gu, (character) => `~${character.codePointAt(0)?.toString(16)}`)
  // No safe key has a dot in it, so that a cut one is never taken for a whole one.
  const name = safe.length <= longestKey
    ? safe
    : `${safe.slice(0, longestKey - 17)}.${hashOf(key).toString(16).padStart(16, "0")}`
  return TransactionId.make(`homing.${name}.${part}`)
}

/**
 * Stands in the relation of an answer that takes several messages, and so outside of what is encrypted: which of how many this one is.
 * By it the room alone tells whether an answer is whole, also when the database is lost.
 */
export const partKey = "dev.homing.part"

export const Part = Schema.Struct({
  /** From 1 on. */
  number: Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: 1_000 }))),
  of: Schema.Int
})
export type Part = typeof Part.Type
