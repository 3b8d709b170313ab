import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { RoomId, UserId } from "../../src/domain/Ids.ts"
import { ChatManager } from "../../src/layers/ChatManager.ts"
import { Store } from "../../src/layers/Store.ts"

const layer = ChatManager.layer.pipe(Layer.provideMerge(Store.layerMemory))

describe("ChatManager", () => {
  it.effect("registers a chat and resolves its room", () =>
    Effect.gen(function*() {
      const chats = yield* ChatManager
      const room = RoomId.make("!a:example.org")
      const owner = UserId.make("@ada:example.org")
      const chat = yield* chats.register({ room, owner, ownerName: "Ada", title: "Plans" })
      assert.strictEqual(yield* chats.resolve(room, owner), chat.id)
      assert.deepStrictEqual(yield* chats.get(chat.id), chat)
    }).pipe(Effect.provide(layer)))
})
