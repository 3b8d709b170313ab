import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ConfigReport } from "../layers/AppConfig/Resolution.ts"

const json = Flag.Boolean("json").pipe(Flag.withDescription("For programs to read"), Flag.withDefault(false))

const flag = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false))

/** The commands about chats and the rooms that show them. `settings` are the flags that every command has. */
export const chatCommands = <E, R>(
  settings: Record<string, Flag.Flag<Option.Option<string>>>,
  read: (flags: Readonly<Record<string, Option.Option<string>>>) => Effect.Effect<ConfigReport, E, R>
) => {
  const chats = Command.make("chats", {
    settings,
    archived: flag("archived", "The archived ones, too"),
    json
  }, ({ archived, json, settings }) =>
    Effect.gen(function*() {
      const { showChats } = yield* Effect.promise(() => import("./ShowChats.ts"))
      yield* showChats(yield* read(settings), { archived, json })
    })).pipe(Command.withDescription("List the chats, their owners and rooms, and when somebody last wrote"))

  const reports = Command.make("reports", {
    settings,
    limit: Flag.Int("limit").pipe(
      Flag.filter((limit) => limit > 0, () => "a number above 0"),
      Flag.withMetavar("number"),
      Flag.withDescription("How many, the newest first (10)"),
      Flag.withDefault(10)
    ),
    json
  }, ({ json, limit, settings }) =>
    Effect.gen(function*() {
      const { showReports } = yield* Effect.promise(() => import("./ShowReports.ts"))
      yield* showReports(yield* read(settings), { json, limit })
    })).pipe(Command.withDescription("Show what past reconciliations found, and what settles it"))

  const reconcile = Command.make("reconcile", {
    settings,
    dryRun: flag("dry-run", "Show what a start would decide now; changes nothing"),
    json
  }, ({ dryRun, json, settings }) =>
    Effect.gen(function*() {
      const { OnlyTheBotReconciles, previewReconciliation } = yield* Effect.promise(() =>
        import("./PreviewReconciliation.ts")
      )
      if (!dryRun) return yield* new OnlyTheBotReconciles()
      yield* previewReconciliation(yield* read(settings), { json })
    })).pipe(Command.withDescription("Show what a start would decide about rooms and chats (--dry-run)"))

  const reset = Command.make("reset", {
    settings,
    local: flag("local", "Forget what is remembered on this machine; the next start finds the chats again"),
    crypto: flag("crypto", "With --local: forget the bot's device and its keys, too"),
    server: flag("server", "Empty the bot's markers in all rooms"),
    rooms: flag("rooms", "Leave and forget the rooms and Spaces that the bot made"),
    allRooms: flag("all-rooms", "Leave and forget all rooms that the bot is in"),
    dryRun: flag("dry-run", "Show what would be done; changes nothing"),
    yes: flag("yes", "Do not ask"),
    backup: Flag.String("backup").pipe(
      Flag.withMetavar("path"),
      Flag.withDescription("Where the backup goes (a new directory beside the data directory)"),
      Flag.optional
    )
  }, ({ allRooms, backup, rooms, settings, ...options }) =>
    Effect.gen(function*() {
      const { reset } = yield* Effect.promise(() => import("./Reset.ts"))
      yield* reset(yield* read(settings), {
        ...options,
        rooms: allRooms ? "all" : rooms ? "own" : "none",
        backup: Option.getOrUndefined(backup)
      })
    })).pipe(Command.withDescription("Forget chats, markers or rooms, after a backup and a question"))

  return [chats, reports, reconcile, reset] as const
}
