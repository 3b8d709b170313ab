import { Duration, Effect, Layer, Queue, Redacted } from "effect"
import type { CryptoUnusable, StoreUnavailable } from "../../../src/domain/Errors.ts"
import type { RoomId, SyncToken } from "../../../src/domain/Ids.ts"
import { TransactionId } from "../../../src/domain/Ids.ts"
import type { SyncBatch } from "../../../src/domain/SyncBatch.ts"
import { AppConfig, type Settings } from "../../../src/layers/AppConfig.ts"
import { type MatrixClient, MatrixSession, MatrixSync } from "../../../src/layers/MatrixClient.ts"
import { Store } from "../../../src/layers/Store.ts"
import { type Account, World } from "./World.ts"

/** The texts that a batch brought of one room, oldest first. */
export const bodies = (batch: SyncBatch, room: RoomId): ReadonlyArray<unknown> =>
  (batch.timelines.find((_) => _.roomId === room)?.events ?? [])
    .filter((event) => event.type === "m.room.message").map((event) => event.content["body"])

/** Runs the loop in the background and gives its batches, one by one. */
export const batches = Effect.gen(function*() {
  const sync = yield* MatrixSync
  const queue = yield* Queue.unbounded<SyncBatch>()
  const fiber = yield* sync.loop((batch) => Effect.asVoid(Queue.offer(queue, batch))).pipe(Effect.forkScoped)
  const until = (isIt: (batch: SyncBatch) => boolean): Effect.Effect<SyncBatch> =>
    Effect.flatMap(Queue.take(queue), (batch) => isIt(batch) ? Effect.succeed(batch) : until(isIt))
  return { fiber, until }
})

export const message = (roomId: RoomId, transaction: string, body: string) => ({
  roomId,
  transactionId: TransactionId.make(transaction),
  type: "m.room.message",
  content: { msgtype: "m.text", body }
})

/** Which client is held to the contract, and where. */
export interface ContractOptions<R, E> {
  readonly world: Layer.Layer<World | R, E>
  /** Built anew for every start of the bot. */
  readonly client: Layer.Layer<MatrixClient, CryptoUnusable | StoreUnavailable, AppConfig | Store | R>
  /** The world is a model: its requests can be seen, and faults injected. */
  readonly onModel: boolean
}

/** One life of the bot, with the store that stands around it. */
export const livesOf =
  <R, E>(options: ContractOptions<R, E>) =>
  <A, E2, R2>(account: Account, life: Effect.Effect<A, E2, R2>, settings: Partial<Settings> = {}) =>
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

/** A store that lives as long as the test: over restarts of the bot. */
export const withStore = Effect.provide(Store.layerMemory, { local: true })

/** A room that the bot has joined. */
export const roomWith = Effect.fnUntraced(function*(account: Account) {
  const { otherDevice, person } = yield* World
  const alice = yield* person("alice")
  const room = yield* alice.createRoom({ name: "Talk", invite: [account.userId] })
  yield* (yield* otherDevice(account)).join(room)
  return { alice, room }
})

/** Signs in and takes the initial batch. */
export const started = Effect.fnUntraced(function*(since?: SyncToken) {
  yield* (yield* MatrixSession).authenticate
  return yield* (yield* MatrixSync).initialSync(since)
})

/** The model, where there is one. */
export const ofModel = Effect.flatMap(World, ({ model }) => Effect.fromNullishOr(model)).pipe(Effect.orDie)

/** The `/sync` requests of an account, in order. */
export const syncsOf = (account: Account) =>
  Effect.flatMap(ofModel, (model) => model.requests).pipe(
    Effect.map((all) => all.filter((_) => _.path.endsWith("/sync") && _.user === account.userId))
  )
