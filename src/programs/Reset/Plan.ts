import type { RoomId, UserId } from "../../domain/Ids.ts"
import { readMarker } from "../../domain/Marker.ts"
import { plural } from "../../domain/Plural.ts"
import type { ServerRoom } from "../../domain/ServerRoom.ts"

/** What is to be reset. At least one of the first three. */
export interface ResetOptions {
  /** What the bot remembers on this machine. */
  readonly local: boolean
  /** With `local`: the device and its keys, too. */
  readonly crypto: boolean
  /** The bot's markers, in all rooms. */
  readonly server: boolean
  /** The rooms themselves. */
  readonly rooms: boolean
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
  const joined = options.rooms ? rooms.filter(({ membership }) => membership === "join") : []
  const emptied = options.server ? marked : []
  return {
    local: options.local ? (options.crypto ? "nothing" : "session") : undefined,
    markers: emptied.map(({ roomId }) => roomId),
    leave: joined.map(({ roomId }) => roomId),
    text: [
      ...(options.local ? [`On this machine, in ${found.dataDir}:`, ...localLines(options, found), ""] : []),
      ...(found.server === undefined ? [] : [
        `On ${found.server.url}, as ${found.account ?? "the bot"}:`,
        ...(options.server ? [`  empty the marker of ${plural(emptied.length, "room")}`] : []),
        ...(options.rooms ? [`  leave and forget ${plural(joined.length, "room")}`] : []),
        ...listed(options.rooms ? joined : emptied),
        ""
      ]),
      ...consequences(options, found)
    ].join("\n")
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
  ...(rooms
    ? ["People who want the bot back invite it again."]
    : server && local
    ? ["No chat comes back by itself: somebody types !register in its room, or the backup is restored."]
    : server
    ? ["The next start writes the markers of the chats that it still knows again."]
    : ["The next start finds every chat again by the marker in its room."]),
  ...(local && !server && !rooms && found.roomless > 0
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
