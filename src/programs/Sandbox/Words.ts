/** What the sandbox says of itself. */
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import { ReconciliationReport } from "../../domain/Reconciliation.ts"

/** What comes first, before anything is started. */
export const welcome = (dataDir: string | undefined): string =>
  `This is the Homing sandbox: a small Matrix homeserver, a bot on it, and you.
All of it is on this machine, nothing leaves it, and ${
    dataDir === undefined
      ? "nothing is kept at the end.\n(npm start -- --data-dir DIRECTORY keeps it for the next time.)"
      : `it is kept in\n${dataDir}`
  }
`

export const introduction = (homeserver: string, log: string): string =>
  `The homeserver is in this process: ${homeserver}
The bot is a process of its own, which runs as it would anywhere. Its log:
${log}

To run it on your own homeserver, set HOMING_HOMESERVER_URL, HOMING_USER_ID and
HOMING_PASSWORD, and start again. README.md has the steps.

Just write. !help tells what the bot can do, /help what the sandbox can do, and
/quit ends it.
`

/** What `matrix_reconcile_complete` says, as far as it is told here. */
export const Found = ReconciliationReport.mapFields(
  Struct.pick(["rooms", "unchanged", "restored", "updated", "moved", "detached", "conflicts"])
)
export type Found = typeof Found.Type

/** The way back in one line, such as `2 rooms, 2 chats restored`. */
export const wayBack = (found: Found): string => {
  const parts = ([
    ["unchanged", found.unchanged],
    ["restored", found.restored],
    ["updated", found.updated],
    ["moved", found.moved],
    ["detached", found.detached],
    ["in conflict", found.conflicts]
  ] as const).flatMap(([what, count]) => count === 0 ? [] : [`${counted(count, "chat")} ${what}`])
  return [counted(found.rooms, "room"), ...(parts.length === 0 ? ["no chats"] : parts)].join(", ")
}

const counted = (count: number, thing: string): string => `${count} ${thing}${count === 1 ? "" : "s"}`

/** Such as `0.4 s`. */
export const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`

/** One line of the bot's log, as `--log-format json` writes it. */
export const LogLine = Schema.fromJsonString(Schema.Struct({
  level: Schema.String,
  message: Schema.Unknown,
  annotations: Schema.Record(Schema.String, Schema.Unknown)
}))
type LogEntry = Pick<typeof LogLine.Type, "annotations" | "message">

/** A line that a person should see, such as `sync_loop_ended (reason: SyncStalled)`. */
export const warningText = (who: string, { annotations, message }: LogEntry): string => {
  const details = Object.entries(annotations).map(([name, value]) =>
    `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`
  )
  const text = `${who} warns: ${String(message)}${details.length === 0 ? "" : ` (${details.join(", ")})`}`
  return text.length <= longestWarning ? text : `${text.slice(0, longestWarning)}…`
}

const longestWarning = 300

/** Other people's words, without what would move the cursor or colour the terminal. */
export const printable = (text: string): string => text.replace(/[^\P{Cc}\n\t]/gu, "")

/**
 * Broken between words, so that no line takes more than `width` columns, of which `taken` of the first are gone already. A word that is
 * longer by itself, such as an address, stays whole.
 */
export const wrapped = (text: string, width: number, taken = 0): string =>
  text.split("\n").map((line, index) => wrappedLine(line, width, index === 0 ? taken : 0)).join("\n")

const wrappedLine = (line: string, width: number, taken: number): string => {
  let room = width - taken
  return line.split(" ").map((word, index) => {
    const joint = index === 0 ? "" : word.length + 1 <= room ? " " : "\n"
    room = (joint === "\n" ? width : room - joint.length) - word.length
    return joint + word
  }).join("")
}

/** The title of a room as it stands before the line that is being typed. */
export const promptTitle = (title: string): string =>
  title.length <= longestTitle ? title : `${title.slice(0, longestTitle - 1).trimEnd()}…`

const longestTitle = 24
