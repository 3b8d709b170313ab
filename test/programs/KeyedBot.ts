import { type Context, Effect, Schedule } from "effect"
import { UserId } from "../../src/domain/Ids.ts"
import type { Settings } from "../../src/layers/AppConfig.ts"
import { Door } from "../../src/layers/Homeserver/Door.ts"
import * as MatrixClient from "../../src/layers/MatrixClient.ts"
import type { Store } from "../../src/layers/Store.ts"
import { aDatabase, type Bot, startBot } from "./World.ts"

export const idOf = (name: string) => `@${name}:homing.test`

interface Options {
  readonly dataDir: string
  readonly database?: Context.Context<Store>
  readonly settings?: Partial<Settings>
}

/** A bot with keys on an account of its own, over HTTP. */
export const botAs = Effect.fn("botAs")(function*(name: string, { dataDir, database, settings }: Options) {
  const { url } = yield* Door
  const known = database ?? (yield* aDatabase)
  const bot = yield* startBot({
    database: known,
    settings: { dataDir, homeserverUrl: new URL(url), userId: UserId.make(idOf(name)), ...settings },
    client: MatrixClient.layer
  })
  return { ...bot, database: known }
})

/** The line of the log, once it is there. */
export const logged = (bot: Bot, event: string) =>
  Effect.sync(() => bot.log.find((line) => line.event === event)).pipe(
    Effect.repeat({ until: (line) => line !== undefined, schedule: Schedule.spaced("20 millis") }),
    Effect.map((line) => line?.data ?? {})
  )

export const until = <R>(condition: Effect.Effect<boolean, never, R>) =>
  Effect.repeat(condition, { until: (met) => met, schedule: Schedule.spaced("50 millis") })
