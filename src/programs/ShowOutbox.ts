import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TransactionId } from "../domain/Ids.ts"
import { AppConfig, localSettingsOf } from "../layers/AppConfig.ts"
import type { ConfigReport } from "../layers/AppConfig/Resolution.ts"
import { type OutboxRecord, Store } from "../layers/Store.ts"

/** There is no message in the outbox that this could be done to. Exit code 1. */
export class NoSuchMessage extends Schema.TaggedError<NoSuchMessage>()("NoSuchMessage", {
  id: Schema.String,
  problem: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 1
  override get message() {
    return `${this.problem} ${this.id}. "homing outbox" lists what waits and what cannot be delivered.`
  }
}

const mostListed = 200

/** `homing outbox`: what waits to be sent, and what cannot be delivered. */
export const showOutbox = Effect.fn("ShowOutbox")(function*(report: ConfigReport) {
  const settings = yield* localSettingsOf(report)
  const rows = yield* Store.use(({ outbox }) => outbox.list({ states: ["pending", "dead"], limit: mostListed })).pipe(
    Effect.provide(Store.layerReadOnly.pipe(Layer.provide(Layer.succeed(AppConfig, settings))))
  )
  yield* Console.log(rows.length === 0 ? "Everything was delivered." : renderedOutbox(rows))
})

/** Each message with what became of it so far, and how it begins. */
export const renderedOutbox = (rows: ReadonlyArray<OutboxRecord>): string => rows.map(entry).join("\n")

const entry = ({ attempts, excerpt, position, reason, roomId, state, transactionId }: OutboxRecord): string =>
  [
    `${position}  ${state}  ${transactionId}  ${roomId}`,
    ...(reason === undefined && attempts === 0 ? [] : [`    ${reason ?? "tried"} (attempts: ${attempts})`]),
    ...(excerpt === undefined ? [] : [`    ${JSON.stringify(excerpt)}`])
  ].join("\n")

/** `homing outbox retry ID`: a message that could not be delivered is sent again, with the same transaction id. */
export const retryMessage = Effect.fn("RetryMessage")(function*(report: ConfigReport, id: string) {
  yield* change(report, id, "There is no dead message", ({ outbox }, transactionId) => outbox.retry(transactionId))
  const runs = (yield* running(report)) !== undefined
  yield* Console.log(
    runs
      ? `${id} will be sent again within a minute.`
      : `${id} will be sent again when the bot is started.`
  )
})

/** `homing outbox drop ID`: a message that was not sent never will be. */
export const dropMessage = Effect.fn("DropMessage")(function*(report: ConfigReport, id: string) {
  yield* change(report, id, "There is no unsent message", ({ outbox }, transactionId) => outbox.drop(transactionId))
  const runs = (yield* running(report)) !== undefined
  yield* Console.log(
    `${id} will not be sent.` +
      (runs
        ? ` If the bot was sending it this very moment, it stands in the room all the same, and "homing why" says so.`
        : "")
  )
})

/**
 * Safe beside a bot that runs: each change is one statement on one row, SQLite lets one process write after the other, and the bot reads
 * a row anew before every attempt.
 */
const change = Effect.fnUntraced(function*(
  report: ConfigReport,
  id: string,
  otherwise: string,
  apply: (store: Store["Service"], id: TransactionId) => ReturnType<Store["Service"]["outbox"]["retry"]>
) {
  const settings = yield* localSettingsOf(report)
  const transactionId = Schema.decodeUnknownOption(TransactionId)(id)
  const done = Option.isSome(transactionId) && (yield* Store.use((store) => apply(store, transactionId.value)).pipe(
    Effect.provide(Store.layerBeside.pipe(Layer.provide(Layer.succeed(AppConfig, settings))))
  ))
  if (!done) return yield* new NoSuchMessage({ id, problem: otherwise })
})

const running = Effect.fnUntraced(function*(report: ConfigReport) {
  const settings = yield* localSettingsOf(report)
  return yield* Store.holder.pipe(Effect.provide(Layer.succeed(AppConfig, settings)))
})
