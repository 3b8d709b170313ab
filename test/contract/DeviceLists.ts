import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, type Layer } from "effect"
import { list, text } from "../layers/Homeserver/Caller.ts"
import { type Client, createRoom, logIn, newClient, nextBatch, path, type Server, sync } from "./Server.ts"

/** An encrypted room of the first, with the others in it. */
const encryptedRoom = Effect.fn("contract.encryptedRoom")(function*(host: Client, ...guests: ReadonlyArray<Client>) {
  const room = yield* createRoom(host, {
    preset: "private_chat",
    invite: guests.map(({ userId }) => userId),
    initial_state: [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }]
  })
  for (const guest of guests) yield* guest.ask("POST", `/join/${path(room)}`)
  return room
})

const leave = (client: Client, room: string) => client.ask("POST", `/rooms/${path(room)}/leave`)

const people = Effect.gen(function*() {
  return { anna: yield* newClient("anna"), ben: yield* newClient("ben"), cleo: yield* newClient("cleo") }
})

/** "Tracking the device list for a user". */
export const deviceListsContract = <E>(name: string, server: Layer.Layer<Server, E>) =>
  layer(server, { excludeTestServices: true })(`${name}: device lists`, (it) => {
    it.effect("tells who has left the last encrypted room that one shared with them", () =>
      Effect.gen(function*() {
        const { anna, ben, cleo } = yield* people
        const [one, two] = [yield* encryptedRoom(anna, ben, cleo), yield* encryptedRoom(anna, ben)]
        const since = yield* nextBatch(anna)
        yield* leave(ben, one)
        const still = yield* sync(anna, { since })
        assert.deepStrictEqual(list(still.body, "device_lists", "left"), [])
        const later = text(still.body, "next_batch")
        yield* leave(ben, two)
        const gone = yield* sync(anna, { since: later })
        assert.deepStrictEqual(list(gone.body, "device_lists", "left"), [ben.userId])
        assert.notInclude(list(gone.body, "device_lists", "changed"), ben.userId)
        const changes = yield* anna.ask("GET", "/keys/changes", {
          query: { from: later, to: text(gone.body, "next_batch") }
        })
        assert.deepStrictEqual(list(changes.body, "left"), [ben.userId])
      }))

    it.effect("counts all whom one leaves behind oneself", () =>
      Effect.gen(function*() {
        const { anna, ben, cleo } = yield* people
        const room = yield* encryptedRoom(anna, ben, cleo)
        yield* encryptedRoom(anna, cleo)
        const since = yield* nextBatch(anna)
        yield* leave(anna, room)
        const { body } = yield* sync(anna, { since })
        assert.deepStrictEqual(list(body, "device_lists", "left"), [ben.userId])
      }))

    it.effect("wakes those who share a room when a device is gone", () =>
      Effect.gen(function*() {
        const { anna, ben } = yield* people
        yield* encryptedRoom(anna, ben)
        const device = yield* logIn(anna)
        yield* device.ask("POST", "/keys/upload", {
          body: {
            device_keys: {
              user_id: anna.userId,
              device_id: device.deviceId,
              algorithms: [],
              keys: { [`ed25519:${device.deviceId}`]: "b".repeat(43) },
              signatures: {}
            }
          }
        })
        let since = yield* nextBatch(ben)
        const asked = yield* Deferred.make<void>()
        const told = Effect.gen(function*() {
          while (true) {
            yield* Deferred.succeed(asked, undefined)
            const { body } = yield* sync(ben, { since, timeout: "30000" })
            if (list(body, "device_lists", "changed").includes(anna.userId)) return
            since = text(body, "next_batch")
          }
        })
        const waiting = yield* Effect.forkChild(told)
        yield* Deferred.await(asked)
        yield* device.ask("POST", "/logout")
        yield* Fiber.join(waiting)
      }))
  })
