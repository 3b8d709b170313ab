import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { ChatId, type EventId, type RoomId, serverOf, type UserId } from "../../../src/domain/Ids.ts"
import { Marker, markerType } from "../../../src/domain/Marker.ts"
import type { SyncBatch } from "../../../src/domain/SyncBatch.ts"
import { MatrixMessages, MatrixProvisioning, MatrixRooms } from "../../../src/layers/MatrixClient.ts"
import { batches, bodies, type ContractOptions, livesOf, message, roomWith, started, withStore } from "./Harness.ts"
import { World } from "./World.ts"

const markerFor = (account: UserId, room: RoomId, title: string): Marker =>
  Marker.make({
    version: 1,
    account,
    chat_id: ChatId.make("chat-1"),
    room_id: room,
    owner: account,
    owner_name: "Owner",
    title,
    archived: false,
    revision: 1,
    created_at: 1,
    bound_at: 1
  })

/** What the bot sees of rooms, and what it does in them. */
export const roomsContract = <R, E>(name: string, options: ContractOptions<R, E>) => {
  const asBot = livesOf(options)

  // The SDK keeps time by itself, so that the clock is the real one.
  layer(options.world, { excludeTestServices: true })(`${name}: rooms and messages`, (it) => {
    it.effect("shows every room after the initial sync, markers too when it goes on from a cursor", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        const marker = markerFor(account.userId, room, "Talk")
        const cursor = yield* asBot(
          account,
          Effect.gen(function*() {
            const { nextBatch } = yield* started()
            yield* (yield* MatrixProvisioning).writeMarker(room, marker)
            return nextBatch
          })
        )
        yield* asBot(
          account,
          Effect.gen(function*() {
            yield* started(cursor)
            yield* batches.pipe(Effect.flatMap(({ until }) => until((_) => _.initial)))
          })
        )
        yield* asBot(
          account,
          Effect.gen(function*() {
            // The marker came before this cursor: only `full_state` brings it again.
            const { nextBatch } = yield* started()
            yield* started(nextBatch)
            const seen = (yield* (yield* MatrixRooms).snapshot).find((_) => _.roomId === room)
            assert.deepStrictEqual(seen?.marker, marker)
            assert.strictEqual(seen?.membership, "join")
            assert.strictEqual(seen?.name, "Talk")
            assert.deepStrictEqual(new Set(seen?.members.keys()), new Set([alice.userId, account.userId]))
          })
        )
      }).pipe(withStore))

    it.effect("reads one room from the server as it stands now", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { room } = yield* roomWith(account)
        yield* asBot(
          account,
          Effect.gen(function*() {
            const rooms = yield* MatrixRooms
            yield* started()
            assert.isUndefined((yield* rooms.read(room)).marker)
            const marker = markerFor(account.userId, room, "Talk")
            yield* (yield* MatrixProvisioning).writeMarker(room, marker)
            const read = yield* rooms.read(room)
            assert.deepStrictEqual(read.marker, marker)
            assert.deepStrictEqual({ ...read, marker: undefined }, yield* rooms.view(room))
            yield* (yield* MatrixProvisioning).writeMarker(room, undefined)
            assert.deepStrictEqual((yield* rooms.read(room)).marker, {})
          })
        )
      }).pipe(withStore))

    it.effect("tells of a marker that changed while it runs", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { room } = yield* roomWith(account)
        yield* asBot(
          account,
          Effect.gen(function*() {
            yield* started()
            const { until } = yield* batches
            yield* until((_) => _.initial)
            const marker = markerFor(account.userId, room, "Renamed")
            yield* (yield* (yield* World).otherDevice(account)).setRoomAccountData(room, markerType, { ...marker })
            const batch = yield* until((_) => _.reshaped.includes(room))
            assert.deepStrictEqual(bodies(batch, room), [])
            assert.deepStrictEqual((yield* (yield* MatrixRooms).view(room))?.marker, marker)
          })
        )
      }).pipe(withStore))

    it.effect("brings invites with who asks, and joins", () =>
      Effect.gen(function*() {
        const { account: newAccount, person } = yield* World
        const account = yield* newAccount("bot")
        yield* asBot(
          account,
          Effect.gen(function*() {
            yield* started()
            const { until } = yield* batches
            const alice = yield* person("alice")
            const room = yield* alice.createRoom({ invite: [account.userId], encrypted: true })
            const { invites } = yield* until((_) => _.invites.length > 0)
            assert.deepStrictEqual(invites, [{ roomId: room, sender: alice.userId, encrypted: true, isSpace: false }])
            assert.strictEqual((yield* (yield* MatrixRooms).view(room))?.membership, "invite")
            yield* (yield* MatrixProvisioning).join(room)
            yield* until((_) => _.timelines.some((timeline) => timeline.roomId === room))
            const view = yield* (yield* MatrixRooms).view(room)
            assert.strictEqual(view?.membership, "join")
            assert.isTrue(view?.encrypted)
          })
        )
      }).pipe(withStore))

    it.effect("tells apart being kicked, being banned and leaving", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const [kicked, banned, left] = [yield* roomWith(account), yield* roomWith(account), yield* roomWith(account)]
        yield* asBot(
          account,
          Effect.gen(function*() {
            yield* started()
            const { until } = yield* batches
            yield* kicked.alice.kick(kicked.room, account.userId)
            yield* banned.alice.ban(banned.room, account.userId)
            yield* (yield* MatrixProvisioning).leave(left.room)
            const seen = new Map<RoomId, string>()
            yield* until((batch) => {
              for (const { membership, roomId } of batch.departures) seen.set(roomId, membership)
              return seen.size === 3
            })
            assert.deepStrictEqual(
              seen,
              new Map([[kicked.room, "kicked"], [banned.room, "banned"], [left.room, "left"]])
            )
            assert.strictEqual((yield* (yield* MatrixRooms).view(kicked.room))?.membership, "kicked")
          })
        )
      }).pipe(withStore))

    it.effect("sees where an upgraded room went, and that it was allowed to go", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        yield* asBot(
          account,
          Effect.gen(function*() {
            yield* started()
            const { until } = yield* batches
            const successor = yield* alice.upgrade(room, "11")
            yield* until((_) => _.reshaped.includes(room) && !_.initial)
            const rooms = yield* MatrixRooms
            assert.deepInclude((yield* rooms.view(room))?.tombstone, {
              successor,
              sender: alice.userId,
              permitted: true
            })
            yield* alice.invite(successor, account.userId)
            // Asked for through a server that is in it, as by somebody who was not invited.
            yield* (yield* MatrixProvisioning).join(successor, serverOf(alice.userId))
            yield* until((_) => _.reshaped.includes(successor))
            assert.strictEqual((yield* rooms.view(successor))?.predecessor, room)
          })
        )
      }).pipe(withStore))

    it.effect("makes one event of a message that is sent twice with the same transaction id", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        const send = Effect.flatMap(MatrixMessages, (_) => _.send(message(room, "txn-1", "once")))
        const [first, again] = yield* asBot(
          account,
          Effect.gen(function*() {
            yield* started()
            return [yield* send, yield* send] as const
          })
        )
        // The scope of a transaction id is the device, not the process (Client-Server API, "Transaction identifiers").
        const afterRestart = yield* asBot(account, Effect.andThen(started(), send))
        assert.deepStrictEqual([again, afterRestart], [first, first])
        const said = (yield* alice.messages(room)).filter((_) => _.type === "m.room.message")
        assert.deepStrictEqual(said.map((_) => _.event_id), [first])
      }).pipe(withStore))

    it.effect("hears its own messages with their transaction ids, also those it sent before a restart", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { room } = yield* roomWith(account)
        const echo = (batch: SyncBatch, event: EventId) =>
          batch.timelines.flatMap((_) => _.events).find((_) => _.event_id === event)?.unsigned?.["transaction_id"]
        const { cursor, sent } = yield* asBot(
          account,
          Effect.gen(function*() {
            const cursor = (yield* started()).nextBatch
            return { cursor, sent: yield* (yield* MatrixMessages).send(message(room, "txn-before", "hello")) }
          })
        )
        yield* asBot(
          account,
          Effect.gen(function*() {
            assert.strictEqual(echo(yield* started(cursor), sent), "txn-before")
            const { until } = yield* batches
            const live = yield* (yield* MatrixMessages).send(message(room, "txn-live", "hello"))
            const batch = yield* until((_) => echo(_, live) !== undefined)
            assert.strictEqual(echo(batch, live), "txn-live")
          })
        )
      }).pipe(withStore))

    it.effect("lists a room in a Space, and takes it out again", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        yield* asBot(
          account,
          Effect.gen(function*() {
            yield* started()
            const [rooms, provisioning] = [yield* MatrixRooms, yield* MatrixProvisioning]
            const space = yield* provisioning.createRoom({
              origin: { version: 1, kind: "space", owner: alice.userId, created_at: 1 },
              name: "Chats",
              topic: "Chats",
              encrypted: false,
              space: undefined
            })
            yield* provisioning.addToSpace(space, room)
            assert.deepStrictEqual([...(yield* rooms.read(space)).listed], [room])
            yield* provisioning.removeFromSpace(space, room)
            const { children, listed } = yield* rooms.read(space)
            assert.deepStrictEqual([[...children], [...listed]], [[room], []])
          })
        )
      }).pipe(withStore))

    it.effect("says when a timeline has a gap, and reads what is in it", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        yield* alice.say(room, "before the gap")
        const cursor = yield* asBot(account, started()).pipe(Effect.map((_) => _.nextBatch))
        const said = Array.from({ length: 130 }, (_, index) => `message ${index}`)
        yield* Effect.forEach(said, (body) => alice.say(room, body), { discard: true })
        yield* asBot(
          account,
          Effect.gen(function*() {
            const initial = yield* started(cursor)
            const timeline = initial.timelines.find((_) => _.roomId === room)
            assert.isTrue(timeline?.limited)
            const rooms = yield* MatrixRooms
            const missed: Array<unknown> = []
            let from = timeline?.prevBatch
            while (from !== undefined) {
              const page: Effect.Success<ReturnType<typeof rooms.history>> = yield* rooms.history(room, {
                from,
                to: cursor,
                limit: 20
              })
              missed.unshift(
                ...page.events.filter((_) => _.type === "m.room.message").map((_) => _.content["body"]).reverse()
              )
              from = page.end
            }
            assert.deepStrictEqual([...missed, ...bodies(initial, room)], said)
          })
        )
      }).pipe(withStore), 60_000)

    it.effect("names a refusal that can be acted on", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        yield* asBot(
          account,
          Effect.gen(function*() {
            yield* started()
            yield* alice.kick(room, account.userId)
            const refusal = yield* Effect.flip((yield* MatrixMessages).send(message(room, "txn", "too late")))
            assert.strictEqual(refusal.reason._tag, "Forbidden")
          })
        )
      }).pipe(withStore))
  })
}
