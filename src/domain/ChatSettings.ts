import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Backlog } from "./Arrival.ts"
import { codeSpan } from "./CodeSpan.ts"
import { missingOf, oneResponder, type ResponderChoice, ResponderName, responderOf } from "./ResponderChoice.ts"

const values = {
  backlog: Schema.Literals(["answer", "newest", "skip"]),
  mention: Schema.Literals(["always", "group", "never"]),
  members: Schema.Literals(["owner", "allowed", "room"]),
  redactions: Schema.Literals(["keep", "follow"]),
  responder: ResponderName
}

export type SettingName = keyof typeof values

/** What is done in a chat: each setting as its owner set it, or its default. */
export type ChatRules = { readonly [N in SettingName]: (typeof values)[N]["Type"] }

const Understood = Schema.Struct({
  backlog: Schema.optionalKey(values.backlog),
  mention: Schema.optionalKey(values.mention),
  members: Schema.optionalKey(values.members),
  redactions: Schema.optionalKey(values.redactions),
  responder: Schema.optionalKey(values.responder)
})

/** What the owner of a chat has set in it. A setting that is absent has its default, also when that changes later. */
export const ChatSettings = Schema.Struct({
  ...Understood.fields,
  /**
   * Names and values that this version does not understand, as a newer one may have set them: of no effect here, and written
   * back with the rest, so that an old version for a while costs nobody their settings.
   */
  kept: Schema.Record(Schema.String, Schema.String)
})
export type ChatSettings = typeof ChatSettings.Type

export const noSettings: ChatSettings = { kept: {} }

/** The rules of a chat. `backlog` is the bot's own setting, the default of the chat's; `choice` is for who asks for the responder. */
export const rulesOf = (settings: ChatSettings, backlog: Backlog, choice = oneResponder): ChatRules => ({
  backlog: settings.backlog ?? backlog,
  mention: settings.mention ?? "group",
  members: settings.members ?? "allowed",
  redactions: settings.redactions ?? "keep",
  responder: responderOf(choice, settings.responder)
})

/**
 * Every setting, as people are told of it: what a value means is a sentence of the bot about this chat. What `responder` can be is the
 * bot author's to say.
 */
export const settingsTable: {
  readonly [N in SettingName]: { readonly about: string; readonly values: Readonly<Record<ChatRules[N], string>> }
} = {
  backlog: {
    about: "what becomes of messages that came while I was away",
    values: {
      answer: "I answer all messages that came while I was away",
      newest: "of the messages that came while I was away I answer the newest",
      skip: "I answer no messages that came while I was away"
    }
  },
  mention: {
    about: "when I have to be mentioned, replied to or given a command",
    values: {
      always: "I answer only when I am mentioned, replied to or given a command",
      group: "in a room of more than two I answer when I am mentioned, replied to or given a command",
      never: "I answer everything that is said here"
    }
  },
  members: {
    about: "whom I answer",
    values: {
      owner: "I answer nobody but the owner of this chat",
      allowed: "I answer everybody whom my operator allows to talk to me",
      room: "I answer everybody in this room"
    }
  },
  redactions: {
    about: "what becomes of my answer when its question is removed",
    values: {
      keep: "my answers stay when a question is removed",
      follow: "I remove my answer when its question is removed"
    }
  },
  responder: { about: "who of me answers here", values: {} }
}

const isKnown = (name: string): name is SettingName => Object.hasOwn(settingsTable, name)

const knownNames = Object.keys(settingsTable).filter(isKnown)

/** The names of all settings that there are in this bot. */
export const settingNames = (choice = oneResponder): ReadonlyArray<SettingName> =>
  knownNames.filter((name) => name !== "responder" || choice.meanings.size > 1)

export const isSettingName = (name: string, choice = oneResponder): name is SettingName =>
  settingNames(choice).some((known) => known === name)

/** What a setting can be, and what each of that means: a sentence without its full stop. */
export const meaningsOf = (name: SettingName, choice = oneResponder): ReadonlyMap<string, string> =>
  name === "responder" ? choice.meanings : new Map(Object.entries(settingsTable[name].values))

export const valuesOf = (name: SettingName, choice = oneResponder): ReadonlyArray<string> => [
  ...meaningsOf(name, choice).keys()
]

/** What a rule means. */
export const meaningOf = (name: SettingName, rules: ChatRules, choice = oneResponder): string =>
  meaningsOf(name, choice).get(rules[name]) ?? ""

// --- as they are written: names to values, all text, in the marker and in the store

const keptName = /^[a-z][a-z0-9_]{0,31}$/
const keptValue = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]{1,100}$/u
const mostKept = 32

const understand = Schema.decodeUnknownResult(Understood)

/**
 * Reads what was written. Total: what is no name with a line of text is dropped, as it cannot be of any version of Homing; what
 * is one and yet means nothing here is kept. Nothing in it can cost the chat itself.
 */
export const readSettings = (content: unknown): ChatSettings => {
  if (typeof content !== "object" || content === null || Array.isArray(content)) return noSettings
  let understood: typeof Understood.Type = {}
  const kept: Array<readonly [string, string]> = []
  for (const [name, value] of Object.entries(content)) {
    const reading = isKnown(name) ? understand({ [name]: value }) : undefined
    if (reading !== undefined && Result.isSuccess(reading)) understood = { ...understood, ...reading.success }
    else if (typeof value === "string" && keptName.test(name) && keptValue.test(value)) kept.push([name, value])
  }
  return { ...understood, kept: Object.fromEntries(kept.slice(0, mostKept)) }
}

export const writtenSettings = ({ kept, ...understood }: ChatSettings): Readonly<Record<string, string>> => ({
  ...kept,
  ...understood
})

/** The same with `name` set to one of its values; undefined clears it. */
export const withSetting = (settings: ChatSettings, name: SettingName, value: string | undefined): ChatSettings => {
  const { [name]: _, ...others } = writtenSettings(settings)
  return readSettings(value === undefined ? others : { ...others, [name]: value })
}

// --- as they are shown

/** Markdown, a line for each setting: value, default, meaning, and what else it could be. */
export const settingsText = (
  settings: ChatSettings,
  backlog: Backlog,
  choice: ResponderChoice = oneResponder
): string => {
  const rules = rulesOf(settings, backlog, choice)
  const defaults = rulesOf(noSettings, backlog, choice)
  const missing = missingOf(choice, settings.responder)
  const names = settingNames(choice)
  const known = names.map((name) => {
    const others = valuesOf(name, choice)
    const meaning = meaningOf(name, rules, choice)
    if (name === "responder" && missing !== undefined) {
      return `- ${missingText(missing)}, and answer as ${codeSpan(rules[name])}, the default: ${meaning}. ` +
        `It can be ${others.map(codeSpan).join(" or ")}.`
    }
    const standard = settings[name] === undefined ? "the default" : `default ${codeSpan(defaults[name])}`
    return `- ${codeSpan(name)} is ${codeSpan(rules[name])} (${standard}): ${meaning}. ` +
      `It can also be ${others.filter((value) => value !== rules[name]).map(codeSpan).join(" or ")}.`
  })
  const alone = missing === undefined || names.includes("responder")
    ? []
    : [`- ${missingText(missing)}, and answer as I always do.`]
  const kept = Object.entries(settings.kept).map(([name, value]) =>
    `- ${codeSpan(name)} is ${
      codeSpan(value)
    }: I do not know what this means. A newer version of me may have set it; I keep it.`
  )
  return [...known, ...alone, ...kept].join("\n")
}

const missingText = (responder: string): string =>
  `${codeSpan("responder")} is ${codeSpan(responder)}, which I do not have: I keep it`
