/** What is shown beside a room and passes: who is typing, and what was read (Client-Server API, "Typing" and "Receipts"). */
import { announce, type Json, type Room, type User, type World } from "./Model.ts"
import { badParam } from "./Refusal.ts"

// --- typing

/** Milliseconds. A client says again that somebody is typing; Synapse believes it for no longer. */
const longestTyping = 120_000

/** Says that somebody types for the next `duration` milliseconds, or does no longer. */
export const setTyping = (world: World, room: Room, user: User, duration: number, now: number): void => {
  const others = [...room.typing.value].filter(([userId]) => userId !== user.userId)
  if (duration <= 0 && others.length === room.typing.value.size) return
  const own = duration <= 0 ? [] : [[user.userId, now + Math.min(duration, longestTyping)] as const]
  tellTyping(world, room, new Map([...others, ...own]))
}

const tellTyping = (world: World, room: Room, value: ReadonlyMap<string, number>): void => {
  room.typing = { position: ++world.position, value }
  if (value.size === 0) world.typing.delete(room)
  else world.typing.add(room)
  for (const userId of room.joined) announce(world, room, userId)
}

/** Ends what has run out, and what somebody who left the room began there: nobody says so but the server. */
export const endTyping = (world: World, now: number): void => {
  for (const room of world.typing) {
    const still = [...room.typing.value].filter(([userId, until]) => until > now && room.joined.has(userId))
    if (still.length < room.typing.value.size) tellTyping(world, room, new Map(still))
  }
}

/** When the next of them runs out; infinity when nobody is typing. */
export const nextTypingEnd = (world: World): number => {
  let next = Infinity
  for (const room of world.typing) for (const until of room.typing.value.values()) next = Math.min(next, until)
  return next
}

// --- receipts

const receiptTypes = ["m.read", "m.read.private"]

export const setReceipt = (world: World, room: Room, user: User, receipt: {
  readonly type: string
  readonly eventId: string
  readonly threadId?: string | undefined
}, now: number): void => {
  const { eventId, threadId, type } = receipt
  if (!receiptTypes.includes(type)) {
    throw badParam("M_INVALID_PARAM", `Receipt type must be m.fully_read or one of ${receiptTypes.join(", ")}`)
  }
  const value = { userId: user.userId, eventId, type, threadId, at: now }
  room.receipts.set(`${user.userId} ${type} ${threadId ?? ""}`, { position: ++world.position, value })
  for (const userId of type === "m.read.private" ? [user.userId] : room.joined) announce(world, room, userId)
}

// --- as `/sync` tells it

/** What is new after `since`; undefined for somebody who sees the room for the first time. */
export const ephemeralAfter = (room: Room, user: User, since: number | undefined, now: number): ReadonlyArray<Json> => {
  const events: Array<Json> = []
  if (room.typing.position > (since ?? 0)) {
    const typing = [...room.typing.value].flatMap(([userId, until]) => until > now ? [userId] : [])
    if (typing.length > 0 || since !== undefined) events.push({ type: "m.typing", content: { user_ids: typing } })
  }
  const receipts: Record<string, Record<string, Record<string, Json>>> = {}
  for (const { position, value } of room.receipts.values()) {
    const hidden = value.type === "m.read.private" && value.userId !== user.userId
    if (position <= (since ?? 0) || hidden) continue
    const ofType = (receipts[value.eventId] ??= {})[value.type] ??= {}
    ofType[value.userId] = { ts: value.at, ...(value.threadId === undefined ? {} : { thread_id: value.threadId }) }
  }
  if (Object.keys(receipts).length > 0) events.push({ type: "m.receipt", content: receipts })
  return events
}
