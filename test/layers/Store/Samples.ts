import { Effect, Redacted } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Chat } from "../../../src/domain/Chat.ts"
import { ChatId, DeviceId, EventId, RoomId, SyncToken, TransactionId, UserId } from "../../../src/domain/Ids.ts"
import type { OutgoingMessage } from "../../../src/domain/Message.ts"
import type { ReconciliationReport } from "../../../src/domain/Reconciliation.ts"
import type { InboxRow, Store, StoredSession } from "../../../src/layers/Store.ts"

export const ada = UserId.make("@ada:example.org")
export const bot = UserId.make("@bot:example.org")
export const roomA = RoomId.make("!a:example.org")
export const roomB = RoomId.make("!b:example.org")

/** A directory that is gone when the scope ends. */
export const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "homing-store-"))),
  (dir) => Effect.sync(() => rmSync(dir, { recursive: true, force: true }))
)

export const session: StoredSession = {
  userId: bot,
  deviceId: DeviceId.make("HOMING1"),
  homeserverUrl: "https://matrix.example.org",
  accessToken: Redacted.make("syt_secret")
}

export const chat = (id: string, fields: Partial<Chat> = {}): Chat =>
  new Chat({
    id: ChatId.make(id),
    owner: ada,
    ownerName: "Ada",
    title: "Plans",
    archived: false,
    revision: 1,
    createdAt: 1000,
    binding: null,
    detached: "left",
    markerRevision: 0,
    ...fields
  })

export const bound = (id: string, roomId: RoomId, fields: Partial<Chat> = {}): Chat =>
  chat(id, { binding: { roomId, boundAt: 2000 }, detached: null, ...fields })

export const message = (id: string, roomId = roomA): InboxRow => ({
  key: id,
  kind: "message",
  roomId,
  sender: ada,
  event: {
    event_id: EventId.make(id),
    type: "m.room.message",
    sender: ada,
    origin_server_ts: 5,
    content: { msgtype: "m.text", body: "nul \0, half a pair \ud800, ünïcode" }
  },
  provenance: "live"
})

export const invite = (roomId: RoomId, sender = ada): InboxRow => ({
  key: `invite:${roomId}`,
  kind: "invite",
  roomId,
  sender,
  event: undefined,
  provenance: "missed"
})

export const reply = (transactionId: string, roomId = roomA): OutgoingMessage => ({
  roomId,
  transactionId: TransactionId.make(transactionId),
  type: "m.room.message",
  content: { msgtype: "m.notice", body: transactionId }
})

type Batch = Parameters<Store["Service"]["inbox"]["ingest"]>[0]

export const batch = (rows: ReadonlyArray<InboxRow>, more: Partial<Batch> = {}): Batch => ({
  rows,
  ignored: [],
  echoes: [],
  edits: [],
  redactions: [],
  reactions: [],
  answered: [],
  gaps: [],
  encrypted: [],
  cursor: SyncToken.make("s1"),
  ...more
})

export const report = (startedAt: number): ReconciliationReport => ({
  scope: "all",
  startedAt,
  durationMs: 3,
  rooms: 1,
  chats: 0,
  unchanged: 0,
  restored: 0,
  updated: 0,
  moved: 0,
  detached: 0,
  skipped: 1,
  conflicts: 0,
  reasons: { "skipped.no_marker": 1 },
  findings: [{ _tag: "Skipped", roomId: roomA, reason: "no_marker" }]
})
