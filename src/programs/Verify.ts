import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Terminal from "effect/Terminal"
import { encryptionLines, encryptionRemedy, whyNotVerified } from "../domain/Encryption.ts"
import { exitCode } from "../domain/Errors.ts"
import type { UserId } from "../domain/Ids.ts"
import { AppConfig, settingsOf } from "../layers/AppConfig.ts"
import { aUserId as decodeUserId, recoveryKey as decodeRecoveryKey } from "../layers/AppConfig/Decode.ts"
import type { ConfigReport } from "../layers/AppConfig/Resolution.ts"
import * as MatrixClient from "../layers/MatrixClient.ts"
import { keysAreGone, keysIn } from "../layers/MatrixClient/KeptDevice.ts"
import { Store } from "../layers/Store.ts"

export interface VerifyOptions {
  /** Reads the recovery key from standard input: an argument would be in `ps`. */
  readonly recoveryKey: boolean
  readonly newRecoveryKey: boolean
  /** Whom to compare emoji with; undefined compares none. */
  readonly with: string | undefined
  /** Says that they match without asking. */
  readonly yes: boolean
}

/** The keys cannot be looked at as things stand. `advice` is a sentence. Exit code 77. */
export class NothingToVerify extends Schema.TaggedError<NothingToVerify>()("NothingToVerify", {
  detail: Schema.String,
  advice: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = exitCode.credentialsRefused
  override get message() {
    return `${this.detail} ${this.advice}`
  }
}

/** A bot uses the keys. Exit code 75. */
export class KeysInUse extends Schema.TaggedError<KeysInUse>()("KeysInUse", { holder: Schema.String }) {
  override readonly [Runtime.errorExitCode] = exitCode.leaseHeld
  override get message() {
    return `A bot is running on these keys (${this.holder}), and they belong to one process at a time. Stop it first. It sets up by itself ` +
      `what it can: see "device_verified" in its log.`
  }
}

/** The options do not go together, or not with the configuration. Nothing was done. Exit code 64. */
export class CannotVerifySo extends Schema.TaggedError<CannotVerifySo>()("CannotVerifySo", {
  detail: Schema.String,
  advice: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 64
  override get message() {
    return `${this.detail} ${this.advice}`
  }
}

/** Nobody was verified. Exit code 1. */
export class NotVerified extends Schema.TaggedError<NotVerified>()("NotVerified", { detail: Schema.String }) {
  override readonly [Runtime.errorExitCode] = 1
  override get message() {
    return this.detail
  }
}

/**
 * `homing verify`: how the bot's device stands. With a recovery key it takes over the account's identity and its backup; it can print a new
 * one. The keys belong to one process at a time: refused while a bot runs.
 */
export const verify = Effect.fn("Verify")(function*(report: ConfigReport, options: VerifyOptions) {
  if ([options.recoveryKey, options.newRecoveryKey, options.with !== undefined].filter((given) => given).length > 1) {
    return yield* new CannotVerifySo({
      detail: "--recovery-key takes a key over, --new-recovery-key makes one, and --with compares emoji.",
      advice: "Give one of them at a time."
    })
  }
  const person = options.with === undefined ? undefined : yield* personOf(options.with)
  if (person !== undefined && !options.yes && !(yield* isAtTerminal)) {
    return yield* new CannotVerifySo({
      detail: "There is no terminal where somebody could compare emoji.",
      advice: "Run it in one, or add --yes to say that they match without looking."
    })
  }
  const configured = yield* settingsOf(report)
  if (options.newRecoveryKey && configured.recoveryKey !== undefined) {
    return yield* new CannotVerifySo({
      detail: "A recovery key is configured, and would open nothing once there is a new one.",
      advice:
        "Take recovery_key (HOMING_RECOVERY_KEY, HOMING_RECOVERY_KEY_FILE) out of the configuration first; the new key can take its place."
    })
  }
  const settings = options.recoveryKey ? { ...configured, recoveryKey: yield* readKey } : configured
  const config = Layer.succeed(AppConfig, settings)
  const looking = Layer.provide(Store.layerReadOnly, config)
  const session = yield* Effect.flatMap(Store, (store) => store.session.load).pipe(Effect.provide(looking))
  if (session === undefined) {
    return yield* new NothingToVerify({
      detail: "There is no session yet.",
      advice: "The first start signs in, and sets up verification by itself."
    })
  }
  // To open keys that are lost would make new ones.
  if ((yield* keysIn(settings.dataDir)) === undefined) return yield* keysAreGone(settings.dataDir, session.deviceId)
  const holder = yield* Store.holder.pipe(Effect.provide(config))
  if (holder !== undefined) return yield* new KeysInUse({ holder: holder.holder })
  const work = person === undefined
    ? show(options, settings.recoveryKey !== undefined)
    : compareWith(person, options.yes)
  yield* work.pipe(
    Effect.provide(MatrixClient.layer.pipe(Layer.provideMerge(Store.layer), Layer.provide(config)))
  )
})

const show = Effect.fnUntraced(function*({ newRecoveryKey }: VerifyOptions, hasKey: boolean) {
  yield* (yield* MatrixClient.MatrixSession).authenticate
  const crypto = yield* MatrixClient.MatrixCrypto
  if (newRecoveryKey) {
    yield* Console.log(
      `The new recovery key. It is shown this once and kept nowhere:\n\n  ${
        Redacted.value(yield* crypto.renewRecoveryKey)
      }\n`
    )
  }
  const state = hasKey || newRecoveryKey ? yield* crypto.establish : yield* crypto.state
  if (state === undefined) return
  const remedy = encryptionRemedy(state)
  yield* Console.log([...encryptionLines(state), ...(remedy === undefined ? [] : ["", remedy])].join("\n"))
})

/** Output that goes elsewhere has no columns. */
const isAtTerminal = Effect.flatMap(Terminal.Terminal, ({ columns }) => Effect.map(columns, (count) => count > 0))

const personOf = (text: string) =>
  Effect.mapError(
    Effect.fromResult(decodeUserId(text)),
    (problem) => new CannotVerifySo({ detail: `--with: ${problem}.`, advice: "Write it in full." })
  )

/**
 * A bot that never answers: it syncs from where the bot stopped, and keeps nothing of what comes but its keys, so that the bot finds the
 * same messages at its next start.
 */
const compareWith = Effect.fnUntraced(function*(person: UserId, yes: boolean) {
  yield* (yield* MatrixClient.MatrixSession).authenticate
  const { compare, decrypt } = yield* MatrixClient.MatrixCrypto
  const sync = yield* MatrixClient.MatrixSync
  const { timelines } = yield* sync.initialSync(yield* (yield* Store).cursor)
  yield* Console.log(`Asking ${person}, who has to accept it within 10 minutes.`)
  const decide = yield* (yes ? Effect.succeed(takenAtTheirWord) : askTerminal)
  // What is said of it in an encrypted room reaches the SDK once it is opened.
  const open = (batch: { readonly timelines: typeof timelines }) =>
    Effect.forEach(
      batch.timelines,
      ({ events, roomId }) =>
        Effect.forEach(events.filter(({ type }) => type === "m.room.encrypted"), (event) =>
          Effect.ignore(decrypt(roomId, event))),
      { discard: true }
    )
  const end = yield* Effect.raceFirst(
    compare(person, decide),
    sync.loop((batch) => batch.initial ? Effect.void : open(batch))
  )
  const why = whyNotVerified(end, person)
  if (why !== undefined) return yield* new NotVerified({ detail: why })
  yield* Console.log(`Verified: the bot and ${person} know each other's keys.`)
})

type Emoji = ReadonlyArray<readonly [symbol: string, name: string]>

const shownEmoji = (emoji: Emoji): string => emoji.map(([symbol, name]) => `  ${symbol}  ${name}`).join("\n")

const takenAtTheirWord = (emoji: Emoji) => Effect.as(Console.log(`${shownEmoji(emoji)}\n`), true)

const askTerminal = Effect.map(Terminal.Terminal, (terminal) => {
  const answer: Effect.Effect<boolean> = terminal.display("Do they match? [y/n] ").pipe(
    Effect.andThen(terminal.readLine),
    Effect.flatMap((line) =>
      /^y(es)?$/i.test(line.trim())
        ? Effect.succeed(true)
        : /^no?$/i.test(line.trim())
        ? Effect.succeed(false)
        : Effect.suspend(() => answer)
    ),
    // Nobody is there any more who could have looked.
    Effect.orElseSucceed(() => false)
  )
  return (emoji: Emoji) =>
    Effect.andThen(Console.log(`The other side sees, in this order:\n\n${shownEmoji(emoji)}\n`), answer)
})

const readKey = Effect.gen(function*() {
  const terminal = yield* Terminal.Terminal
  const line = yield* terminal.readLine
  const key = yield* Effect.fromResult(decodeRecoveryKey(line.trim()))
  return key
}).pipe(
  Effect.catch((problem) =>
    Effect.fail(
      new NothingToVerify({
        detail: typeof problem === "string" ? `On standard input: ${problem}.` : "There is nothing on standard input.",
        advice: "homing verify --recovery-key < recovery.key"
      })
    )
  )
)
