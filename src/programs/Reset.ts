import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Terminal from "effect/Terminal"
import { afterFailure } from "../domain/Delivery.ts"
import type { MatrixFailure, StoreUnavailable } from "../domain/Errors.ts"
import type { RoomId } from "../domain/Ids.ts"
import { plural } from "../domain/Plural.ts"
import { AccountLook } from "../layers/AccountLook.ts"
import { AppConfig, localSettingsOf } from "../layers/AppConfig.ts"
import type { ConfigReport } from "../layers/AppConfig/Resolution.ts"
import { ChatManager } from "../layers/ChatManager.ts"
import { MatrixProvisioning } from "../layers/MatrixClient.ts"
import * as Operator from "../layers/MatrixClient/Operator.ts"
import { Store } from "../layers/Store.ts"
import { planReset, type ResetOptions, type ResetPlan } from "./Reset/Plan.ts"

/** `homing reset` alone, or `--crypto` without `--local`. Exit code 64. */
export class NothingToReset extends Schema.TaggedError<NothingToReset>()("NothingToReset", {}) {
  override readonly [Runtime.errorExitCode] = 64
  override get message() {
    return `Say what to reset: --local (what is remembered on this machine; with --crypto the device and its keys, too), ` +
      `--server (the markers), --rooms (leaves those that the bot made; --all-rooms leaves all). --dry-run shows what would be done.`
  }
}

/** Nobody said yes. Exit code 1. */
export class NotConfirmed extends Schema.TaggedError<NotConfirmed>()("NotConfirmed", {}) {
  override readonly [Runtime.errorExitCode] = 1
  override get message() {
    return `Nothing was changed. Answer "yes" to go on, or add --yes where nobody can.`
  }
}

/** Some rooms stayed as they were. What was done is done; the same command does the rest. Exit code 1. */
export class ResetIncomplete extends Schema.TaggedError<ResetIncomplete>()("ResetIncomplete", {
  problems: Schema.Array(Schema.String)
}) {
  override readonly [Runtime.errorExitCode] = 1
  override get message() {
    const shown = this.problems.slice(0, 5).map((problem) => `  ${problem}`)
    const more = this.problems.length - shown.length
    return `${plural(this.problems.length, "room")} could not be reset:\n${shown.join("\n")}\n` +
      `${
        more > 0 ? `  and ${more} more\n` : ""
      }What is remembered here was kept. Run the same command again for the rest.`
  }
}

/**
 * `homing reset`: shows what it would do, asks, makes a backup, and does it. No bot may run meanwhile, so that none writes again what is
 * taken away. First the server, then this machine: what fails on the way can be done again, because it is still known here.
 */
export const reset = Effect.fn("Reset")(function*(
  report: ConfigReport,
  options: ResetOptions & { readonly dryRun: boolean; readonly yes: boolean; readonly backup: string | undefined }
) {
  if (!(options.local || options.server || options.rooms !== "none") || (options.crypto && !options.local)) {
    return yield* new NothingToReset()
  }
  const settings = yield* localSettingsOf(report)
  const config = Layer.succeed(AppConfig, settings)
  const layer = Layer.mergeAll(Operator.layer, ChatManager.layer)

  if (options.dryRun) {
    const plan = yield* drawUp(options).pipe(
      Effect.provide(layer.pipe(Layer.provideMerge(Store.layerReadOnly), Layer.provideMerge(config)))
    )
    const holder = yield* Store.holder.pipe(Effect.provide(config))
    const stopIt = holder === undefined ? "" : " A bot is running on it, and has to be stopped first."
    return yield* Console.log(`${plan.text}\n\nThis is what would be done; nothing was changed.${stopIt}`)
  }

  // Before the lease, which would make the directory of a bot that was never there.
  yield* Effect.scoped(Layer.build(Layer.provide(Store.layerReadOnly, config)))
  const now = new Date(yield* Clock.currentTimeMillis).toISOString().replace(/\.\d+/, "").replaceAll(":", "-")
  const dir = options.backup ?? `${settings.dataDir}-before-reset-${now}`
  yield* Effect.gen(function*() {
    yield* Store.lease
    const { made, plan } = yield* Effect.gen(function*() {
      const plan = yield* drawUp(options)
      yield* Console.log(plan.text)
      if (!options.yes) yield* confirmed
      const made = yield* Store.backUp(dir)
      yield* Console.log(`\nThe backup is in ${made.dir}; "homing restore" puts it back.`)
      yield* changeServer(plan)
      if (plan.local !== undefined) yield* (yield* Store).forget(plan.local)
      return { made, plan }
    }).pipe(Effect.provide(Layer.provideMerge(layer, Store.layerBeside)))
    if (plan.local === "nothing") yield* Store.forgetKeys(made.dir)
    yield* Console.log("Done.")
  }).pipe(Effect.scoped, Effect.provide(config))
})

/** Looks at what there is. Asks the server only when it is meant. */
const drawUp = Effect.fn("Reset.drawUp")(function*(options: ResetOptions) {
  const { dataDir } = yield* AppConfig
  const store = yield* Store
  const chats = yield* store.chats.all
  const [inbox, outbox] = [yield* store.inbox.counts, yield* store.outbox.counts]
  const seen = options.server || options.rooms !== "none" ? yield* (yield* AccountLook).look : undefined
  return planReset(options, {
    dataDir,
    account: seen?.account,
    chats: chats.length,
    roomless: chats.filter(({ binding }) => binding === null).length,
    unfinished: inbox.pending + outbox.pending,
    server: seen && { url: seen.homeserverUrl, rooms: seen.rooms }
  })
})

const confirmed = Effect.gen(function*() {
  const terminal = yield* Terminal.Terminal
  yield* terminal.display(`\nType "yes" to go on: `)
  const answer = yield* terminal.readLine
  if (!/^y(es)?$/i.test(answer.trim())) return yield* new NotConfirmed()
}).pipe(
  Effect.catchTags({ QuitError: () => new NotConfirmed(), PlatformError: () => new NotConfirmed() })
)

/** Empties the markers and leaves the rooms, several at a time. A marker goes before its room is left: afterwards it could not be seen. */
const changeServer = Effect.fn("Reset.changeServer")(function*({ leave, markers }: ResetPlan) {
  const provisioning = yield* MatrixProvisioning
  const emptied = yield* each(markers, (room) => provisioning.writeMarker(room, undefined))
  const left = yield* each(
    leave,
    Effect.fnUntraced(function*(room) {
      yield* provisioning.leave(room)
      yield* provisioning.forget(room)
      const chat = yield* (yield* Store).chats.byRoom(room)
      if (chat === undefined) return
      yield* (yield* ChatManager).detach(chat.id, "left").pipe(Effect.catchTag("ChatNotFound", Effect.die))
    })
  )
  const problems = [...emptied, ...left]
  if (problems.length > 0) return yield* new ResetIncomplete({ problems })
  if (markers.length > 0) yield* Console.log(`Emptied the marker of ${plural(markers.length, "room")}.`)
  if (leave.length > 0) yield* Console.log(`Left and forgot ${plural(leave.length, "room")}.`)
})

/** So often a request is made before its room is left as it is: a limit of the server passes in between. */
const attempts = 8

type Change<R> = Effect.Effect<void, MatrixFailure | StoreUnavailable, R>

/** Changes every room that can be changed, and answers what could not, a line for each. */
const each = <R>(rooms: ReadonlyArray<RoomId>, change: (room: RoomId) => Change<R>) =>
  Effect.map(
    Effect.forEach(rooms, (room) => changeOne(room, change(room), 1), { concurrency: 4 }),
    (problems) => problems.flat()
  )

const changeOne = <R>(
  room: RoomId,
  change: Change<R>,
  attempt: number
): Effect.Effect<ReadonlyArray<string>, StoreUnavailable, R> =>
  change.pipe(
    Effect.as([]),
    Effect.catchTag("MatrixFailure", ({ message, reason }) => {
      const next = afterFailure(reason, attempt)
      return next._tag === "Dead" || attempt === attempts
        ? Effect.succeed([`${room}: ${message}`])
        : Effect.andThen(Effect.sleep(next.after), changeOne(room, change, attempt + 1))
    })
  )
