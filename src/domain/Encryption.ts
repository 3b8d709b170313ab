import { plural } from "./Plural.ts"

/** How the bot's device stands with the people who check it (Client-Server API, "Cross-signing", "Secrets", "Server-side key backups"). */
export interface EncryptionState {
  readonly user: string
  readonly device: string
  /** The device's ed25519 key: what people compare by eye. */
  readonly fingerprint: string
  /** The account's cross-signing identity: its private keys are here, are somewhere else, or there is none. */
  readonly identity: "here" | "elsewhere" | "none"
  /** The identity has signed this device, as the server tells it to everybody. */
  readonly signed: boolean
  /** The account's secret storage: it opens with the recovery key that is known here, it does not, or there is none. */
  readonly storage: "open" | "locked" | "none"
  /** The version of the key backup on the server, and whether the keys of this device go there. */
  readonly backup: { readonly version: string | undefined; readonly on: boolean }
}

/** Nothing is left to set up. */
export const isComplete = (state: EncryptionState): boolean =>
  state.identity === "here" && state.signed && state.storage !== "none" && state.backup.on

const identityLine = ({ identity, signed }: EncryptionState): string => {
  if (identity === "none") return "not verified: the account has no cross-signing identity yet"
  if (signed) return identity === "here" ? "verified: signed by the account's identity" : "verified, by another session"
  return identity === "here"
    ? "not verified: its signature has not reached the homeserver yet"
    : "not verified: the account's identity was made by another session"
}

const storageLine = ({ storage }: EncryptionState): string => {
  switch (storage) {
    case "open":
      return "opens with the recovery key that is known here"
    case "locked":
      return "there; its recovery key is kept elsewhere"
    case "none":
      return "none: what is lost here is lost for good"
  }
}

const backupLine = ({ backup }: EncryptionState): string => {
  if (backup.version === undefined) return "none"
  return backup.on ? `on, version ${backup.version}` : `off: version ${backup.version} belongs to somebody else`
}

/** The state in a few lines, as a person reads it. */
export const encryptionLines = (state: EncryptionState): ReadonlyArray<string> => [
  `account         ${state.user}`,
  `device          ${state.device}, fingerprint ${spaced(state.fingerprint)}`,
  `verification    ${identityLine(state)}`,
  `secret storage  ${storageLine(state)}`,
  `key backup      ${backupLine(state)}`
]

/** Base64 in groups of four, as clients show it. */
const spaced = (key: string): string => key.match(/.{1,4}/g)?.join(" ") ?? ""

/** What would complete it; undefined when nothing would. */
export const encryptionRemedy = (state: EncryptionState): string | undefined => {
  if (isComplete(state)) return undefined
  if (state.identity === "elsewhere" && state.storage === "none") {
    return "Set up the key backup in the session that made the account's identity, and give the bot its recovery key: " +
      "homing verify --recovery-key"
  }
  if (state.storage === "none") {
    return `Nothing is backed up. "homing verify --new-recovery-key" sets it up, and prints the recovery key once.`
  }
  return state.storage === "locked"
    ? `Give the account's recovery key: homing verify --recovery-key`
    : `The next start sets up what is missing.`
}

// --- whether these are the keys of the device

/**
 * What the keys here are to the device that they are used for:
 * - `own`: those that the server tells others, or new ones that it has yet to be told;
 * - `others`: the server has other keys of this device. Those here were made anew after the file was lost, and others would take the
 *   device for an impostor;
 * - `deleted`: they were told to the server, which has forgotten the device. They are not told again, and nobody could encrypt for it.
 */
export type KeysStanding = "own" | "others" | "deleted"

/** `here` and `published` are ed25519 keys; `announced` when those here were told to a server before. */
export const keysStanding = (
  { announced, here, published }: {
    readonly here: string
    readonly published: string | undefined
    readonly announced: boolean
  }
): KeysStanding => {
  if (published === undefined) return announced ? "deleted" : "own"
  return published === here ? "own" : "others"
}

// --- what can be read

/** What became of the encrypted messages of this life of the process. */
export interface Decryptions {
  readonly read: number
  readonly unread: number
  /** The latest of them, oldest first: whether each could be read. */
  readonly latest: ReadonlyArray<boolean>
}

export const noDecryptions: Decryptions = { read: 0, unread: 0, latest: [] }

/** So many are looked back on. */
export const lookedBackOn = 20
/** One message without its key says something about its sender; so many of them and no other, about the bot. */
const worrying = 3

export const counted = (before: Decryptions, couldRead: boolean): Decryptions => ({
  read: before.read + (couldRead ? 1 : 0),
  unread: before.unread + (couldRead ? 0 : 1),
  latest: [...before.latest, couldRead].slice(-lookedBackOn)
})

/** Why a bot that gets encrypted messages cannot be relied on: none of the latest could be read. Undefined while it can. */
export const whyUnreadable = ({ latest }: Decryptions): string | undefined =>
  latest.length < worrying || latest.includes(true)
    ? undefined
    : `${latest.length} of the last ${latest.length} encrypted messages could not be decrypted.`

export const decryptionLine = ({ read, unread }: Decryptions): string =>
  `${plural(read, "encrypted message")} read since the start, ${unread} that could not be`

// --- interactive verification

/** The setting `auto_verify`: for people who may talk to the bot, for its own sessions too, or for nobody. */
export type AutoVerify = "people" | boolean

/** Somebody asks to compare emoji (Client-Server API, "Short Authentication String (SAS) verification"). */
export interface VerificationQuestion {
  /** Another session of the bot's own account asks. */
  readonly own: boolean
  /** That session is signed by the account's identity. */
  readonly signed: boolean
  /** Whoever asks may talk to the bot. */
  readonly allowed: boolean
  readonly autoVerify: AutoVerify
  /** What the bot says in encrypted rooms goes to verified people only (`share_keys`). */
  readonly verifiedOnly: boolean
}

export type VerificationAnswer = { readonly _tag: "Accept" } | { readonly _tag: "Decline"; readonly because: string }

/**
 * A bot has no eyes: where it takes part, it says "they match" without looking, and it is for the person to compare with its log. For people
 * it does so as long as nothing hangs on whom it takes for verified; more it does by leave of the operator only. A session of the bot's own
 * account would get the account's private keys: it must be verified before, since whoever has the password could ask.
 */
export const answerVerification = (question: VerificationQuestion): VerificationAnswer => {
  const { autoVerify } = question
  if (autoVerify === false || (autoVerify === "people" && (question.own || question.verifiedOnly))) {
    return decline(
      `auto_verify is ${autoVerify}: a bot cannot compare emoji. Compare the fingerprint, run "homing verify --with", or set auto_verify to true.`
    )
  }
  if (question.own) {
    return question.signed ? accept : decline("The session is not verified itself: give it the recovery key.")
  }
  return question.allowed ? accept : decline("Whoever asks may not talk to the bot.")
}

/** How it ended to compare emoji. The codes are those of `m.key.verification.cancel`. */
export type ComparisonEnd =
  | { readonly _tag: "Done" }
  | { readonly _tag: "Cancelled"; readonly code: string; readonly byThem: boolean }
  | { readonly _tag: "NotBegun"; readonly because: "no_identity" | "no_direct_room" }

export const noIdentity: ComparisonEnd = { _tag: "NotBegun", because: "no_identity" }
export const noDirectRoom: ComparisonEnd = { _tag: "NotBegun", because: "no_direct_room" }

/** Why nobody was verified, and what to do; undefined when somebody was. */
export const whyNotVerified = (end: ComparisonEnd, user: string): string | undefined => {
  switch (end._tag) {
    case "Done":
      return undefined
    case "NotBegun":
      return end.because === "no_identity"
        ? `${user} has no cross-signing identity that could be verified: their client sets it up.`
        : `There is no room of only the bot and ${user}, where they could be asked: let them start a direct chat with the bot.`
    case "Cancelled":
      return cancelled(end.code, end.byThem ? user : undefined)
  }
}

const cancelled = (code: string, them: string | undefined): string => {
  switch (code) {
    case "m.timeout":
      return "Nobody answered in time. Ask again when the other side is there."
    case "m.mismatched_sas":
    case "m.key_mismatch":
      return "The emoji did not match. Somebody may be in between: trust nothing that was said, and ask again over another network."
    case "m.accepted":
      return "Another session took part in it instead."
    default:
      return `${them ?? "The other side"} ended it${code === "m.user" ? "" : ` (${code})`}. Nobody was verified.`
  }
}

const accept: VerificationAnswer = { _tag: "Accept" }
const decline = (because: string): VerificationAnswer => ({ _tag: "Decline", because })
