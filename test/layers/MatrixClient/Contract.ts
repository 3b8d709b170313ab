import { assert, layer } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Layer, Queue, Redacted, Schedule } from "effect"
import { SyncStalled } from "../../../src/domain/Errors.ts"
import { ChatId, type EventId, type RoomId, SyncToken, TransactionId, type UserId } from "../../../src/domain/Ids.ts"
import { Marker, markerType } from "../../../src/domain/Marker.ts"
import type { SyncBatch } from "../../../src/domain/SyncBatch.ts"
import { AppConfig, type Settings } from "../../../src/layers/AppConfig.ts"
import { FaultEffect } from "../../../src/layers/Homeserver/Faults.ts"
import {
  type MatrixClient,
  MatrixMessages,
  MatrixProvisioning,
  MatrixRooms,
  MatrixSession,
  MatrixSync
} from "../../../src/layers/MatrixClient.ts"
import { SilenceGrace } from "../../../src/layers/MatrixClient/Watchdog.ts"
import { Store } from "../../../src/layers/Store.ts"
import { type Account, World } from "./World.ts"

const bodies = (batch: SyncBatch, room: RoomId): ReadonlyArray<unknown> =>
  (batch.timelines.find((_) => _.roomId === room)?.events ?? [])
    .filter((event) => event.type === "m.room.message").map((event) => event.content["body"])

/** Runs the loop in the background and gives its batches, one by one. */
const batches = Effect.gen(function*() {
  const sync = yield* MatrixSync
  const queue = yield* Queue.unbounded<SyncBatch>()
  const fiber = yield* sync.loop((batch) => Effect.asVoid(Queue.offer(queue, batch))).pipe(Effect.forkScoped)
  const until = (isIt: (batch: SyncBatch) => boolean): Effect.Effect<SyncBatch> =>
    Effect.flatMap(Queue.take(queue), (batch) => isIt(batch) ? Effect.succeed(batch) : until(isIt))
  return { fiber, until }
})

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

const message = (roomId: RoomId, transaction: string, body: string) => ({
  roomId,
  transactionId: TransactionId.make(transaction),
  type: "m.room.message",
  content: { msgtype: "m.text", body }
})

/** What every Matrix client does, on any homeserver. `client` is built anew for every start of the bot. */
export const contract = <R, E>(name: string, options: {
  readonly world: Layer.Layer<World | R, E>
  readonly client: Layer.Layer<MatrixClient, never, AppConfig | Store | R>
  /** The world is a model: its requests can be seen, and faults injected. */
  readonly onModel: boolean
}) => {
  /** One life of the bot, with the store that stands around it. */
  const asBot = <A, E, R2>(account: Account, life: Effect.Effect<A, E, R2>, settings: Partial<Settings> = {}) =>
    Effect.flatMap(World, ({ homeserverUrl }) =>
      life.pipe(
        Effect.scoped,
        Effect.provide(
          options.client.pipe(Layer.provide(AppConfig.layerTest({
            homeserverUrl,
            userId: account.userId,
            password: Redacted.make(account.password),
            syncTimeout: Duration.seconds(1),
            startPatience: Duration.seconds(5),
            ...settings
          }))),
          { local: true }
        )
      ))

  const withStore = Effect.provide(Store.layerMemory, { local: true })

  /** A room that the bot has joined. */
  const roomWith = Effect.fnUntraced(function*(account: Account) {
    const { otherDevice, person } = yield* World
    const alice = yield* person("alice")
    const room = yield* alice.createRoom({ name: "Talk", invite: [account.userId] })
    yield* (yield* otherDevice(account)).join(room)
    return { alice, room }
  })

  const started = Effect.fnUntraced(function*(since?: SyncToken) {
    yield* (yield* MatrixSession).authenticate
    return yield* (yield* MatrixSync).initialSync(since)
  })

  const ofModel = Effect.flatMap(World, ({ model }) => Effect.fromNullishOr(model)).pipe(Effect.orDie)

  const syncsOf = (account: Account) =>
    Effect.flatMap(ofModel, (model) => model.requests).pipe(
      Effect.map((all) => all.filter((_) => _.path.endsWith("/sync") && _.user === account.userId))
    )

  // The SDK keeps time by itself, so that the clock is the real one.
  layer(options.world, { excludeTestServices: true })(name, (it) => {
    it.effect("signs in with the password once and keeps the device over a restart", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const first = yield* asBot(account, Effect.flatMap(MatrixSession, (_) => _.authenticate))
        const second = yield* asBot(account, Effect.flatMap(MatrixSession, (_) => _.authenticate), {
          password: Redacted.make("never asked for")
        })
        assert.strictEqual(first.userId, account.userId)
        assert.deepStrictEqual(second, first)
      }).pipe(withStore))

    it.effect("says which setting to change when the password is wrong", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const refusal = yield* asBot(account, Effect.flatMap(MatrixSession, (_) => _.authenticate), {
          password: Redacted.make("wrong-secret")
        }).pipe(Effect.flip)
        assert.strictEqual(refusal._tag, "CredentialsRefused")
        assert.include(refusal.message, "HOMING_PASSWORD")
        assert.notInclude(refusal.message, "wrong-secret")
      }).pipe(withStore))

    it.effect("takes a configured token, and refuses one of another account", () =>
      Effect.gen(function*() {
        const { account } = yield* World
        const [bot, other] = [yield* account("bot"), yield* account("other")]
        yield* asBot(bot, Effect.flatMap(MatrixSession, (_) => _.authenticate))
        const accessToken = (yield* (yield* Store).session.load)?.accessToken
        const self = yield* asBot(bot, Effect.flatMap(MatrixSession, (_) => _.authenticate), { accessToken, password: undefined })
        assert.strictEqual(self.userId, bot.userId)
        const refusal = yield* asBot(other, Effect.flatMap(MatrixSession, (_) => _.authenticate), { accessToken }).pipe(
          Effect.flip
        )
        assert.strictEqual(refusal._tag, "CredentialsRefused")
        assert.include(refusal.message, "HOMING_USER_ID")
      }).pipe(withStore))

    it.effect("brings missed messages in the initial batch, and later ones in the loop", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        const cursor = yield* asBot(account, started()).pipe(Effect.map((_) => _.nextBatch))
        yield* alice.say(room, "while you were away")
        yield* asBot(account, Effect.gen(function*() {
          const initial = yield* started(cursor)
          assert.isTrue(initial.initial)
          assert.strictEqual(initial.since, cursor)
          assert.deepStrictEqual(bodies(initial, room), ["while you were away"])
          const { until } = yield* batches
          assert.strictEqual(yield* until((_) => _.initial), initial)
          yield* alice.say(room, "now")
          const live = yield* until((_) => bodies(_, room).length > 0)
          assert.isFalse(live.initial)
          assert.deepStrictEqual(bodies(live, room), ["now"])
        }))
      }).pipe(withStore))

    it.effect("shows every room after the initial sync, markers too when it goes on from a cursor", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        const marker = markerFor(account.userId, room, "Talk")
        const cursor = yield* asBot(account, Effect.gen(function*() {
          const { nextBatch } = yield* started()
          yield* (yield* MatrixProvisioning).writeMarker(room, marker)
          return nextBatch
        }))
        yield* asBot(account, Effect.gen(function*() {
          yield* started(cursor)
          yield* batches.pipe(Effect.flatMap(({ until }) => until((_) => _.initial)))
        }))
        yield* asBot(account, Effect.gen(function*() {
          // The marker came before this cursor: only `full_state` brings it again.
          const { nextBatch } = yield* started()
          yield* started(nextBatch)
          const seen = (yield* (yield* MatrixRooms).snapshot).find((_) => _.roomId === room)
          assert.deepStrictEqual(seen?.marker, marker)
          assert.strictEqual(seen?.membership, "join")
          assert.strictEqual(seen?.name, "Talk")
          assert.deepStrictEqual(new Set(seen?.members.keys()), new Set([alice.userId, account.userId]))
        }))
      }).pipe(withStore))

    it.effect("reads one room from the server as it stands now", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { room } = yield* roomWith(account)
        yield* asBot(account, Effect.gen(function*() {
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
        }))
      }).pipe(withStore))

    it.effect("tells of a marker that changed while it runs", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { room } = yield* roomWith(account)
        yield* asBot(account, Effect.gen(function*() {
          yield* started()
          const { until } = yield* batches
          yield* until((_) => _.initial)
          const marker = markerFor(account.userId, room, "Renamed")
          yield* (yield* (yield* World).otherDevice(account)).setRoomAccountData(room, markerType, { ...marker })
          const batch = yield* until((_) => _.reshaped.includes(room))
          assert.deepStrictEqual(bodies(batch, room), [])
          assert.deepStrictEqual((yield* (yield* MatrixRooms).view(room))?.marker, marker)
        }))
      }).pipe(withStore))

    it.effect("brings invites with who asks, and joins", () =>
      Effect.gen(function*() {
        const { account: newAccount, person } = yield* World
        const account = yield* newAccount("bot")
        yield* asBot(account, Effect.gen(function*() {
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
        }))
      }).pipe(withStore))

    it.effect("tells apart being kicked, being banned and leaving", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const [kicked, banned, left] = [yield* roomWith(account), yield* roomWith(account), yield* roomWith(account)]
        yield* asBot(account, Effect.gen(function*() {
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
          assert.deepStrictEqual(seen, new Map([[kicked.room, "kicked"], [banned.room, "banned"], [left.room, "left"]]))
          assert.strictEqual((yield* (yield* MatrixRooms).view(kicked.room))?.membership, "kicked")
        }))
      }).pipe(withStore))

    it.effect("sees where an upgraded room went, and that it was allowed to go", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        yield* asBot(account, Effect.gen(function*() {
          yield* started()
          const { until } = yield* batches
          const successor = yield* alice.upgrade(room, "11")
          yield* until((_) => _.reshaped.includes(room) && !_.initial)
          const rooms = yield* MatrixRooms
          assert.deepStrictEqual((yield* rooms.view(room))?.tombstone, { successor, sender: alice.userId, permitted: true })
          yield* alice.invite(successor, account.userId)
          yield* (yield* MatrixProvisioning).join(successor)
          yield* until((_) => _.reshaped.includes(successor))
          assert.strictEqual((yield* rooms.view(successor))?.predecessor, room)
        }))
      }).pipe(withStore))

    it.effect("makes one event of a message that is sent twice with the same transaction id", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        const send = Effect.flatMap(MatrixMessages, (_) => _.send(message(room, "txn-1", "once")))
        const [first, again] = yield* asBot(account, Effect.gen(function*() {
          yield* started()
          return [yield* send, yield* send] as const
        }))
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
        const { cursor, sent } = yield* asBot(account, Effect.gen(function*() {
          const cursor = (yield* started()).nextBatch
          return { cursor, sent: yield* (yield* MatrixMessages).send(message(room, "txn-before", "hello")) }
        }))
        yield* asBot(account, Effect.gen(function*() {
          assert.strictEqual(echo(yield* started(cursor), sent), "txn-before")
          const { until } = yield* batches
          const live = yield* (yield* MatrixMessages).send(message(room, "txn-live", "hello"))
          const batch = yield* until((_) => echo(_, live) !== undefined)
          assert.strictEqual(echo(batch, live), "txn-live")
        }))
      }).pipe(withStore))

    it.effect("says when a timeline has a gap, and reads what is in it", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        yield* alice.say(room, "before the gap")
        const cursor = yield* asBot(account, started()).pipe(Effect.map((_) => _.nextBatch))
        const said = Array.from({ length: 130 }, (_, index) => `message ${index}`)
        yield* Effect.forEach(said, (body) => alice.say(room, body), { discard: true })
        yield* asBot(account, Effect.gen(function*() {
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
            missed.unshift(...page.events.filter((_) => _.type === "m.room.message").map((_) => _.content["body"]).reverse())
            from = page.end
          }
          assert.deepStrictEqual([...missed, ...bodies(initial, room)], said)
        }))
      }).pipe(withStore), 60_000)

    it.effect("reads everything anew when the server does not know the cursor", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { room } = yield* roomWith(account)
        yield* asBot(account, Effect.gen(function*() {
          const batch = yield* started(SyncToken.make("nothing-of-yours"))
          assert.isUndefined(batch.since)
          assert.isDefined(yield* (yield* MatrixRooms).view(room))
        }))
      }).pipe(withStore))

    it.effect("ends the loop when the session is ended on the server, and cannot start again with it", () =>
      Effect.gen(function*() {
        const world = yield* World
        const account = yield* world.account("bot")
        yield* asBot(account, Effect.gen(function*() {
          yield* started()
          const { fiber, until } = yield* batches
          yield* until((_) => _.initial)
          yield* world.endSessions(account)
          const end = yield* Effect.flip(Fiber.join(fiber))
          assert.strictEqual(end._tag, "SessionEnded")
        }))
        const again = yield* Effect.flip(asBot(account, Effect.flatMap(MatrixSession, (_) => _.authenticate)))
        assert.strictEqual(again._tag, "SessionEnded")
        assert.include(again.message, "homing sign-out")
        yield* asBot(account, Effect.flatMap(MatrixSession, (_) => _.signOut))
        yield* asBot(account, Effect.flatMap(MatrixSession, (_) => _.authenticate))
      }).pipe(withStore))

    it.effect("ends the loop with the error of whoever takes the batches", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        yield* asBot(account, Effect.gen(function*() {
          yield* started()
          const error = yield* (yield* MatrixSync).loop(() => Effect.fail("the disk is full" as const)).pipe(Effect.flip)
          assert.strictEqual(error, "the disk is full")
          const again = yield* (yield* MatrixSync).loop(() => Effect.void).pipe(Effect.flip)
          assert.strictEqual(again._tag, "SyncStalled")
          yield* started()
        }))
      }).pipe(withStore))

    it.effect("names a refusal that can be acted on", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        yield* asBot(account, Effect.gen(function*() {
          yield* started()
          yield* alice.kick(room, account.userId)
          const refusal = yield* Effect.flip((yield* MatrixMessages).send(message(room, "txn", "too late")))
          assert.strictEqual(refusal.reason._tag, "Forbidden")
        }))
      }).pipe(withStore))

    if (!options.onModel) return

    it.effect("sends no second sync while the gate is held, and then waits with the long poll", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const cursor = yield* asBot(account, started()).pipe(Effect.map((_) => _.nextBatch))
        const before = (yield* syncsOf(account)).length
        const asked = Effect.map(syncsOf(account), (_) => _.slice(before))
        yield* asBot(account, Effect.gen(function*() {
          const { nextBatch } = yield* started(cursor)
          const opened = yield* Deferred.make<void>()
          const ingested = yield* Deferred.make<void>()
          yield* (yield* MatrixSync).loop((batch) =>
            batch.initial
              ? Effect.andThen(Deferred.succeed(ingested, undefined), Deferred.await(opened))
              : Effect.void
          ).pipe(Effect.forkScoped)
          yield* Deferred.await(ingested)
          // Long enough for any loop that does not wait to be seen.
          yield* Effect.sleep("300 millis")
          const held = yield* asked
          assert.strictEqual(held.length, 1)
          assert.include(held[0]?.query, { since: cursor, timeout: "0", full_state: "true" })
          yield* Deferred.succeed(opened, undefined)
          const polls = yield* asked.pipe(Effect.repeat({ until: (_: ReadonlyArray<unknown>) => _.length > 1, schedule: Schedule.spaced("20 millis") }))
          assert.include(polls[1]?.query, { since: nextBatch, timeout: "1000" })
          assert.notProperty(polls[1]?.query, "full_state")
        }))
      }).pipe(withStore))

    it.effect("asks for the full state again when the first sync fails", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const cursor = yield* asBot(account, started()).pipe(Effect.map((_) => _.nextBatch))
        const before = (yield* syncsOf(account)).length
        yield* (yield* ofModel).inject({
          user: account.userId,
          path: "/sync",
          effect: FaultEffect.Answer({ status: 502, body: {} })
        })
        yield* asBot(account, started(cursor), { startPatience: Duration.seconds(20) })
        const asked = (yield* syncsOf(account)).slice(before)
        assert.strictEqual(asked.length, 2)
        for (const { query } of asked) assert.include(query, { since: cursor, timeout: "0", full_state: "true" })
      }).pipe(withStore), 30_000)

    it.effect("loses nothing when the answer of a long poll is lost on the way", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        yield* asBot(account, Effect.gen(function*() {
          yield* started()
          yield* (yield* ofModel).inject({ user: account.userId, path: "/sync", effect: FaultEffect.LostAnswer() })
          const { until } = yield* batches
          yield* alice.say(room, "first")
          yield* alice.say(room, "second")
          const heard: Array<unknown> = []
          yield* until((batch) => {
            heard.push(...bodies(batch, room))
            return heard.includes("second")
          })
          assert.deepStrictEqual(heard.filter((_) => _ === "first" || _ === "second"), ["first", "second"])
        }))
      }).pipe(withStore), 30_000)

    it.effect("asks for nothing more once the loop has ended", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        yield* asBot(account, Effect.gen(function*() {
          yield* started()
          const before = (yield* syncsOf(account)).length
          yield* (yield* MatrixSync).loop(() => Effect.fail("the disk is full" as const)).pipe(Effect.flip)
          yield* Effect.sleep("300 millis")
          assert.strictEqual((yield* syncsOf(account)).length, before)
          yield* started()
          const { fiber, until } = yield* batches
          yield* until((_) => !_.initial)
          yield* Fiber.interrupt(fiber)
          const during = (yield* syncsOf(account)).length
          yield* Effect.sleep("1300 millis")
          assert.strictEqual((yield* syncsOf(account)).length, during)
        }))
      }).pipe(withStore))

    it.effect("notices a loop that gives no sign of life, and can begin again", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        yield* asBot(account, Effect.gen(function*() {
          const { nextBatch } = yield* started()
          yield* (yield* ofModel).inject({
            user: account.userId,
            path: "/sync",
            effect: FaultEffect.Stalled()
          })
          const stalled = yield* (yield* MatrixSync).loop(() => Effect.void).pipe(Effect.flip)
          assert.instanceOf(stalled, SyncStalled)
          assert.isAtLeast(stalled.silentFor, 1200)
          const { until } = yield* Effect.andThen(started(nextBatch), batches)
          yield* until((_) => _.initial)
          yield* until((_) => !_.initial)
        }))
      }).pipe(withStore, Effect.provideService(SilenceGrace, Duration.millis(200))), 15_000)

    it.effect("gives up on a homeserver that stops answering when the patience is over", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        yield* asBot(account, Effect.gen(function*() {
          yield* (yield* MatrixSession).authenticate
          yield* (yield* ofModel).inject({
            user: account.userId,
            path: "/sync",
            count: 1000,
            effect: FaultEffect.Reset()
          })
          const error = yield* Effect.flip((yield* MatrixSync).initialSync(undefined))
          assert.strictEqual(error._tag, "HomeserverUnreachable")
          assert.include(error.message, "HOMING_HOMESERVER_URL")
          yield* (yield* ofModel).clearFaults
        }), { startPatience: Duration.millis(500) })
      }).pipe(withStore), 15_000)

    it.effect("signs the same device in again after a soft logout", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        yield* asBot(account, Effect.gen(function*() {
          const session = yield* MatrixSession
          const first = yield* session.authenticate
          yield* (yield* MatrixSync).initialSync(undefined)
          yield* (yield* ofModel).signOut(account.userId, { softLogout: true })
          const end = yield* (yield* MatrixSync).loop(() => Effect.void).pipe(Effect.flip)
          assert.strictEqual(end._tag, "SessionEnded")
          if (end._tag === "SessionEnded") assert.isTrue(end.softLogout)
          const again = yield* session.authenticate
          assert.strictEqual(again.deviceId, first.deviceId)
          yield* (yield* MatrixSync).initialSync(undefined)
        }))
      }).pipe(withStore))
  })
}
