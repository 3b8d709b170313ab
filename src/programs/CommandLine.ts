import * as CliConfig from "effect/cli/CliConfig"
import type * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { readConfig } from "../layers/AppConfig.ts"
import type { ConfigReport } from "../layers/AppConfig/Resolution.ts"
import { flagName, settingKeys, settingsTable, variableName } from "../layers/AppConfig/SettingsTable.ts"
import type { Flags } from "../layers/AppConfig/Sources.ts"
import { chatCommands } from "./ChatCommands.ts"
import { operatorCommands } from "./OperatorCommands.ts"
import type { SandboxOptions } from "./Sandbox.ts"

/** The version in package.json; a test keeps them the same. */
export const version = "0.1.0"

/** A command or flag that does not exist. Exit code 64. */
export class WrongUsage extends Schema.TaggedError<WrongUsage>()("WrongUsage", {
  command: Schema.String,
  problems: Schema.Array(Schema.String)
}) {
  override readonly [Runtime.errorExitCode] = 64
  override get message() {
    return `${this.problems.join("\n")}\nRun "${this.command} --help" to see what there is.`
  }
}

// --- flags: one for each setting; a secret has one for the file that holds it

const settingFlags: Record<string, Flag.Flag<Option.Option<string>>> = {
  config: Flag.String("config").pipe(
    Flag.withMetavar("path"),
    Flag.withDescription("Configuration file (./homing.toml when there is one)"),
    Flag.optional
  )
}
for (const key of settingKeys) {
  const { default: fallback, description, metavar, secret } = settingsTable[key]
  settingFlags[flagName(key)] = Flag.String(flagName(key)).pipe(
    Flag.withMetavar(secret ? "path" : metavar),
    Flag.withDescription(
      description + (secret ? ", read from this file" : "") + (fallback === "" ? "" : ` (${fallback})`)
    ),
    Flag.optional
  )
}

const given = (flags: Readonly<Record<string, Option.Option<string>>>): Flags =>
  Object.fromEntries(
    Object.entries(flags).flatMap(([name, value]) => Option.isSome(value) ? [[name, value.value]] : [])
  )

// --- commands: each imports what it needs when it runs, so that help and errors need not wait for it

const run = Command.make("run", settingFlags, (flags) => Effect.flatMap(readConfig(given(flags)), runWith)).pipe(
  Command.withDescription("Sign in and answer until stopped"),
  Command.withExamples([{ command: "homing run --log-format json", description: "As in a container" }])
)

const sandboxPort = Flag.Int("port").pipe(
  Flag.filter((port) => port >= 0 && port <= 65_535, () => "a port from 1 to 65535"),
  Flag.withMetavar("port"),
  Flag.withDescription("Port of the sandbox's homeserver on loopback (any free one)"),
  Flag.optional
)

const sandboxBot = Flag.String("bot").pipe(
  Flag.withMetavar("file"),
  Flag.withDescription("A bot of your own for the sandbox, such as examples/dice.ts (one that echoes)"),
  Flag.optional
)

const sandbox = Command.make("sandbox", {
  port: sandboxPort,
  bot: sandboxBot,
  dataDir: Flag.String("data-dir").pipe(
    Flag.withMetavar("path"),
    Flag.withDescription("Directory that keeps everything for the next time (nothing is kept)"),
    Flag.optional
  )
}, ({ bot, dataDir, port }) =>
  runSandbox({
    bot: Option.getOrUndefined(bot),
    port: Option.getOrUndefined(port),
    dataDir: Option.getOrUndefined(dataDir)
  }))
  .pipe(
    Command.withDescription("Try everything on this machine: a homeserver, the bot and a chat, with nothing to set up")
  )

/** What somebody set who may have meant another start than that of the sandbox. */
const tellUnused = Effect.fnUntraced(function*({ table, warnings }: ConfigReport) {
  for (const warning of warnings) yield* Console.error(`homing: warning: ${warning}`)
  const unused = table.filter(({ setting, source }) => source !== "default" && setting !== "data_dir")
  if (unused.length > 0) {
    const names = unused.map(({ name }) => name).join(", ")
    yield* Console.error(`homing: no homeserver is set, so this is the sandbox, which does not use ${names}.`)
  }
})

const start = Command.make(
  "start",
  { settings: settingFlags, port: sandboxPort, bot: sandboxBot },
  Effect.fnUntraced(function*({ bot, port, settings }) {
    const flags = given(settings)
    const report = yield* readConfig(flags)
    if (!namesHomeserver(report)) {
      yield* tellUnused(report)
      return yield* runSandbox({
        bot: Option.getOrUndefined(bot),
        port: Option.getOrUndefined(port),
        dataDir: flags["data-dir"]
      })
    }
    const ofTheSandbox = Object.entries({ port: Option.isSome(port), bot: Option.isSome(bot) }).filter(([, isGiven]) =>
      isGiven
    )
    if (ofTheSandbox.length === 0) return yield* runWith(report)
    return yield* new WrongUsage({
      command: "homing start",
      problems: ofTheSandbox.map(([name]) =>
        `--${name} is the sandbox's, and a homeserver is configured: leave it out, or run "homing sandbox".`
      )
    })
  })
).pipe(Command.withDescription("run when a homeserver is configured, else sandbox"))

const config = Command.make("config", {
  settings: settingFlags,
  json: Flag.Boolean("json").pipe(Flag.withDescription("For programs to read"), Flag.withDefault(false))
}, ({ json, settings }) =>
  Effect.promise(() => import("./ShowConfig.ts")).pipe(
    Effect.flatMap(({ showConfig }) => showConfig(given(settings), { json }))
  )).pipe(Command.withDescription("Show every setting, its value and where it came from"))

const doctor = Command.make("doctor", settingFlags, (flags) =>
  Effect.promise(() => import("./Doctor.ts")).pipe(
    Effect.flatMap(({ doctor }) => Effect.flatMap(readConfig(given(flags)), doctor))
  )).pipe(Command.withDescription("Check everything that a start needs, and say what to do; changes nothing"))

const signOut = Command.make("sign-out", settingFlags, (flags) =>
  Effect.promise(() => import("./SignOut.ts")).pipe(
    Effect.flatMap(({ signOutConfigured }) => Effect.flatMap(readConfig(given(flags)), signOutConfigured))
  )).pipe(Command.withDescription("End the session on the homeserver and forget it here; chats are kept"))

const verify = Command.make("verify", {
  settings: settingFlags,
  recoveryKey: Flag.Boolean("recovery-key").pipe(
    Flag.withDescription("Read the account's recovery key from standard input, and take over its identity and backup"),
    Flag.withDefault(false)
  ),
  newRecoveryKey: Flag.Boolean("new-recovery-key").pipe(
    Flag.withDescription("Make a new recovery key, and print it this once"),
    Flag.withDefault(false)
  ),
  with: Flag.String("with").pipe(
    Flag.withMetavar("user"),
    Flag.withDescription("Compare emoji with this person, or with the account's other sessions"),
    Flag.optional
  ),
  yes: Flag.Boolean("yes").pipe(
    Flag.withDescription("Say that the emoji match without asking"),
    Flag.withDefault(false)
  )
}, ({ newRecoveryKey, recoveryKey, settings, with: person, yes }) =>
  Effect.promise(() => import("./Verify.ts")).pipe(
    Effect.flatMap(({ verify }) =>
      Effect.flatMap(readConfig(given(settings)), (report) =>
        verify(report, { newRecoveryKey, recoveryKey, with: Option.getOrUndefined(person), yes }))
    )
  )).pipe(
    Command.withDescription("Show whether others see the bot as verified and its keys are backed up, and set it up")
  )

const homing = Command.make("homing").pipe(
  Command.withDescription(
    "A Matrix bot that comes back into every conversation it had.\n\n" +
      "A setting is taken from its flag, the environment (HOMING_HOMESERVER_URL, or HOMING_PASSWORD_FILE for a file that " +
      "holds the value), .env, homing.toml or its default, in this order."
  ),
  Command.withSubcommands([
    start,
    run,
    sandbox,
    config,
    doctor,
    signOut,
    verify,
    ...chatCommands(settingFlags, (flags) => readConfig(given(flags))),
    ...operatorCommands(settingFlags, (flags) => readConfig(given(flags)))
  ])
)

/**
 * Whether any source says which homeserver to use. A value that cannot be used counts, and so does a file that cannot be
 * read: a sandbox in their place would hide the problem.
 */
export const namesHomeserver = ({ problems, table }: ConfigReport): boolean =>
  table.some((row) => row.value !== undefined && homeserverSettings.includes(row.setting)) ||
  problems.some(({ setting }) => setting === "config" || setting === ".env")

const homeserverSettings = ["homeserver_url", "server_name", "user_id"]

const runWith = (report: ConfigReport) =>
  Effect.flatMap(Effect.promise(() => import("./RunConfigured.ts")), ({ runConfigured }) => runConfigured(report))

const runSandbox = (options: SandboxOptions) =>
  Effect.flatMap(Effect.promise(() => import("./Sandbox.ts")), ({ sandbox }) => sandbox(options))

// --- output: help is what was asked for; a mistake gets a paragraph, not a page

const presenter: CliOutput.Presenter = {
  present: (event) => event._tag === "InvalidInvocation" ? Effect.void : CliOutput.defaultPresenter.present(event)
}

const wrongUsage = (error: CliError.ShowHelp): Effect.Effect<void, WrongUsage> =>
  error.errors.length === 0
    ? Effect.void
    : new WrongUsage({
      command: error.commandPath.join(" "),
      problems: error.errors.map((problem) => inWords(problem, error.commandPath.join(" ")))
    })

const inWords = (problem: CliError.NonShowHelpErrors, command: string): string => {
  switch (problem._tag) {
    case "UnknownSubcommand":
      return `there is no command "${problem.subcommand}".${didYouMean(problem.suggestions)}`
    case "UnrecognizedOption": {
      const key = settingKeys.find((key) =>
        settingsTable[key].secret && `${problem.option}-file` === `--${flagName(key)}`
      )
      return key === undefined
        ? `"${command}" has no flag ${problem.option}.${didYouMean(problem.suggestions)}`
        : `there is no flag ${problem.option}, since everybody on this machine could read it. ` +
          `Use --${flagName(key)} or ${variableName(key)}.`
    }
    default:
      return problem.message
  }
}

const didYouMean = (suggestions: ReadonlyArray<string>): string =>
  suggestions.length === 0 ? "" : ` Did you mean ${suggestions.join(" or ")}?`

/** Runs the command that `args` (without program and script) name. */
export const commandLine = (args: ReadonlyArray<string>) =>
  Command.runWith(homing, { version })(args).pipe(
    Effect.catchTag("ShowHelp", wrongUsage),
    Effect.provide(Layer.mergeAll(
      CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
      CliOutput.layerPresenter(presenter)
    ))
  )
