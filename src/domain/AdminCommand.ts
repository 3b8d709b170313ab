import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { oneLine } from "./Chat.ts"
import { codeSpan } from "./CodeSpan.ts"
import { RoomId, TransactionId } from "./Ids.ts"
import { closest } from "./Suggestion.ts"

/** What the operators of the bot can ask for in Matrix. */
export type AdminCommand =
  | { readonly _tag: "Help" }
  | { readonly _tag: "Status" }
  /** Pages count from 1. */
  | { readonly _tag: "Chats"; readonly page: number }
  | { readonly _tag: "Reconcile" }
  | { readonly _tag: "Outbox" }
  | { readonly _tag: "Retry"; readonly id: TransactionId }
  | { readonly _tag: "Drop"; readonly id: TransactionId }
  | { readonly _tag: "Leave"; readonly room: RoomId }

/** A message, read as one of these. */
export type AdminReading =
  | { readonly _tag: "NotForAdmins" }
  | { readonly _tag: "Parsed"; readonly command: AdminCommand }
  /** `problem`: a sentence for the person who typed it. */
  | { readonly _tag: "Misused"; readonly problem: string }

interface AdminSpec {
  /** What stands after the name. */
  readonly usage: string
  readonly summary: string
  readonly read: (typed: string) => AdminCommand | string
}

export const adminName = "admin"

const only = (command: AdminCommand) => (typed: string): AdminCommand | string =>
  typed === "" ? command : "This command takes nothing after its name."

const decodeTransaction = Schema.decodeUnknownOption(TransactionId)
const decodeRoom = Schema.decodeUnknownOption(RoomId)

/** Everything there is to know of what stands after `!admin`: drives both the reading and the help. */
const specs: Readonly<Record<"status" | "chats" | "reconcile" | "outbox" | "leave", AdminSpec>> = {
  status: { usage: "", summary: "Tells how the bot is doing.", read: only({ _tag: "Status" }) },
  chats: {
    usage: "[page]",
    summary: "Lists everybody's chats, with owners, rooms and when somebody last wrote.",
    read: (typed) =>
      /^([1-9]\d{0,5})?$/.test(typed)
        ? { _tag: "Chats", page: Number(typed || "1") }
        : "After this command I only know the number of a page."
  },
  reconcile: {
    usage: "",
    summary: "Shows what a start would find and change now, and what settles it; changes nothing.",
    read: only({ _tag: "Reconcile" })
  },
  outbox: {
    usage: "[retry ID | drop ID]",
    summary: "Lists what waits to be sent and what cannot be delivered; sends one again, or never.",
    read: (typed) => readOutbox(typed)
  },
  leave: {
    usage: "<room id>",
    summary: "Leaves a room; a chat that it shows is kept without one.",
    read: (typed) =>
      Option.match(decodeRoom(typed), {
        onNone: () => "Which room? Give me its id, such as !abc:example.org (not an alias).",
        onSome: (room): AdminCommand => ({ _tag: "Leave", room })
      })
  }
}

type AdminName = keyof typeof specs

const isAdminName = (name: string): name is AdminName => Object.hasOwn(specs, name)

const names: ReadonlyArray<AdminName> = Object.keys(specs).filter(isAdminName)

/** Reads the first line of `body` as `!admin` and what stands after it, or as `!help admin`. Total. */
export const parseAdminCommand = (prefix: string, body: string): AdminReading => {
  if (prefix === "" || !body.startsWith(prefix)) return { _tag: "NotForAdmins" }
  // A space after the prefix makes it something that people just write, as with all commands.
  const line = (body.slice(prefix.length).split(/[\r\n]/, 1)[0] ?? "").trimEnd()
  const [word = "", name = "", ...rest] = line.split(/\s+/)
  if (word.toLowerCase() === "help" && name.replace(prefix, "").toLowerCase() === adminName) {
    return { _tag: "Parsed", command: { _tag: "Help" } }
  }
  if (word.toLowerCase() !== adminName) return { _tag: "NotForAdmins" }
  const asked = name.toLowerCase()
  if (asked === "" || asked === "help") return { _tag: "Parsed", command: { _tag: "Help" } }
  if (!isAdminName(asked)) return { _tag: "Misused", problem: unknown(asked, names, "After !admin I know") }
  const command = specs[asked].read(rest.join(" "))
  return typeof command === "string" ? { _tag: "Misused", problem: command } : { _tag: "Parsed", command }
}

const readOutbox = (typed: string): AdminCommand | string => {
  if (typed === "") return { _tag: "Outbox" }
  const [what = "", id, ...rest] = typed.split(" ")
  const asked = what.toLowerCase()
  if (asked !== "retry" && asked !== "drop") return unknown(asked, ["retry", "drop"], "After this command I know")
  const transaction = decodeTransaction(id)
  if (Option.isNone(transaction) || rest.length > 0) {
    return "Which message? Give me its transaction id, as the list of the outbox has it."
  }
  return { _tag: asked === "retry" ? "Retry" : "Drop", id: transaction.value }
}

const unknown = (typed: string, known: ReadonlyArray<string>, knows: string): string => {
  const meant = closest(typed, known)
  const shown = oneLine(typed.slice(0, 24)).replace(/[^\p{L}\p{N} ]/gu, "")
  return `I do not know "${shown}".${meant === undefined ? "" : ` Did you mean ${meant}?`} ${knows} ${
    known.join(", ")
  }.`
}

/** Markdown: what can stand after `!admin`. */
export const adminHelpText = (prefix: string): string =>
  [
    "For the operators, in a room with nobody but me:",
    "",
    ...names.map((name) =>
      `- ${codeSpan(`${prefix}${adminName} ${name} ${specs[name].usage}`.trimEnd())}: ${specs[name].summary}`
    )
  ].join("\n")
