import { cleanTitle, maximumTitleLength, oneLine } from "./Chat.ts"

export { cleanTitle } from "./Chat.ts"

/** What people can ask for. */
export type Command =
  | { readonly _tag: "Help"; readonly topic: string | undefined }
  /** `archived`: those that are archived too. */
  | { readonly _tag: "Chats"; readonly archived: boolean }
  | { readonly _tag: "Rename"; readonly title: string }
  | { readonly _tag: "Archive" }
  | { readonly _tag: "Register"; readonly title: string | undefined }
  | { readonly _tag: "Status" }
  /** `about`: an event id or a reference code; undefined for the message that this one replies to. */
  | { readonly _tag: "Why"; readonly about: string | undefined }

/** A message, read as a command. */
export type CommandReading =
  | { readonly _tag: "NotACommand" }
  | { readonly _tag: "Parsed"; readonly command: Command }
  /** `typed`: letters, digits, `_` and `-` only, at most 32. `suggestion`: the name of a command, without the prefix. */
  | { readonly _tag: "Unknown"; readonly typed: string; readonly suggestion: string | undefined }
  /** `problem`: a sentence for the person who typed it. */
  | { readonly _tag: "Misused"; readonly name: CommandName; readonly problem: string }

export type CommandName = Lowercase<Command["_tag"]>

interface CommandSpec {
  /** What stands after the name. */
  readonly usage: string
  readonly summary: string
  /** What stands after the name, as somebody would type it. */
  readonly example: string
  /** The command of what was typed after the name, or a sentence that says what is wrong with it. */
  readonly read: (typed: string) => Command | string
}

const only = (command: Command) => (typed: string): Command | string =>
  typed === "" ? command : `This command takes nothing after its name, but got "${short(typed)}".`

/** Everything there is to know of the commands: drives both the reading and the help, so that the two cannot disagree. */
const specs: Readonly<Record<CommandName, CommandSpec>> = {
  help: {
    usage: "[command]",
    summary: "Lists the commands, or explains one.",
    example: "rename",
    read: (typed) =>
      /\s/.test(typed) ? "I can explain one command at a time." : { _tag: "Help", topic: typed || undefined }
  },
  chats: {
    usage: "[archived]",
    summary: "Lists your chats; with `archived` the archived ones too.",
    example: "archived",
    read: (typed) =>
      typed === "" || typed.toLowerCase() === "archived"
        ? { _tag: "Chats", archived: typed !== "" }
        : `After this command I only know the word "archived", but got "${short(typed)}".`
  },
  rename: {
    usage: "<title>",
    summary: "Gives the chat of this room a new title.",
    example: "\"Plans for the garden\"",
    read: (typed) => {
      const title = readTitle(typed)
      if (title._tag === "Problem") return title.problem
      return title.title === "" ? "The new title is missing." : { _tag: "Rename", title: title.title }
    }
  },
  archive: {
    usage: "",
    summary: "Archives the chat of this room.",
    example: "",
    read: only({ _tag: "Archive" })
  },
  register: {
    usage: "[title]",
    summary: "Makes this room show a chat, if it shows none.",
    example: "\"Plans for the garden\"",
    read: (typed) => {
      const title = readTitle(typed)
      return title._tag === "Problem" ? title.problem : { _tag: "Register", title: title.title || undefined }
    }
  },
  status: {
    usage: "",
    summary: "Tells how the bot is doing.",
    example: "",
    read: only({ _tag: "Status" })
  },
  why: {
    usage: "[code]",
    summary: "Tells what became of a message: reply to it with this, or give a reference code or event id.",
    example: "7K3F9QZX",
    read: (typed) =>
      /\s/.test(typed) ? "I can explain one message at a time." : { _tag: "Why", about: typed || undefined }
  }
}

const isCommandName = (name: string): name is CommandName => Object.hasOwn(specs, name)

/** The names of all commands. */
export const commandNames: ReadonlyArray<CommandName> = Object.keys(specs).filter(isCommandName)

// --- reading

/** A word that may be meant as a name. `!`, `!!!`, `! hello`, `!1` and `/usr/bin` are things that people just write. */
const nameLike = /^(\p{L}[\p{L}\p{N}_-]*)[.,:;?!]*$/u

/**
 * Reads the first line of `body` as a command: `prefix`, a name in any case, and the rest of the line. A title may stand in
 * quotes ("" or '', also the curly ones that phones make), where a backslash takes the next character as it is; without
 * quotes it is the rest of the line. Total: whatever people write has a reading.
 */
export const parseCommand = (prefix: string, body: string): CommandReading => {
  if (prefix === "" || !body.startsWith(prefix)) return { _tag: "NotACommand" }
  const line = body.slice(prefix.length).split(/[\r\n]/, 1)[0] ?? ""
  const end = line.search(/\s/)
  const typed = nameLike.exec(end === -1 ? line : line.slice(0, end))?.[1]
  if (typed === undefined) return { _tag: "NotACommand" }

  const name = typed.toLowerCase()
  if (!isCommandName(name)) {
    return { _tag: "Unknown", typed: [...typed].slice(0, 32).join(""), suggestion: closest(name) }
  }
  const command = specs[name].read(end === -1 ? "" : line.slice(end).trim())
  return typeof command === "string" ? { _tag: "Misused", name, problem: command } : { _tag: "Parsed", command }
}

/** What is repeated to the person who typed it: one line, not long, and no markup. */
const short = (typed: string): string => {
  const plain = oneLine(typed.slice(0, 200)).replace(/[^\p{L}\p{N} ]/gu, "")
  return plain.length <= 24 ? plain : `${[...plain].slice(0, 24).join("")}…`
}

type TitleReading =
  | { readonly _tag: "Title"; readonly title: string }
  | { readonly _tag: "Problem"; readonly problem: string }

const closingQuotes: Readonly<Record<string, string>> = { "\"": "\"", "'": "'", "“": "”", "‘": "’" }

const readTitle = (typed: string): TitleReading => {
  const closing = closingQuotes[typed.charAt(0)]
  const quoted = closing === undefined ? { text: typed, rest: "" } : unquote(typed, closing)
  if (quoted === undefined) {
    return { _tag: "Problem", problem: `The quotation mark before the title is never closed (${closing} is missing).` }
  }
  if (quoted.rest !== "") {
    return {
      _tag: "Problem",
      problem: "There is more after the title: put all of it in quotation marks, or none of it."
    }
  }
  return oneLine(quoted.text).length > maximumTitleLength
    ? { _tag: "Problem", problem: `The title is too long: at most ${maximumTitleLength} characters.` }
    : { _tag: "Title", title: cleanTitle(quoted.text) }
}

/** What stands between the first character and `closing`, and what comes after; undefined when it is never closed. */
const unquote = (typed: string, closing: string): { readonly text: string; readonly rest: string } | undefined => {
  let text = ""
  for (let at = 1; at < typed.length; at++) {
    const character = typed.charAt(at)
    if (character === closing) return { text, rest: typed.slice(at + 1).trim() }
    if (character === "\\") at++
    text += typed.charAt(at)
  }
  return undefined
}

// --- suggestions

/** The command that `typed` was probably meant to be: at most two slips away, and not all of it a slip. */
const closest = (typed: string): CommandName | undefined => {
  const letters = [...typed]
  const bound = Math.min(2, letters.length - 1)
  return commandNames
    .map((name) => ({ name, slips: distance(letters, [...name]) }))
    .filter(({ slips }) => slips <= bound)
    .toSorted((a, b) => a.slips - b.slips)[0]?.name
}

/**
 * How many slips lie between two words: a letter left out, put in, mistaken, or two neighbours exchanged (the restricted
 * Damerau-Levenshtein distance). Infinite when the lengths alone tell that it is more than anybody suggests from.
 */
const distance = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): number => {
  if (Math.abs(a.length - b.length) > 2) return Infinity
  let beforeLast: ReadonlyArray<number> = []
  let last: ReadonlyArray<number> = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (const [row, letter] of a.entries()) {
    const current = [row + 1]
    for (const [column, other] of b.entries()) {
      const exchanged = row > 0 && column > 0 && letter === b[column - 1] && other === a[row - 1]
      current.push(Math.min(
        (last[column + 1] ?? 0) + 1,
        (current[column] ?? 0) + 1,
        (last[column] ?? 0) + (letter === other ? 0 : 1),
        exchanged ? (beforeLast[column - 1] ?? 0) + 1 : Infinity
      ))
    }
    beforeLast = last
    last = current
  }
  return last[b.length] ?? Infinity
}

// --- help

/** How a command is typed, such as `!rename "Plans for the garden"`. Reads back as that command. */
export const exampleOf = (prefix: string, name: CommandName): string =>
  `${prefix}${name} ${specs[name].example}`.trimEnd()

/** Markdown: every command, or the one that `topic` names (with or without the prefix, in any case). */
export const helpText = (prefix: string, topic?: string): string => {
  const name = (topic?.startsWith(prefix) ? topic.slice(prefix.length) : topic)?.toLowerCase()
  if (name !== undefined && isCommandName(name)) return explain(prefix, name).join("\n")
  return [
    ...(topic === undefined ? [] : ["There is no such command.", ""]),
    "Just write to me, or type one of these:",
    "",
    ...commandNames.map((name) => {
      const example = specs[name].example === "" ? "" : ` Example: ${code(exampleOf(prefix, name))}`
      return `- ${code(usageOf(prefix, name))}: ${specs[name].summary}${example}`
    })
  ].join("\n")
}

const explain = (prefix: string, name: CommandName): ReadonlyArray<string> => [
  `${code(usageOf(prefix, name))}: ${specs[name].summary}`,
  "",
  `Example: ${code(exampleOf(prefix, name))}`
]

const usageOf = (prefix: string, name: CommandName): string => `${prefix}${name} ${specs[name].usage}`.trimEnd()

/** A prefix may be a backtick, too. */
const code = (text: string): string => text.includes("`") ? `\`\` ${text} \`\`` : `\`${text}\``
