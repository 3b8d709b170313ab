/** Raw events and sync answers, as short as tests want them. */
import { RoomId, UserId } from "../../../src/domain/Ids.ts"

export const bot = UserId.make("@bot:hs")
export const alice = UserId.make("@alice:hs")
export const room = RoomId.make("!room:hs")

let count = 0

export const event = (type: string, content: unknown, more: Readonly<Record<string, unknown>> = {}) => ({
  type,
  content,
  event_id: `$event${++count}`,
  sender: alice,
  origin_server_ts: 1,
  ...more
})

export const state = (type: string, content: unknown, stateKey = "", more: Readonly<Record<string, unknown>> = {}) =>
  event(type, content, { state_key: stateKey, ...more })

export const member = (user: string, membership: string, more: Readonly<Record<string, unknown>> = {}) =>
  state("m.room.member", { membership, ...more }, user)

export const said = (body: string) => event("m.room.message", { msgtype: "m.text", body })

type Kind = "join" | "invite" | "knock" | "leave"
export const sync = (rooms: { readonly [K in Kind]?: Readonly<Record<string, unknown>> }) => ({
  next_batch: "s2",
  rooms
})

/** One joined room's part of an answer. */
export const joined = (section: unknown) => sync({ join: { [room]: section } })
export const after = (...events: ReadonlyArray<unknown>) => ({ "org.matrix.msc4222.state_after": { events } })
