import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { Chat, cleanTitle, type DetachReason } from "../domain/Chat.ts"
import { type SettingName, withSetting, writtenSettings } from "../domain/ChatSettings.ts"
import { ChatNotFound, RoomTaken, type StoreUnavailable, UnregisteredRoom } from "../domain/Errors.ts"
import { ChatId, type RoomId, type UserId } from "../domain/Ids.ts"
import { chatAfter, type Outcome } from "../domain/Reconciliation.ts"
import { Store } from "./Store.ts"

/** Resolves rooms to chats, and is the only writer of bindings. Every change is one transaction. */
export class ChatManager extends Context.Service<ChatManager, {
  /** The chat that `room` shows to `user`. Fails with `UnregisteredRoom` when there is none. */
  resolve(room: RoomId, user: UserId): Effect.Effect<ChatId, UnregisteredRoom | StoreUnavailable>
  get(chat: ChatId): Effect.Effect<Chat, ChatNotFound | StoreUnavailable>
  /**
   * A new chat of `owner`, shown in `room`. Revision 1, no marker written yet. Where an `id` is given and there is a chat of that id
   * already, that one, wherever it is shown.
   */
  register(options: {
    readonly id?: ChatId
    readonly room: RoomId
    readonly owner: UserId
    readonly ownerName: string
    readonly title: string
    /** What the room is called; undefined where it has no name. */
    readonly roomName: string | undefined
  }): Effect.Effect<Chat, RoomTaken | StoreUnavailable>
  /**
   * Shows a chat in another room from now on, in a new revision. The room must show no chat, or one of the same owner that is fresh: that
   * one is forgotten. The room of before is noted in `formerRoom` until its marker is gone.
   */
  move(chat: ChatId, to: {
    readonly room: RoomId
    readonly roomName: string | undefined
  }): Effect.Effect<Chat, ChatNotFound | RoomTaken | StoreUnavailable>
  /** Notes that the marker which the chat left behind in `room` is gone. */
  leftBehind(chat: ChatId, room: RoomId): Effect.Effect<void, ChatNotFound | StoreUnavailable>
  /** Somebody says something in the chat that is no command: it is fresh no more. */
  used(chat: ChatId): Effect.Effect<void, ChatNotFound | StoreUnavailable>
  /** Notes what the room of the chat is called, so that it is no news. */
  roomNamed(chat: ChatId, name: string): Effect.Effect<Chat, ChatNotFound | StoreUnavailable>
  rename(chat: ChatId, title: string): Effect.Effect<Chat, ChatNotFound | StoreUnavailable>
  setArchived(chat: ChatId, archived: boolean): Effect.Effect<Chat, ChatNotFound | StoreUnavailable>
  /** Gives a setting of the chat one of its values; undefined gives it back its default. */
  set(chat: ChatId, name: SettingName, value: string | undefined): Effect.Effect<Chat, ChatNotFound | StoreUnavailable>
  /** Unbinds a chat from its room. Its revision stays: the marker, if any, is no newer. */
  detach(chat: ChatId, reason: DetachReason): Effect.Effect<Chat, ChatNotFound | StoreUnavailable>
  /** Forgets a chat for good: nothing restores it. */
  delete(chat: ChatId): Effect.Effect<void, StoreUnavailable>
  /** Chats of one owner, or all of them, the newest first. */
  list(owner?: UserId): Effect.Effect<ReadonlyArray<Chat>, StoreUnavailable>
  /** Notes that the marker of this revision stands on the server. Never lowers a newer note. */
  markerWritten(chat: ChatId, revision: number): Effect.Effect<void, ChatNotFound | StoreUnavailable>
  /** Bound chats whose marker on the server is missing or behind, or may still stand in the room of before. */
  readonly unmarked: Effect.Effect<ReadonlyArray<Chat>, StoreUnavailable>
  /** Carries out what a reconciliation decided, in one transaction. Skips and conflicts change nothing. */
  apply(outcomes: ReadonlyArray<Outcome>): Effect.Effect<void, StoreUnavailable>
}>()("homing/ChatManager") {
  static readonly layer = Layer.effect(ChatManager, Effect.suspend(() => make))
}

const make = Effect.gen(function*() {
  const store = yield* Store

  const get = Effect.fnUntraced(function*(id: ChatId) {
    const chat = yield* store.chats.byId(id)
    if (chat === undefined) return yield* new ChatNotFound({ chat: id })
    return chat
  })

  /** Reads, changes and writes a chat in one transaction. `undefined` leaves it as it is. */
  const change = (id: ChatId, f: (chat: Chat) => Partial<Chat> | undefined) =>
    store.transaction(Effect.gen(function*() {
      const before = yield* get(id)
      const changes = f(before)
      if (changes === undefined) return before
      const after = new Chat({ ...before, ...changes })
      yield* store.chats.put(after)
      return after
    }))

  return ChatManager.of({
    get,

    resolve: Effect.fnUntraced(function*(room, user) {
      const chat = yield* store.chats.byRoom(room)
      if (chat === undefined) return yield* new UnregisteredRoom({ room, user })
      return chat.id
    }),

    register: Effect.fn("ChatManager.register")(function*({ id, owner, ownerName, room, roomName, title }) {
      const now = yield* Clock.currentTimeMillis
      const chat = new Chat({
        id: id ?? (yield* newChatId),
        owner,
        ownerName: cleanTitle(ownerName) || cleanTitle(owner),
        title: cleanTitle(title),
        archived: false,
        revision: 1,
        createdAt: now,
        binding: { roomId: room, boundAt: now },
        detached: null,
        markerRevision: 0,
        roomName: cleanTitle(roomName ?? ""),
        fresh: true
      })
      return yield* store.transaction(Effect.gen(function*() {
        const known = id === undefined ? undefined : yield* store.chats.byId(id)
        if (known !== undefined) return known
        const holder = yield* store.chats.byRoom(room)
        if (holder !== undefined) return yield* new RoomTaken({ room, chat: holder.id })
        yield* store.chats.put(chat)
        return chat
      }))
    }),

    move: Effect.fn("ChatManager.move")(function*(id, { room, roomName }) {
      const now = yield* Clock.currentTimeMillis
      return yield* store.transaction(Effect.gen(function*() {
        const chat = yield* get(id)
        if (chat.binding?.roomId === room) return chat
        const holder = yield* store.chats.byRoom(room)
        if (holder !== undefined) {
          if (!holder.fresh || holder.owner !== chat.owner) return yield* new RoomTaken({ room, chat: holder.id })
          yield* store.chats.remove(holder.id)
        }
        const moved = new Chat({
          ...chat,
          binding: { roomId: room, boundAt: now },
          detached: null,
          // What stands in the room of before is older from now on, whatever becomes of it.
          revision: chat.revision + 1,
          markerRevision: 0,
          roomName: cleanTitle(roomName ?? ""),
          formerRoom: chat.binding?.roomId ?? chat.formerRoom,
          fresh: false
        })
        yield* store.chats.put(moved)
        return moved
      }))
    }),

    leftBehind: Effect.fn("ChatManager.leftBehind")(function*(id, room) {
      yield* change(
        id,
        ({ binding, formerRoom }) => binding !== null && formerRoom === room ? { formerRoom: null } : undefined
      )
    }),

    used: Effect.fn("ChatManager.used")(function*(id) {
      yield* change(id, ({ fresh }) => fresh ? { fresh: false } : undefined)
    }),

    roomNamed: Effect.fn("ChatManager.roomNamed")(function*(id, name) {
      return yield* change(id, ({ roomName }) => roomName === name ? undefined : { roomName: name })
    }),

    rename: Effect.fn("ChatManager.rename")(function*(id, title) {
      return yield* change(id, (chat) => ({ title: cleanTitle(title), revision: chat.revision + 1 }))
    }),

    setArchived: Effect.fn("ChatManager.setArchived")(function*(id, archived) {
      return yield* change(
        id,
        (chat) => chat.archived === archived ? undefined : { archived, revision: chat.revision + 1 }
      )
    }),

    set: Effect.fn("ChatManager.set")(function*(id, name, value) {
      return yield* change(
        id,
        ({ revision, settings }) =>
          writtenSettings(settings)[name] === value
            ? undefined
            : { settings: withSetting(settings, name, value), revision: revision + 1 }
      )
    }),

    detach: Effect.fn("ChatManager.detach")(function*(id, reason) {
      return yield* change(
        id,
        ({ binding }) => binding === null ? undefined : { binding: null, detached: reason, formerRoom: binding.roomId }
      )
    }),

    delete: store.chats.delete,

    list: Effect.fn("ChatManager.list")(function*(owner) {
      const chats = yield* owner === undefined ? store.chats.all : store.chats.ofOwner(owner)
      return chats.toSorted(newestFirst)
    }),

    markerWritten: Effect.fn("ChatManager.markerWritten")(function*(id, revision) {
      yield* change(id, (chat) => revision > chat.markerRevision ? { markerRevision: revision } : undefined)
    }),

    unmarked: store.chats.unmarked,

    apply: Effect.fn("ChatManager.apply")(function*(outcomes) {
      yield* store.transaction(Effect.gen(function*() {
        const changed: Array<Chat> = []
        const known = yield* store.chats.byIds(outcomes.flatMap(idOf))
        // Rooms are let go before any is taken: two chats that change places would else meet in one room.
        for (const outcome of outcomes) {
          if (outcome._tag === "Skipped" || outcome._tag === "Conflict") continue
          const before = known.get(outcome.chatId)
          const after = chatAfter(outcome, before)
          if (after === undefined) continue
          if (before !== undefined && before.binding !== null && before.binding.roomId !== after.binding?.roomId) {
            yield* store.chats.put(new Chat({ ...before, binding: null, detached: after.detached ?? "moved_away" }))
          }
          changed.push(after)
        }
        yield* Effect.forEach(changed, store.chats.put, { discard: true })
      }))
    })
  })
})

/** The chat that an outcome may change. */
const idOf = (outcome: Outcome): ReadonlyArray<ChatId> =>
  outcome._tag === "Skipped" || outcome._tag === "Conflict" ? [] : [outcome.chatId]

const newestFirst = (a: Chat, b: Chat) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1)

const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"

/** Sixteen characters, so that two databases of one account make no equal ids. Nothing is protected by an id being secret. */
export const newChatId = Effect.map(
  Effect.all(Array.from({ length: 16 }, () => Random.nextIntBetween(0, alphabet.length - 1))),
  (digits) => ChatId.make(digits.map((digit) => alphabet.charAt(digit)).join(""))
)
