/** What begins with a slash: the sandbox itself answers it, not the bot. */
import * as Effect from "effect/Effect"
import { commandNames } from "../../domain/Command.ts"
import { suggest } from "../../layers/AppConfig/Suggestion.ts"
import type { PersonRefused } from "../../layers/Homeserver/Person.ts"
import { BotProcess, type Restart } from "./BotProcess.ts"
import type { NoPlace } from "./Errors.ts"
import { Talk } from "./Talk.ts"
import { type Completer, Terminal } from "./Terminal.ts"

/** What became of a line. */
export type Outcome = "done" | "unanswered" | "quit"

interface SandboxCommand {
  readonly usage: string
  readonly summary: string
  /** `argument`: what stands after the name, trimmed. */
  readonly run: (argument: string) => Effect.Effect<Outcome, NoPlace | PersonRefused, BotProcess | Talk | Terminal>
}

const restart = (how: Restart) =>
  Effect.gen(function*() {
    const { note } = yield* Terminal
    yield* note(
      how.signal === "SIGTERM"
        ? "the bot is asked to stop, and is started again on the same data"
        : how.loseDatabase === true
        ? "the bot is killed, homing.db and crypto.db are deleted (recovery.key stays), and it is started again"
        : "the bot is killed (kill -9), and is started again on the same data"
    )
    yield* (yield* BotProcess).restart(how)
    return "done" as const
  })

const commands: Readonly<Record<string, SandboxCommand>> = {
  help: {
    usage: "",
    summary: "Lists these commands",
    run: () => Effect.as(Effect.flatMap(Terminal, ({ print }) => print(helpText, 20)), "done")
  },
  restart: {
    usage: "",
    summary: "Stops the bot and starts it again on the same data",
    run: () => restart({ signal: "SIGTERM" })
  },
  kill: {
    usage: "",
    summary: "Kills its process (kill -9) and starts it again on the same data",
    run: () => restart({ signal: "SIGKILL" })
  },
  "lose-database": {
    usage: "",
    summary: "Kills it and deletes its databases, not recovery.key: its chats come back from the rooms",
    run: () => restart({ signal: "SIGKILL", loseDatabase: true })
  },
  new: {
    usage: "[title]",
    summary: "Makes another room, invites the bot and goes there",
    run: Effect.fnUntraced(function*(title) {
      const talk = yield* Talk
      const name = title === "" ? `Room ${(yield* talk.rooms).length + 1}` : title
      yield* (yield* Terminal).note(`you make the room ${name} and invite the bot`)
      return (yield* talk.open(name)) ? "done" : "unanswered"
    })
  },
  rooms: { usage: "[number]", summary: "Lists the rooms, or goes to one", run: (argument) => rooms(argument) },
  room: { usage: "<number>", summary: "Goes to a room", run: (argument) => rooms(argument) },
  quit: { usage: "", summary: "Ends the sandbox; so do Ctrl-C and Ctrl-D", run: () => Effect.succeed("quit") }
}

const rooms = Effect.fnUntraced(function*(argument: string): Effect.fn.Return<Outcome, never, Talk | Terminal> {
  const terminal = yield* Terminal
  const talk = yield* Talk
  const all = yield* talk.rooms
  if (argument === "") {
    yield* terminal.print(
      all.map(({ bot, current, title }, index) =>
        `${current ? "*" : " "} ${index + 1}  ${title}${bot === "join" ? "" : `  (the bot is not here: ${bot})`}`
      ).join("\n"),
      5
    )
    return "done"
  }
  const room = all[Number(argument) - 1]
  if (room === undefined) yield* terminal.note(`there is no room ${argument}; /rooms lists them`)
  else {
    yield* talk.enter(room)
    yield* terminal.note(`you are in ${room.title}`)
  }
  return "done"
})

const names = Object.keys(commands)

const helpText = [
  ...Object.entries(commands).map(([name, { summary, usage }]) => `  ${`/${name} ${usage}`.padEnd(18)}${summary}`),
  `  ${"//text".padEnd(18)}Says "/text" to the bot`,
  "",
  "  Everything else goes to the bot; !help lists what it knows. What you write",
  "  while it is away waits for it.",
  "",
  "  npm start -- --data-dir DIRECTORY keeps the rooms for the next time."
].join("\n")

/** Does what a line says: a command of the sandbox is carried out, all else is said in the current room. */
export const handleLine = Effect.fn("Sandbox.handleLine")(function*(line: string) {
  const typed = /^\/([\p{L}-]+)(?:\s+(.*))?$/u.exec(line)
  const terminal = yield* Terminal
  if (typed === null) return (yield* (yield* Talk).say(line.replace(/^\/\//, "/"))) ? "done" : "unanswered"
  // Typed at a terminal it is on the screen already; a log of a script would not tell why the bot was killed.
  if (!terminal.interactive) yield* terminal.said("you", line)
  const name = (typed[1] ?? "").toLowerCase()
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command !== undefined) return yield* command.run(typed[2]?.trim() ?? "")
  const meant = suggest(name, names)
  yield* terminal.note(
    `there is no command /${name}.${meant === undefined ? "" : ` Did you mean /${meant}?`} /help lists them all.`
  )
  return "done"
})

const completions = [...names.map((name) => `/${name}`), ...commandNames.map((name) => `!${name}`)]

/** Completes the names of commands, the bot's too. */
export const complete: Completer = (line) => completions.filter((name) => name.startsWith(line))
