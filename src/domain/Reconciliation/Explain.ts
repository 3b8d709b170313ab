import { codeSpan } from "../CodeSpan.ts"
import type { RoomId } from "../Ids.ts"
import { plural } from "../Plural.ts"
import type { Outcome, ReconciliationReport } from "../Reconciliation.ts"

/** An outcome as a person reads it. */
export interface Explanation {
  /** A clause, without the ids that stand beside it. */
  readonly what: string
  /** What somebody types, or does, that settles it; undefined where nothing is to be done. */
  readonly settledBy: string | undefined
}

type Reason = Outcome["reason"]

/** How a command is typed, such as `!register`. */
type Typed = (command: "register" | "move <title>") => string

type Words = readonly [what: string, settledBy?: (typed: Typed) => string]

const inRoom = (typed: Typed) => `type ${typed("register")} in that room`
const newChat = (typed: Typed) => `type ${typed("register")} in that room: it then shows a chat of its own`
const keepLocal = (typed: Typed) =>
  `type ${typed("register")} in that room: the marker is then written from the chat here`
const elsewhere = (typed: Typed) => `its owner types ${typed("move <title>")} in another room`
const inviteAgain = (typed: Typed) => `invite the bot to the room again, or ${elsewhere(typed)}`

const words: { readonly [R in Reason]: Words } = {
  agrees: ["chat and marker agree"],
  marker_missing: ["the room has no marker; the bot writes it after its start"],
  marker_behind: ["the marker is older than the chat; the bot writes it after its start"],
  marker_not_ours: ["the marker was written by another account or a newer Homing, and is left alone"],
  still_detached: ["no room shows this chat"],
  no_local_chat: ["its marker is on the server, and nothing is here"],
  was_detached: ["the bot is in its room again"],
  bound_room_gone: ["the bot has left the room of before, and another one has its marker"],
  marker_newer: ["the marker is newer than the chat here, and wins"],
  room_renamed: ["the room has another name now, and so has the chat"],
  owner_name_changed: ["the owner has another name now"],
  room_upgraded: ["the room was replaced by another, and the chat follows"],
  left: ["the bot has left the room; the chat is kept without one", inviteAgain],
  kicked: ["the bot was kicked; the chat is kept without a room", inviteAgain],
  banned: ["the bot was banned; the chat is kept without a room", () => "unban the bot and invite it again"],
  // It may be that nobody can invite the bot there any more.
  room_gone: ["the server no longer lists the room; the chat is kept without one", elsewhere],
  moved_away: ["the chat is shown elsewhere"],
  no_marker: ["the room shows no chat", inRoom],
  space: ["a Space shows no chat"],
  pending_invite: ["an invite that is still open; the bot answers it after its start"],
  not_joined: ["the bot is not in the room"],
  upgraded: ["the room was replaced by one that the bot is in"],
  shown_elsewhere: ["its chat was taken to another room since", newChat],
  marker_of_another_account: ["its marker was written by another account", newChat],
  marker_of_another_room: ["its marker was written for another room", newChat],
  chat_deleted: ["its chat was deleted", newChat],
  newer_marker_version: ["its marker was written by a newer Homing", () => "update Homing"],
  malformed_marker: ["its marker makes no sense", newChat],
  two_rooms_one_chat: ["it claims a chat that another room shows", newChat],
  one_room_two_chats: ["its marker names another chat than the one that it shows here", keepLocal],
  owner_disagrees: ["its marker names another owner than the chat has here", keepLocal]
}

/** What an outcome means, and the one thing that settles it, if there is one. */
export const explain = (outcome: Outcome, typed: Typed): Explanation => {
  const [what, settledBy] = words[outcome.reason]
  const ownChat = outcome._tag === "Conflict" && outcome.chatId === null ? newChat : settledBy
  return { what, settledBy: ownChat?.(typed) }
}

/** Conflicts first, then what was changed, then what was passed over. */
const weight = ({ _tag }: Outcome): number =>
  _tag === "Conflict" ? 0 : _tag === "Skipped" ? 2 : _tag === "Unchanged" ? 3 : 1

/** The outcomes in the order in which a person wants to see them. */
export const mostUrgentFirst = (outcomes: ReadonlyArray<Outcome>): ReadonlyArray<Outcome> =>
  outcomes.toSorted((a, b) => weight(a) - weight(b))

/** Something was changed here, or somebody has to decide. What was only passed over is no news. */
export const isNews = ({ conflicts, detached, moved, restored, updated }: ReconciliationReport): boolean =>
  conflicts + detached + moved + restored + updated > 0

const newsKey = "news."

/** Whether this is what the news of a report is called, and not the key of somebody's message. */
export const isNewsKey = (key: string): boolean => key.startsWith(newsKey)

const moveKey = "moved."

/** What a room is told once its chat has followed an upgrade is called, once for good. */
export const moveKeyOf = (room: RoomId): string => `${moveKey}${room}`

/** Whether this is what such a word is called, and not the key of somebody's message. */
export const isMoveKey = (key: string): boolean => key.startsWith(moveKey)

/**
 * What the news of a report is called: a change by when it was made, for it may happen again. Conflicts alone by what they are, so that
 * a bot that is started again and again tells of them once.
 */
export const newsKeyOf = (report: ReconciliationReport): string => {
  const { conflicts, detached, findings, moved, restored, startedAt, updated } = report
  if (detached + moved + restored + updated > 0) return `${newsKey}${startedAt}`
  const told = findings.flatMap(conflictsIn)
  return `${newsKey}conflicts.${conflicts}.${told.join(".")}`
}

/** A conflict by what it is, however often it is found. */
const conflictsIn = (outcome: Outcome): ReadonlyArray<string> =>
  outcome._tag === "Conflict" ? [`${outcome.reason} ${outcome.roomId} ${outcome.chatId} ${outcome.claimed}`] : []

/** What the news of changes that came while the bot ran is called, by the newest report of them. */
export const changesKeyOf = ({ scope, startedAt }: ReconciliationReport): string => `${newsKey}${startedAt}.${scope}`

/**
 * What happened to chats while the bot ran, as far as operators want to know: they lost their room, moved, or are in a conflict. `before`
 * are older reports: a conflict that stands in one of them is no news.
 */
export const changesIn = (
  reports: ReadonlyArray<ReconciliationReport>,
  before: ReadonlyArray<ReconciliationReport>
): ReadonlyArray<Outcome> => {
  const known = new Set(before.flatMap(({ findings }) => findings).flatMap(conflictsIn))
  return reports.flatMap(({ findings }) => findings).filter((outcome) => {
    const [conflict] = conflictsIn(outcome)
    if (conflict === undefined) return outcome._tag === "Detached" || outcome._tag === "Moved"
    if (known.has(conflict)) return false
    known.add(conflict)
    return true
  })
}

/** What the operators' room is told of such changes, in markdown. */
export const changesText = (changes: ReadonlyArray<Outcome>, prefix: string): string => {
  const shown = mostUrgentFirst(changes).slice(0, mostNews)
  const more = changes.length - shown.length
  return [
    "Since my last word here:",
    "",
    ...shown.map((outcome) => newsLine(outcome, prefix)),
    ...(more > 0 ? [`- and ${more} more`] : []),
    "",
    "`homing reports` tells all of it."
  ].join("\n")
}

const newsLine = (outcome: Outcome, prefix: string): string => {
  const { settledBy, what } = explain(outcome, (command) => codeSpan(`${prefix}${command}`))
  const room = outcome.roomId === null ? "" : ` ${codeSpan(outcome.roomId)}`
  return `- ${outcome._tag.toLowerCase()}${room}: ${what}${
    settledBy === undefined ? "" : `. To settle it, ${settledBy}.`
  }`
}

/** Such as `2 restored, 1 conflict`. */
export const countsOf = (report: ReconciliationReport): string => {
  const { conflicts, detached, moved, restored, skipped, unchanged, updated } = report
  const counts = { unchanged, restored, updated, moved, detached, skipped }
  const found = Object.entries(counts).flatMap(([outcome, count]) => count === 0 ? [] : [`${count} ${outcome}`])
  if (conflicts > 0) found.push(conflicts === 1 ? "1 conflict" : `${conflicts} conflicts`)
  return found.length === 0 ? "nothing there" : found.join(", ")
}

/** What the operators' room is told of a report, in markdown: its news, and what to do about them. */
export const newsOf = (report: ReconciliationReport, prefix: string): string => {
  const news = mostUrgentFirst(report.findings.filter(({ _tag }) => _tag !== "Skipped"))
  const shown = news.slice(0, mostNews).map((outcome) => newsLine(outcome, prefix))
  const { conflicts, detached, moved, restored, updated } = report
  const more = conflicts + detached + moved + restored + updated - shown.length
  return [
    `I have started, and compared ${plural(report.rooms, "room")} with ${plural(report.chats, "chat")}: ${
      countsOf(report)
    }.`,
    "",
    ...shown,
    ...(more > 0 ? [`- and ${more} more`] : []),
    "",
    "`homing reports` tells all of it."
  ].join("\n")
}

const mostNews = 10
