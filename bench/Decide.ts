import { Effect } from "effect"
import { Chat } from "../src/domain/Chat.ts"
import { ChatId, RoomId, UserId } from "../src/domain/Ids.ts"
import { markerOf } from "../src/domain/Marker.ts"
import { decide } from "../src/domain/Reconciliation.ts"
import type { ServerRoom } from "../src/domain/ServerRoom.ts"
import { median, type Row } from "./Report.ts"

const count = 5_000
const rounds = 21

const account = UserId.make("@homing:bench.test")
const owner = UserId.make("@you:bench.test")

const chats = Array.from({ length: count }, (_, i) =>
  new Chat({
    id: ChatId.make(`chat${i}`),
    owner,
    ownerName: "You",
    title: `Chat ${i}`,
    archived: i % 10 === 0,
    revision: 1,
    createdAt: 0,
    binding: { roomId: RoomId.make(`!room${i}:bench.test`), boundAt: i },
    detached: null,
    markerRevision: 1
  }))

const rooms = chats.map((chat, i): ServerRoom => ({
  roomId: RoomId.make(`!room${i}:bench.test`),
  membership: "join",
  isSpace: false,
  name: chat.title,
  encrypted: false,
  marker: markerOf(account, chat),
  tombstone: undefined,
  predecessor: undefined,
  origin: undefined,
  children: new Set(),
  listed: new Set(),
  members: new Map([account, owner].map((user) => [user, { membership: "join", displayName: undefined }]))
}))

const measure = (subject: string, localChats: ReadonlyArray<Chat>): Row => {
  const times = Array.from({ length: rounds }, () => {
    const started = performance.now()
    decide({ account, rooms, chats: localChats, now: 0 })
    return performance.now() - started
  })
  return {
    benchmark: `decide, ${count} rooms`,
    subject,
    figures: { "median ms": median(times), "worst ms": Math.max(...times) }
  }
}

/** Reconciliation's decision alone, without server or disk. */
export const decideRooms = Effect.sync(
  () => [measure("nothing changed", chats), measure("all restored from markers", [])]
)
