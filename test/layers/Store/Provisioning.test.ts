import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { ChatId, EventId } from "../../../src/domain/Ids.ts"
import type { Origin } from "../../../src/domain/Origin.ts"
import { Store } from "../../../src/layers/Store.ts"
import { ada, batch, message, roomA } from "./Samples.ts"

const chat: Origin = {
  version: 1,
  kind: "chat",
  owner: ada,
  created_at: 1.5,
  request: EventId.make("$request"),
  chat_id: ChatId.make("one"),
  owner_name: "Ada",
  title: "Plans"
}
const space: Origin = { version: 1, kind: "space", owner: ada, created_at: 2 }

it.effect("the store keeps what a room is asked for as it was asked first, and how far it is", () =>
  Effect.gen(function*() {
    const { provisioning } = yield* Store
    const asked = { origin: chat, roomId: undefined, done: false }
    assert.deepStrictEqual(yield* provisioning.begin(chat), asked)
    assert.deepStrictEqual(yield* provisioning.begin({ ...chat, title: "Edited" }), asked)
    assert.deepStrictEqual(yield* provisioning.begin(space), { ...asked, origin: space })
    const found = { ...chat, chat_id: ChatId.make("found") }
    yield* provisioning.made(found, roomA)
    assert.deepStrictEqual(yield* provisioning.begin(chat), { origin: found, roomId: roomA, done: false })
    yield* provisioning.done(chat)
    assert.isTrue((yield* provisioning.begin(chat)).done)
    assert.isFalse((yield* provisioning.begin(space)).done)
  }).pipe(Effect.provide(Store.layerMemory)))

it.effect("the store forgets what a room was asked for when that was done and its message is forgotten", () =>
  Effect.gen(function*() {
    const { inbox, provisioning, prune } = yield* Store
    const asked = (request: string): Origin => ({ ...chat, request: EventId.make(request) })
    for (const key of ["$done", "$kept", "$open"]) {
      yield* provisioning.begin(asked(key))
      yield* provisioning.made(asked(key), roomA)
    }
    yield* provisioning.begin(space)
    for (const key of ["$done", "$kept"]) yield* provisioning.done(asked(key))
    yield* inbox.ingest(batch([message("$kept", roomA)]))
    yield* prune({ before: 0, keep: 100 })
    const isKept = (key: string) => Effect.map(provisioning.begin(asked(key)), ({ roomId }) => roomId !== undefined)
    assert.deepStrictEqual(yield* Effect.forEach(["$done", "$kept", "$open"], isKept), [false, true, true])
  }).pipe(Effect.provide(Store.layerMemory)))
