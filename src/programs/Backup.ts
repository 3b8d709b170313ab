import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { AppConfig, localSettingsOf } from "../layers/AppConfig.ts"
import type { ConfigReport } from "../layers/AppConfig/Resolution.ts"
import { Store } from "../layers/Store.ts"

/** `homing backup DIR`: a consistent copy of every database, also while the bot runs. Overwrites nothing. */
export const backup = Effect.fn("Backup")(function*(report: ConfigReport, dir: string) {
  const settings = yield* localSettingsOf(report)
  const made = yield* Store.backUp(dir).pipe(Effect.provide(Layer.succeed(AppConfig, settings)))
  yield* Console.log(
    `Copied ${made.files.join(", ")} to ${made.dir}.\n` +
      `They hold the bot's access token: keep them where nobody else can read them.`
  )
})
