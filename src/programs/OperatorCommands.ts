import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import type { ConfigReport } from "../layers/AppConfig/Resolution.ts"

/** `retry` and `drop` do something to one message. Exit code 64. */
export class WhichMessage extends Schema.TaggedError<WhichMessage>()("WhichMessage", { action: Schema.String }) {
  override readonly [Runtime.errorExitCode] = 64
  override get message() {
    return `"homing outbox ${this.action}" needs a transaction id. "homing outbox" lists them.`
  }
}

/** The commands with which an operator looks at what the bot remembers. `settings` are the flags that every command has. */
export const operatorCommands = <E, R>(
  settings: Record<string, Flag.Flag<Option.Option<string>>>,
  read: (flags: Readonly<Record<string, Option.Option<string>>>) => Effect.Effect<ConfigReport, E, R>
) => {
  const outbox = Command.make("outbox", {
    settings,
    action: Argument.Literals("action", ["list", "retry", "drop"]).pipe(
      Argument.withDescription("What to do: list what was not delivered, send one again, or take one out"),
      Argument.withDefault("list")
    ),
    id: Argument.String("id").pipe(
      Argument.withDescription("The transaction id of the message"),
      Argument.withDefault("")
    )
  }, ({ action, id, settings }) =>
    Effect.gen(function*() {
      const { dropMessage, retryMessage, showOutbox } = yield* Effect.promise(() => import("./ShowOutbox.ts"))
      const report = yield* read(settings)
      if (action === "list") return yield* showOutbox(report)
      if (id === "") return yield* new WhichMessage({ action })
      return yield* action === "retry" ? retryMessage(report, id) : dropMessage(report, id)
    })).pipe(Command.withDescription("Show what waits to be sent and what cannot be delivered; retry or drop it"))

  const why = Command.make("why", {
    settings,
    id: Argument.String("id").pipe(
      Argument.withDescription(
        "An event id (in single quotes, since it begins with $), a reference code, or the id of an answer"
      )
    )
  }, ({ id, settings }) =>
    Effect.gen(function*() {
      const { why } = yield* Effect.promise(() => import("./Why.ts"))
      yield* why(yield* read(settings), id)
    })).pipe(Command.withDescription("Tell what became of a message, and why"))

  const log = Command.make("log", {
    settings,
    all: Flag.Boolean("all").pipe(
      Flag.withDescription("Messages that were answered, too, and those in hand"),
      Flag.withDefault(false)
    ),
    json: Flag.Boolean("json").pipe(Flag.withDescription("For programs to read"), Flag.withDefault(false)),
    limit: Flag.Int("limit").pipe(
      Flag.filter((limit) => limit > 0, () => "a number above 0"),
      Flag.withMetavar("number"),
      Flag.withDescription("Lines of each kind (20)"),
      Flag.withDefault(20)
    )
  }, ({ all, json, limit, settings }) =>
    Effect.gen(function*() {
      const { showLog } = yield* Effect.promise(() => import("./ShowLog.ts"))
      yield* showLog(yield* read(settings), { all, json, limit })
    })).pipe(
      Command.withDescription(
        "Show recent reconciliations, messages without an answer, answers that could not be delivered, and gaps"
      )
    )

  const backup = Command.make("backup", {
    settings,
    dir: Argument.String("dir").pipe(
      Argument.withDescription("A new directory, or an existing one that gets a new one inside, named by the time")
    )
  }, ({ dir, settings }) =>
    Effect.gen(function*() {
      const { backup } = yield* Effect.promise(() => import("./Backup.ts"))
      yield* backup(yield* read(settings), dir)
    })).pipe(Command.withDescription("Copy the databases, also while the bot runs"))

  const restore = Command.make("restore", {
    settings,
    dir: Argument.String("dir").pipe(Argument.withDescription("A directory that \"homing backup\" made"))
  }, ({ dir, settings }) =>
    Effect.gen(function*() {
      const { restore } = yield* Effect.promise(() => import("./Restore.ts"))
      yield* restore(yield* read(settings), dir)
    })).pipe(Command.withDescription("Put a backup in place; what was there is moved aside"))

  return [outbox, why, log, backup, restore] as const
}
