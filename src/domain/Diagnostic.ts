import { codeSpan } from "./CodeSpan.ts"
import { hashOf } from "./Delivery.ts"
import { ReferenceCode, type RoomId, type UserId } from "./Ids.ts"

/** Crockford's base 32: no letter that is taken for a digit when read aloud. */
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

/** A reference code from a number in [0, 2^40). */
export const referenceCode = (number: number): ReferenceCode => {
  let rest = Math.floor(number)
  let code = ""
  for (let i = 0; i < 8; i++) {
    code = (alphabet[rest % 32] ?? "0") + code
    rest = Math.floor(rest / 32)
  }
  return ReferenceCode.make(code)
}

/** The reference code of whatever the inbox knows by this key: the same in the store, in the log and in a diagnostic reply. */
export const referenceCodeOf = (key: string): ReferenceCode => referenceCode(Number(BigInt.asUintN(40, hashOf(key))))

/** Why a message got a diagnostic reply in place of an answer. */
export type Problem =
  /** `offer`: what the sender could bring here, as a sentence. */
  | { readonly _tag: "Unregistered"; readonly offer: string | undefined }
  | { readonly _tag: "Space" }
  | { readonly _tag: "Archived"; readonly title: string }
  | { readonly _tag: "HandlerFailed" }
  | { readonly _tag: "TookTooLong"; readonly limit: string }
  | { readonly _tag: "TriedTooOften"; readonly attempts: number }
  | { readonly _tag: "FilesTooLarge"; readonly limit: string }

/** The diagnostic reply: what happened, what the person can do, what the operator can. Markdown, short and plain. */
export const diagnosticText = (problem: Problem, prefix: string, code: ReferenceCode): string => {
  switch (problem._tag) {
    case "Unregistered":
      return `I could not find the chat of this room, and could not restore it automatically. ` +
        (problem.offer === undefined ? "" : `${problem.offer} `) +
        `To start ${problem.offer === undefined ? "one" : "a new one"} here, type \`${prefix}register\`. ` +
        `If there was a chat here before, ask the operator to restart me, or to reset me, and give them this code: **${code}**`
    case "Space":
      return `This is a Space: it lists rooms, and shows no chat itself. Invite me to a room, or type ` +
        `\`${prefix}new\` to have one made. (Code **${code}**)`
    case "Archived":
      return `This chat is archived. To open it again, its owner types \`${prefix}unarchive\`. (Code **${code}**)`
    case "HandlerFailed":
      return `Something went wrong while I answered this message, so there is no answer to it. ` +
        `You can send it again; if it keeps failing, give the operator this code: **${code}**`
    case "TookTooLong":
      return `I worked on this message for ${problem.limit} and came to no end, so I stopped. ` +
        `You can send it again; if it keeps failing, give the operator this code: **${code}**`
    case "FilesTooLarge":
      return `My answer has more in its files than I can send: at most ${problem.limit} together. ` +
        `Ask for less, or give the operator this code: **${code}**`
    case "TriedTooOften":
      return `I tried to answer this message ${problem.attempts} times and was stopped each time, so I leave it now. ` +
        `You can send it again; if it keeps failing, give the operator this code: **${code}**`
  }
}

/** What stands in the place of an answer that the homeserver does not take. */
export const refusedText = (reason: "TooLarge" | "Rejected", code: ReferenceCode): string =>
  (reason === "TooLarge"
    ? "The homeserver does not take my answer, because it is too large. Ask for less"
    : "The homeserver does not take my answer. Ask in other words") + `, or give the operator this code: **${code}**`

/** What somebody is told whom the bot may not talk to, and who waits for an answer. `shared`: the owner of the chat can let them in. */
export const strangerText = (user: UserId, prefix: string, shared: boolean): string =>
  `My operator has not allowed ${codeSpan(user)} to talk to me, so I do not answer you. Ask whoever runs me` +
  (shared ? `; or the owner of this chat, who can type \`${prefix}set members room\`.` : ".")

/**
 * How often handling one event is begun before it is settled as failed: more than one only after a crash. Generous, because a
 * message may be begun in every short life of a bot that is killed again and again for other reasons.
 */
export const maximumAttempts = 10

/**
 * A message that was begun so often is handled alone from then on: if it is what kills the process, it does so without taking
 * an attempt from others that were in hand beside it.
 */
export const suspectAttempts = 2

/** Said once in a room where something cannot be decrypted. */
export const lockedText =
  "I cannot read a message here: its key has not reached me. Please send it again. If that does not help, your " +
  "client may keep keys from devices that are not verified: verify me, or allow such devices in its settings."

/** The same in a room of several, when it is more than one. */
export const lockedInCompanyText =
  "I cannot read some of the messages here: their keys have not reached me. If you wrote to me and got no answer, please send it " +
  "again. If that does not help, your client may keep keys from devices that are not verified: verify me, or allow such " +
  "devices in its settings."

/** Said once in an encrypted room where somebody writes in clear. */
export const inClearText =
  "A message here was not encrypted, and I take no notice of it: in an encrypted room I only take what is encrypted, since a homeserver " +
  "can write the rest in anybody's name. Please send it again from an app that encrypts."

const inClearKey = "in_clear."

/** What is said so to a room is called. */
export const inClearKeyOf = (room: RoomId): string => `${inClearKey}${room}`

/** Whether this is what it is called, and not the key of somebody's message. */
export const isInClearKey = (key: string): boolean => key.startsWith(inClearKey)
