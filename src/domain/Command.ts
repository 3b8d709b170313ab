import { cleanTitle, maximumTitleLength, oneLine } from "./Chat.ts"
import { isSettingName, meaningsOf, type SettingName, settingNames, settingsTable, valuesOf } from "./ChatSettings.ts"
import { codeSpan } from "./CodeSpan.ts"
import { oneResponder, type ResponderChoice, takesBack } from "./ResponderChoice.ts"
import { closest } from "./Suggestion.ts"

export { cleanTitle } from "./Chat.ts"

/** What people can ask for. */
export type Command =
  | { readonly _tag: "Help"; readonly topic: string | undefined }
  /** `archived`: those that are archived too. Pages count from 1. */
  | { readonly _tag: "Chats"; readonly archived: boolean; readonly page: number }
  | { readonly _tag: "New"; readonly title: string | undefined }
  | { readonly _tag: "Rename"; readonly title: string }
  /** `chat`: its title or its id. */
  | { readonly _tag: "Move"; readonly chat: string }
  | { readonly _tag: "Archive" }
  | { readonly _tag: "Unarchive" }
  | { readonly _tag: "Delete"; readonly confirmed: boolean }
  | { readonly _tag: "Register"; readonly title: string | undefined }
  | { readonly _tag: "Settings" }
  /** `value`: undefined for the default. */
  | { readonly _tag: "Set"; readonly name: SettingName; readonly value: string | undefined }
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
  /** What the example does: continues a sentence that begins with it. */
  readonly effect: (prefix: string) => string
  /** The command of what was typed after the name, or a sentence that says what is wrong with it. */
  readonly read: (typed: string, choice: ResponderChoice) => Command | string
}

const only = (command: Command) => (typed: string): Command | string =>
  typed === "" ? command : `This command takes nothing after its name, but got "${short(typed)}".`

/** Everything there is to know of the commands: drives both the reading and the help, so that the two cannot disagree. */
const specs: Readonly<Record<CommandName, CommandSpec>> = {
  help: {
    usage: "[command]",
    summary: "Lists the commands, or explains one.",
    example: "rename",
    effect: (prefix) => `explains ${codeSpan(`${prefix}rename`)}`,
    read: (typed) =>
      /\s/.test(typed) ? "I can explain one command at a time." : { _tag: "Help", topic: typed || undefined }
  },
  chats: {
    usage: "[all] [page]",
    summary: "Lists your chats, with links; with `all` the archived ones too.",
    example: "all 2",
    effect: () => "shows the second page of all your chats",
    read: (typed) => readPage(typed)
  },
  new: {
    usage: "[title]",
    summary: "Opens a new chat in a room of its own, listed in your Space.",
    example: "\"Plans for the garden\"",
    effect: () => "makes a room of this name and invites you to it",
    read: (typed) => {
      const title = readTitle(typed)
      return title._tag === "Problem" ? title.problem : { _tag: "New", title: title.title || undefined }
    }
  },
  rename: {
    usage: "<title>",
    summary: "Gives the chat of this room a new title.",
    example: "\"Plans for the garden\"",
    effect: () => "calls the chat of this room `Plans for the garden` from now on",
    read: (typed) => {
      const title = readTitle(typed)
      if (title._tag === "Problem") return title.problem
      return title.title === "" ? "The new title is missing." : { _tag: "Rename", title: title.title }
    }
  },
  move: {
    usage: "<title or id>",
    summary: "Takes one of your chats to this room.",
    example: "\"Plans for the garden\"",
    effect: () => "goes on with this chat of yours here, wherever it was before",
    read: (typed) => {
      const title = readTitle(typed)
      if (title._tag === "Problem") return title.problem
      return title.title === "" ? "Which chat? Give its title or its id." : { _tag: "Move", chat: title.title }
    }
  },
  archive: {
    usage: "",
    summary: "Puts the chat of this room away: I answer nothing in it any more.",
    example: "",
    effect: (prefix) =>
      `puts this chat away: I answer nothing but commands here, until you type ${codeSpan(`${prefix}unarchive`)}`,
    read: only({ _tag: "Archive" })
  },
  unarchive: {
    usage: "",
    summary: "Opens the chat of this room again.",
    example: "",
    effect: (prefix) => `undoes ${codeSpan(`${prefix}archive`)}: I answer here again`,
    read: only({ _tag: "Unarchive" })
  },
  delete: {
    usage: "[confirm]",
    summary: "Deletes the chat of this room for good, after a question.",
    example: "",
    effect: () => "asks whether to delete this chat; when you say yes, I forget it and leave the room",
    read: (typed) =>
      typed === "" || typed.toLowerCase() === "confirm"
        ? { _tag: "Delete", confirmed: typed !== "" }
        : `After this command I only know the word "confirm", but got "${short(typed)}".`
  },
  register: {
    usage: "[title]",
    summary: "Makes this room show a chat, if it shows none.",
    example: "\"Plans for the garden\"",
    effect: () => "begins a chat of this title here, or gives the title to the chat that is here",
    read: (typed) => {
      const title = readTitle(typed)
      return title._tag === "Problem" ? title.problem : { _tag: "Register", title: title.title || undefined }
    }
  },
  settings: {
    usage: "",
    summary: "Shows what is set in the chat of this room, and what it means.",
    example: "",
    effect: () => "shows each setting, its default and what else it can be",
    read: only({ _tag: "Settings" })
  },
  set: {
    usage: "<setting> <value>",
    summary: "Changes a setting of the chat of this room; the value `default` takes it back.",
    example: "backlog skip",
    effect: () => "lets me pass over what is written here while I am away",
    read: (typed, choice) => readSetting(typed, choice)
  },
  status: {
    usage: "",
    summary: "Tells how the bot is doing.",
    example: "",
    effect: () => "tells how many messages I have in hand, and what I found when I started",
    read: only({ _tag: "Status" })
  },
  why: {
    usage: "[code]",
    summary: "Tells what became of a message: reply to it with this, or give a reference code or event id.",
    example: "7K3F9QZX",
    effect: () => "tells what became of the message that got this code as an answer",
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
 * quotes it is the rest of the line. Total: whatever people write has a reading. Whether it is a command at all does not hang on `choice`.
 */
export const parseCommand = (prefix: string, body: string, choice = oneResponder): CommandReading => {
  if (prefix === "" || !body.startsWith(prefix)) return { _tag: "NotACommand" }
  const line = body.slice(prefix.length).split(/[\r\n]/, 1)[0] ?? ""
  const end = line.search(/\s/)
  const typed = nameLike.exec(end === -1 ? line : line.slice(0, end))?.[1]
  if (typed === undefined) return { _tag: "NotACommand" }

  const name = typed.toLowerCase()
  if (!isCommandName(name)) {
    return { _tag: "Unknown", typed: [...typed].slice(0, 32).join(""), suggestion: closest(name, commandNames) }
  }
  const command = specs[name].read(end === -1 ? "" : line.slice(end).trim(), choice)
  return typeof command === "string" ? { _tag: "Misused", name, problem: command } : { _tag: "Parsed", command }
}

/** What is repeated to the person who typed it: one line, not long, and no markup. */
const short = (typed: string): string => {
  const plain = oneLine(typed.slice(0, 200)).replace(/[^\p{L}\p{N}\p{Pd}@+ ]/gu, "")
  return plain.length <= 24 ? plain : `${[...plain].slice(0, 24).join("")}…`
}

/** `all` and the number of a page, in any order; `archived` is the word of old for `all`. */
const readPage = (typed: string): Command | string => {
  let archived = false
  let page: number | undefined
  for (const word of typed.toLowerCase().split(/\s+/).filter((word) => word !== "")) {
    if (word === "all" || word === "archived") archived = true
    else if (page === undefined && /^[1-9]\d{0,5}$/.test(word)) page = Number(word)
    else return `After this command I only know the word "all" and the number of a page, but got "${short(typed)}".`
  }
  return { _tag: "Chats", archived, page: page ?? 1 }
}

/** `backlog skip`, also as `backlog = skip` and `backlog=skip`. */
const readSetting = (typed: string, choice: ResponderChoice): Command | string => {
  const [name = "", value = "", ...rest] = typed.toLowerCase().split(/[\s=]+/)
  const names = settingNames(choice)
  if (name === "") return `Which setting? There are ${inWords(names)}.`
  if (!isSettingName(name, choice)) {
    return `There is no setting "${short(name)}".${didYouMean(name, names)} There are ${inWords(names)}.`
  }
  const values = [...valuesOf(name, choice), takesBack]
  if (value === "") return `The value is missing: ${name} can be ${inWords(values, "or")}.`
  if (rest.some((word) => word !== "")) {
    return `A setting has one value, but there are more words after "${short(value)}".`
  }
  if (!values.includes(value)) {
    return `${name} cannot be "${short(value)}".${didYouMean(value, values)} It can be ${inWords(values, "or")}.`
  }
  return { _tag: "Set", name, value: value === takesBack ? undefined : value }
}

const didYouMean = (typed: string, known: ReadonlyArray<string>): string => {
  const meant = closest(typed, known)
  return meant === undefined ? "" : ` Did you mean ${meant}?`
}

/** `a, b and c`. */
const inWords = (words: ReadonlyArray<string>, and = "and"): string =>
  `${words.slice(0, -1).join(", ")} ${and} ${words.at(-1) ?? ""}`

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

// --- help

/** How a command is typed, such as `!rename "Plans for the garden"`. Reads back as that command. */
export const exampleOf = (prefix: string, name: CommandName): string =>
  `${prefix}${name} ${specs[name].example}`.trimEnd()

/** Markdown: every command, or the one that `topic` names (with or without the prefix, in any case), or a setting. */
export const helpText = (prefix: string, topic?: string, choice = oneResponder): string => {
  const name = (topic?.startsWith(prefix) ? topic.slice(prefix.length) : topic)?.toLowerCase()
  if (name !== undefined && isCommandName(name)) return explain(prefix, name, choice).join("\n")
  if (name !== undefined && isSettingName(name, choice)) {
    return [explainSetting(name, choice), ...howToSet(prefix)].join("\n")
  }
  const settings = settingNames(choice).map((name) => `${codeSpan(name)} (${settingsTable[name].about})`)
  const known = [...commandNames, ...settingNames(choice)]
  return [
    ...(name === undefined ? [] : [`There is no such command.${didYouMean(name, known)}`, ""]),
    "Just write to me, or type one of these:",
    "",
    ...commandNames.map((name) => {
      const example = specs[name].example === "" ? "" : ` Example: ${codeSpan(exampleOf(prefix, name))}`
      return `- ${codeSpan(usageOf(prefix, name))}: ${specs[name].summary}${example}`
    }),
    "",
    `What can be set: ${settings.join(", ")}.`
  ].join("\n")
}

const explain = (prefix: string, name: CommandName, choice: ResponderChoice): ReadonlyArray<string> => [
  `${codeSpan(usageOf(prefix, name))}: ${specs[name].summary}`,
  "",
  `Example: ${codeSpan(exampleOf(prefix, name))} ${specs[name].effect(prefix)}.`,
  ...(name === "set"
    ? ["", "The settings:", "", ...settingNames(choice).map((setting) => explainSetting(setting, choice))]
    : [])
]

/** A list item with one of its own for each value. */
const explainSetting = (name: SettingName, choice: ResponderChoice): string => {
  const meanings = [...meaningsOf(name, choice)].map(([value, meaning]) => `  - ${codeSpan(value)}: ${meaning}`)
  return [`- ${codeSpan(name)}: ${settingsTable[name].about}`, ...meanings].join("\n")
}

const howToSet = (prefix: string): ReadonlyArray<string> => [
  "",
  `${codeSpan(`${prefix}settings`)} shows how it is set here, ${codeSpan(usageOf(prefix, "set"))} changes it.`
]

const usageOf = (prefix: string, name: CommandName): string => `${prefix}${name} ${specs[name].usage}`.trimEnd()
