import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Chat, DetachReason } from "../domain/Chat.ts"
import type { ChatNotFound, RoomTaken, StoreUnavailable, UnregisteredRoom } from "../domain/Errors.ts"
import type { ChatId, RoomId, UserId } from "../domain/Ids.ts"
import type { Outcome } from "../domain/Reconciliation.ts"

/** Resolves rooms to chats, and is the only writer of bindings. Every change is one transaction. */
export class ChatManager extends Context.Service<ChatManager, {
  /** The chat that `room` shows to `user`. Fails with `UnregisteredRoom` when there is none. */
  resolve(room: RoomId, user: UserId): Effect.Effect<ChatId, UnregisteredRoom | StoreUnavailable>
  get(chat: ChatId): Effect.Effect<Chat, ChatNotFound | StoreUnavailable>
  /** A new chat of `owner`, shown in `room`. Revision 1, no marker written yet. */
  register(options: {
    readonly room: RoomId
    readonly owner: UserId
    readonly ownerName: string
    readonly title: string
  }): Effect.Effect<Chat, RoomTaken | StoreUnavailable>
  rename(chat: ChatId, title: string): Effect.Effect<Chat, ChatNotFound | StoreUnavailable>
  setArchived(chat: ChatId, archived: boolean): Effect.Effect<Chat, ChatNotFound | StoreUnavailable>
  /** Unbinds a chat from its room. Its revision stays: the marker, if any, is no newer. */
  detach(chat: ChatId, reason: DetachReason): Effect.Effect<Chat, ChatNotFound | StoreUnavailable>
  /** Chats of one owner, or all of them, the newest first. */
  list(owner?: UserId): Effect.Effect<ReadonlyArray<Chat>, StoreUnavailable>
  /** Notes that the marker of this revision stands on the server. Never lowers a newer note. */
  markerWritten(chat: ChatId, revision: number): Effect.Effect<void, ChatNotFound | StoreUnavailable>
  /** Bound chats whose marker on the server is missing or behind. */
  readonly unmarked: Effect.Effect<ReadonlyArray<Chat>, StoreUnavailable>
  /** Carries out what a reconciliation decided, in one transaction. Skips and conflicts change nothing. */
  apply(outcomes: ReadonlyArray<Outcome>): Effect.Effect<void, StoreUnavailable>
}>()("homing/ChatManager") {}
