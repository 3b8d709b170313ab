import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Terminal from "effect/Terminal"
import { encryptionLines, encryptionRemedy } from "../domain/Encryption.ts"
import { exitCode } from "../domain/Errors.ts"
import { AppConfig, settingsOf } from "../layers/AppConfig.ts"
import { recoveryKey as decodeRecoveryKey } from "../layers/AppConfig/Decode.ts"
import type { ConfigReport } from "../layers/AppConfig/Resolution.ts"
import * as MatrixClient from "../layers/MatrixClient.ts"
import { keysAreGone, keysIn } from "../layers/MatrixClient/KeptDevice.ts"
import { Store } from "../layers/Store.ts"

export interface VerifyOptions {
  /** Reads the recovery key from standard input: an argument would be in `ps`. */
  readonly recoveryKey: boolean
  readonly newRecoveryKey: boolean
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

/**
 * `homing verify`: how the bot's device stands. With a recovery key it takes over the account's identity and its backup; it can print a new
 * one. The keys belong to one process at a time: refused while a bot runs.
 */
export const verify = Effect.fn("Verify")(function*(report: ConfigReport, options: VerifyOptions) {
  if (options.recoveryKey && options.newRecoveryKey) {
    return yield* new CannotVerifySo({
      detail: "--recovery-key takes a key over, and --new-recovery-key makes one.",
      advice: "Give one of them at a time."
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
  if (holder !== undefined) {
    return yield* new NothingToVerify({
      detail: `A bot is running on these keys (${holder.holder}), and they belong to one process at a time.`,
      advice: `Stop it first. It sets up by itself what it can: see "device_verified" in its log.`
    })
  }
  yield* show(options, settings.recoveryKey !== undefined).pipe(
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
