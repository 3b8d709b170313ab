import { assert, layer } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { dig, list, text } from "../layers/Homeserver/Caller.ts"
import { type Client, createRoom, newClient, path, putState, refusal, roomWith, type Server } from "./Server.ts"

const hierarchy = (client: Client, room: string, query: Readonly<Record<string, string>> = {}) =>
  client.ask("GET", `/_matrix/client/v1/rooms/${path(room)}/hierarchy`, { query })

const idsOf = (body: unknown, key: string): ReadonlyArray<unknown> =>
  list(body, key).map((room) => dig(room, "room_id"))

/** "Spaces", "Listing rooms" and "User Directory". */
export const spacesContract = <E>(name: string, server: Layer.Layer<Server, E>) =>
  layer(server, { excludeTestServices: true })(`${name}: finding rooms and people`, (it) => {
    it.effect("walks down a Space, as far as one may look", () =>
      Effect.gen(function*() {
        const [anna, ben] = [yield* newClient("anna"), yield* newClient("ben")]
        const space = yield* createRoom(anna, {
          preset: "public_chat",
          name: "House",
          creation_content: { type: "m.space" }
        })
        const kitchen = yield* createRoom(anna, { preset: "public_chat", name: "Kitchen" })
        const cellar = yield* createRoom(anna, { preset: "private_chat", name: "Cellar" })
        const [, serverName] = anna.userId.split(/:(.*)/s)
        for (const [room, suggested] of [[kitchen, true], [cellar, false]] as const) {
          yield* putState(anna, space, "m.space.child", { via: [serverName], suggested }, room)
        }
        const own = yield* hierarchy(anna, space)
        assert.deepStrictEqual(idsOf(own.body, "rooms"), [space, kitchen, cellar])
        const [root, first] = list(own.body, "rooms")
        assert.deepInclude(root, { name: "House", room_type: "m.space", num_joined_members: 1, join_rule: "public" })
        assert.strictEqual(list(root, "children_state").length, 2)
        assert.deepInclude(first, { name: "Kitchen", children_state: [] })
        assert.deepStrictEqual(idsOf((yield* hierarchy(ben, space)).body, "rooms"), [space, kitchen])
        const suggested = yield* hierarchy(anna, space, { suggested_only: "true" })
        assert.deepStrictEqual(idsOf(suggested.body, "rooms"), [space, kitchen])
        const page = yield* hierarchy(anna, space, { limit: "2" })
        assert.strictEqual(list(page.body, "rooms").length, 2)
        const rest = yield* hierarchy(anna, space, { limit: "2", from: text(page.body, "next_batch") })
        assert.deepStrictEqual(idsOf(rest.body, "rooms"), [cellar])
        assert.deepStrictEqual(refusal(yield* hierarchy(ben, cellar)), [403, "M_FORBIDDEN"])
      }))

    it.effect("lists the rooms that were made public, and finds them by their words", () =>
      Effect.gen(function*() {
        const [anna, ben] = [yield* newClient("anna"), yield* newClient("ben")]
        const name = `Listed ${anna.localpart}`
        const room = yield* createRoom(anna, { preset: "public_chat", visibility: "public", name, topic: "Assam" })
        const search = (term: string) =>
          ben.ask("POST", "/publicRooms", { body: { limit: 50, filter: { generic_search_term: term } } })
        const found = yield* search(name)
        assert.deepInclude(list(found.body, "chunk")[0], { room_id: room, name, topic: "Assam", num_joined_members: 1 })
        assert.include(idsOf((yield* ben.ask("GET", "/publicRooms", { query: { limit: "500" } })).body, "chunk"), room)
        const listing = `/directory/list/room/${path(room)}`
        assert.deepStrictEqual((yield* ben.ask("GET", listing)).body, { visibility: "public" })
        assert.strictEqual((yield* ben.ask("PUT", listing, { body: { visibility: "private" } })).status, 403)
        yield* anna.ask("PUT", listing, { body: { visibility: "private" } })
        assert.deepStrictEqual(list((yield* search(name)).body, "chunk"), [])
      }))

    it.effect("finds people with whom one shares a room", () =>
      Effect.gen(function*() {
        const [anna, ben] = [yield* newClient("anna"), yield* newClient("ben")]
        yield* roomWith(anna, ben)
        const search = (words: string) => anna.ask("POST", "/user_directory/search", { body: { search_term: words } })
        const found = yield* Effect.repeat(search(ben.localpart), {
          // Synapse fills its directory a moment after the fact.
          until: ({ body }) => list(body, "results").length > 0
        })
        assert.strictEqual(dig(list(found.body, "results")[0], "user_id"), ben.userId)
        assert.deepStrictEqual(list((yield* search("nobody-has-this-name")).body, "results"), [])
      }))
  })
