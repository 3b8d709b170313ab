import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { AppConfig, localSettingsOf } from "../layers/AppConfig.ts"
import type { ConfigReport } from "../layers/AppConfig/Resolution.ts"
import { Store } from "../layers/Store.ts"

/** `homing restore DIR`: puts a backup in place, once it was found whole. What was there before is moved aside. */
export const restore = Effect.fn("Restore")(function*(report: ConfigReport, dir: string) {
  const settings = yield* localSettingsOf(report)
  const { aside, files, kept } = yield* Store.restore(dir).pipe(Effect.provide(Layer.succeed(AppConfig, settings)))
  yield* Console.log([
    `The backup is whole. Put ${files.join(", ")} into ${settings.dataDir}.`,
    aside === undefined ? `There was no database before.` : `What was there before is in ${aside}.`,
    ...(kept.length === 0
      ? []
      : [`${kept.join(", ")} stayed as they are: keys in use are newer than those of any backup.`]),
    `The next start goes on from where the backup was made: what came since is read again, and answered where the room holds no ` +
    `answer yet.`
  ].join("\n"))
})
