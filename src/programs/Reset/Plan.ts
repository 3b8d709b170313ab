import type { RoomId, UserId } from "../../domain/Ids.ts"
import { readMarker } from "../../domain/Marker.ts"
import { plural } from "../../domain/Plural.ts"
import type { ServerRoom } from "../../domain/ServerRoom.ts"

/** What is to be reset: at least `local`, `server` or rooms. */
export interface ResetOptions {
  /** What the bot remembers on this machine. */
  readonly local: boolean
  /** With `local`: the device and its keys, too. */
  readonly crypto: boolean
  /** The bot's markers, in all rooms. */
  readonly server: boolean
  /** The rooms themselves: those that the bot made, all that it is in, or none. */
  readonly rooms: "own" | "all" | "none"
}

/** What the plan is made of. */
export interface Found {
  readonly dataDir: string
  readonly account: UserId | undefined
  readonly chats: number
  /** Chats that no room shows: they have no marker to come back from. */
  readonly roomless: number
  /** Messages in hand, and answers that were not sent. */
  readonly unfinished: number
  /** Undefined when the server is not needed. */
  readonly server: { readonly url: string; readonly rooms: ReadonlyArray<ServerRoom> } | undefined
}

/** What will be done, and what that means. */
export interface ResetPlan {
  readonly local: "session" | "nothing" | undefined
  /** Rooms whose marker is emptied. */
  readonly markers: ReadonlyArray<RoomId>
  /** Rooms that are left and forgotten. */
  readonly leave: ReadonlyArray<RoomId>
  /** What a person is shown before anything is done. */
  readonly text: string
}

/** Decides what a reset does, and says so. Pure. */
export const planReset = (options: ResetOptions, found: Found): ResetPlan => {
  const rooms = found.server?.rooms ?? []
  const marked = rooms.filter(({ marker }) => readMarker(marker)._tag !== "NoMarker")
  const joined = rooms.filter(({ membership }) => membership === "join")
  const left = options.rooms === "none" ? [] : joined.filter((room) => options.rooms === "all" || isOwn(room))
  const emptied = options.server ? marked : []
  return {
    local: options.local ? (options.crypto ? "nothing" : "session") : undefined,
    markers: emptied.map(({ roomId }) => roomId),
    leave: left.map(({ roomId }) => roomId),
    text: [
      ...(options.local ? [`On this machine, in ${found.dataDir}:`, ...localLines(options, found), ""] : []),
      ...(found.server === undefined ? [] : [
        `On ${found.server.url}, as ${found.account ?? "the bot"}:`,
        ...(options.server ? [`  empty the marker of ${plural(emptied.length, "room")}`] : []),
        ...leaveLines(options, left, joined.length - left.length),
        ...listed(options.rooms === "none" ? emptied : left),
        ""
      ]),
      ...consequences(options, found)
    ].join("\n")
  }
}

/** A room, or a Space, that this account made for a chat: others may well be somebody else's home. */
const isOwn = ({ origin }: ServerRoom): boolean => origin !== undefined

const leaveLines = (
  { rooms }: ResetOptions,
  left: ReadonlyArray<ServerRoom>,
  kept: number
): ReadonlyArray<string> => {
  const leaves = `  leave and forget ${plural(left.length, "room")}`
  switch (rooms) {
    case "none":
      return []
    case "all":
      return [leaves]
    case "own":
      return [
        `${leaves} that the bot made`,
        ...(kept === 0 ? [] : [`  stay in ${plural(kept, "room")} that others made (--all-rooms leaves them, too)`])
      ]
  }
}

const localLines = (options: ResetOptions, found: Found): ReadonlyArray<string> => [
  `  forget ${plural(found.chats, "chat")}, where the bot has read up to, what became of messages, and the reports`,
  ...(found.unfinished === 0 ? [] : [`  forget ${plural(found.unfinished, "message")} in hand or not delivered yet`]),
  options.crypto
    ? "  forget who the bot is: its session, its device and the keys of encrypted rooms"
    : "  keep who the bot is: its session, its device and the keys of encrypted rooms"
]

const mostListed = 20

const listed = (rooms: ReadonlyArray<ServerRoom>): ReadonlyArray<string> => [
  ...rooms.slice(0, mostListed).map(({ name, roomId }) => `    ${roomId}${name === undefined ? "" : `  ${name}`}`),
  ...(rooms.length > mostListed ? [`    and ${rooms.length - mostListed} more`] : [])
]

const consequences = ({ crypto, local, rooms, server }: ResetOptions, found: Found): ReadonlyArray<string> => [
  ...(rooms === "none" ? [] : ["People who want the bot back in a room that it leaves invite it again."]),
  ...(rooms === "all"
    ? []
    : server && local
    ? ["No chat comes back by itself: somebody types !register in its room, or the backup is restored."]
    : server
    ? ["The next start writes the markers of the chats that it still knows again."]
    : ["The next start finds every chat again by the marker in its room."]),
  ...(local && !server && rooms === "none" && found.roomless > 0
    ? [
      `${plural(found.roomless, "chat")} that no room shows ${found.roomless === 1 ? "is" : "are"} in the backup only.`
    ]
    : []),
  ...(crypto
    ? [
      "The next start signs in as a new device, with a password or another token. The old one stays in the account's list of",
      "sessions, unless \"homing sign-out\" is run before this."
    ]
    : [])
]
