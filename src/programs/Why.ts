import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { isInClearKey } from "../domain/Diagnostic.ts"
import { ReferenceCode, type RoomId } from "../domain/Ids.ts"
import { isMoveKey, isNewsKey } from "../domain/Reconciliation/Explain.ts"
import { AppConfig, localSettingsOf } from "../layers/AppConfig.ts"
import type { ConfigReport } from "../layers/AppConfig/Resolution.ts"
import { type InboxRecord, type OutboxRecord, Store } from "../layers/Store.ts"
import { keptDays, keptMessages } from "./Retention.ts"

/** Nothing is known of what was asked for. Exit code 1. */
export class NothingKnown extends Schema.TaggedError<NothingKnown>()("NothingKnown", { id: Schema.String }) {
  override readonly [Runtime.errorExitCode] = 1
  override get message() {
    return `Nothing is known of ${this.id}. It never reached the bot (sent before it joined, or where it is not), or it was settled ` +
      `more than ${keptDays} days or ${keptMessages} messages ago, and is forgotten.`
  }
}

/** `homing why ID`: what became of a message and why. `id` is its event id, its reference code, or an id of the bot's answer to it. */
export const why = Effect.fn("Why")(function*(report: ConfigReport, id: string) {
  const settings = yield* localSettingsOf(report)
  const sentences = yield* whatBecameOf(id).pipe(
    Effect.provide(Store.layerReadOnly.pipe(Layer.provide(Layer.succeed(AppConfig, settings))))
  )
  yield* Console.log(sentences.join("\n"))
})

/**
 * What became of a message, in sentences. Needs nothing but the store, so that a chat command can tell it too: with `room`, only of
 * messages of that room.
 */
export const whatBecameOf = Effect.fn("whatBecameOf")(function*(id: string, room?: RoomId) {
  const { inbox, outbox } = yield* Store
  const own = yield* outbox.find(id)
  const code = Schema.decodeUnknownOption(ReferenceCode)(id.toUpperCase())
  const record = own !== undefined
    ? yield* inbox.find(own.inboxKey)
    : (yield* inbox.find(id)) ?? (Option.isSome(code) ? yield* inbox.findByCode(code.value) : undefined)
  if (record === undefined || (room !== undefined && record.roomId !== room)) return yield* new NothingKnown({ id })
  const answers = yield* outbox.answersTo(record.key)
  if (isNewsKey(record.key)) {
    return [
      `The bot told its operators what it found at its start or since, at ${timeOf(record.receivedAt)}.`,
      ...answers.map(answerIn)
    ]
  }
  if (isMoveKey(record.key)) {
    return [
      `The bot told this room where its chat goes on, at ${timeOf(record.receivedAt)}.`,
      ...answers.map(answerIn)
    ]
  }
  if (isInClearKey(record.key)) {
    return [
      `The bot told this room that it only takes what is encrypted, at ${timeOf(record.receivedAt)}.`,
      ...answers.map(answerIn)
    ]
  }
  return [
    ...(own === undefined ? [] : [`${id} is what the bot said to ${record.key}.`]),
    ...becameOf(record, answers)
  ]
})

/** One line for the message, one for what became of it, one for each answer. */
export const becameOf = (record: InboxRecord, answers: ReadonlyArray<OutboxRecord>): ReadonlyArray<string> => [
  `${record.key} of ${record.sender} in ${record.roomId} reached the bot at ${timeOf(record.receivedAt)}${
    record.code === undefined ? "" : ` (reference code ${record.code})`
  }.`,
  outcomeOf(record),
  ...answers.map(answerIn),
  ...(record.state === "answered" && record.reason === undefined && answers.length === 0
    ? ["There was nothing to say to it."]
    : [])
]

const outcomeOf = ({ reason, settledAt, state }: InboxRecord): string => {
  const at = settledAt === undefined ? "" : ` at ${timeOf(settledAt)}`
  switch (state) {
    case "pending":
      return "It has not been settled yet: it is in hand, or waits for its turn or for the bot to run."
    case "answered":
      return reason === "answered_before"
        ? `It was not answered again${at}: the room held an answer of the bot already.`
        : `It was answered${at}.`
    case "ignored":
      return `It was not answered${at}: ${inWords(reason ?? "no reason was kept")}.`
    case "failed":
      return `It could not be answered${at}: ${(reason ?? "unknown").replace(/\.$/, "")}.`
  }
}

/** The reason codes of the policy and of the store. One that is not here speaks for itself. */
const reasons: Readonly<Record<string, string>> = {
  own_message: "the bot itself sent it",
  sender_not_allowed: "neither its sender nor its sender's server is allowed (allowed_users, allowed_servers)",
  not_the_owner: "the owner of the chat has set that nobody else is answered (!set members)",
  notice: "it is a notice, which bots do not answer",
  edit: "it is an edit of another message, whose answer does not follow it",
  edited_too_often: "its message was edited so often that its answer follows no more edits",
  not_addressed:
    "it was not said to the bot: in a room of several it needs a mention, a reply to the bot, or a command",
  malformed: "its content makes no sense",
  not_a_text_message: "it is neither text nor a file",
  encrypted: "it is encrypted, and the bot has no key for it",
  not_encrypted: "it came in clear, and its room was encrypted by then: not even that its sender wrote it is certain",
  replayed: "it is the same encrypted message as one that came before it",
  forged_sender: "it was encrypted by somebody else than its sender",
  before_first_start: "it was sent before the bot's first start",
  backlog: "it came while the bot was away, and the backlog setting leaves such messages unanswered",
  redacted: "it was redacted before the bot came to it",
  not_asked: "it is a reaction to what nobody waits for any more",
  invite_not_allowed: "the person who invited the bot is not allowed",
  space_invite: "it is an invite into a Space"
}

const inWords = (reason: string): string => reasons[reason] ?? reason

const answerIn = ({ attempts, eventId, reason, state, transactionId }: OutboxRecord): string => {
  const answer = `The answer with transaction id ${transactionId}`
  switch (state) {
    case "sent":
      return `${answer} stands in the room as ${eventId}.`
    case "pending":
      return attempts === 0
        ? `${answer} waits to be sent.`
        : `${answer} waits to be sent again, after ${attempts} ${attempts === 1 ? "attempt" : "attempts"} (${reason}).`
    case "dead":
      return `${answer} could not be delivered: ${reason}. "homing outbox retry ${transactionId}" tries again.`
    case "dropped":
      return `${answer} was ${reason ?? "dropped"}.`
  }
}

/** A time as operators read it, in UTC and whole seconds. */
export const timeOf = (millis: number): string => new Date(millis).toISOString().replace(/\.\d+/, "")
