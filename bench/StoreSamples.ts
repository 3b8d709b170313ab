import { EventId, RoomId, TransactionId, UserId } from "../src/domain/Ids.ts"
import type { InboxRow } from "../src/layers/Store.ts"

export const rooms = Array.from({ length: 20 }, (_, n) => RoomId.make(`!room${n}:bench.test`))
const person = UserId.make("@you:bench.test")
const hour = 3_600_000

/** Messages go round the rooms. */
export const roomOf = (n: number) => rooms[n % rooms.length] ?? RoomId.make("!room:bench.test")
const idOf = (n: number) => EventId.make(`$${Math.imul(n, 0x9e3779b1) >>> 0}-${n}-abcdefghijklmnopqrstuvwxyz0123`)

/** A message as an inbox has it, about as large as they are. */
export const row = (n: number): InboxRow => ({
  key: idOf(n),
  kind: "message",
  roomId: roomOf(n),
  sender: person,
  event: {
    event_id: idOf(n),
    type: "m.room.message",
    sender: person,
    origin_server_ts: hour + n,
    content: { msgtype: "m.text", body: `message ${n}, about as long as people write them`, "m.mentions": {} },
    unsigned: { age: 120 }
  },
  provenance: "live"
})

/** The answer to it. */
export const reply = (n: number) => ({
  roomId: roomOf(n),
  transactionId: TransactionId.make(`homing.${n}.0123456789abcdef`),
  type: "m.room.message",
  content: {
    msgtype: "m.text",
    body: `You said: message ${n}`,
    format: "org.matrix.custom.html",
    formatted_body: `<p>You said: message ${n}</p>`,
    "m.relates_to": { "m.in_reply_to": { event_id: idOf(n) } },
    "m.mentions": { user_ids: [person] }
  }
})
