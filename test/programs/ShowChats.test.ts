import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import { RoomId } from "../../src/domain/Ids.ts"
import { openDataDir } from "../../src/layers/Store/Live.ts"
import { scratchDirectory } from "../layers/AppConfig/Scratch.ts"
import { batch, bound, chat, message, reply, roomA, roomB } from "../layers/Store/Samples.ts"
import { homing } from "../Spawn.ts"

/** Processes are slow to start on a machine that is busy with other tests. */
const slow = 60_000

/** The data directory of a bot that runs. */
const running = Effect.gen(function*() {
  const cwd = yield* scratchDirectory()
  return { cwd, store: yield* openDataDir(join(cwd, ".homing")) }
})

layer(NodeServices.layer)("homing chats", (it) => {
  it.effect(
    "lists what is open, where somebody wrote last before the rest, and says what it leaves out",
    () =>
      Effect.gen(function*() {
        const { cwd, store } = yield* running
        assert.strictEqual((yield* homing(["chats"], { cwd })).stdout, "There are no chats.\n")
        yield* store.chats.put(bound("quiet", RoomId.make("!q:example.org"), { title: "Quiet", createdAt: 9000 }))
        yield* store.chats.put(bound("busy", roomA, { title: "Busy" }))
        yield* store.chats.put(chat("gone", { title: "Gone", detached: "kicked" }))
        yield* store.chats.put(bound("put-away", roomB, { title: "Put away", archived: true }))
        yield* store.inbox.ingest(batch([message("$1")]))

        const { code, stderr, stdout } = yield* homing(["chats"], { cwd })
        assert.deepStrictEqual([code, stderr], [0, ""])
        assert.deepStrictEqual(stdout.split("\n").map((line) => line.split(/ {2,}/)), [
          ["TITLE", "OWNER", "ROOM", "STATE", "LAST MESSAGE"],
          ["Busy", "@ada:example.org", roomA, "open", "1970-01-01T00:00:00Z"],
          ["Quiet", "@ada:example.org", "!q:example.org", "open", "-"],
          ["Gone", "@ada:example.org", "-", "no room (kicked)", "-"],
          [""],
          ["3 chats. 1 archived chat is not shown: add --archived."],
          [""]
        ])
        assert.match(
          (yield* homing(["chats", "--archived"], { cwd })).stdout,
          /^Put away .* archived +-$[^]*^4 chats\.$/m
        )
      }),
    slow
  )

  it.effect(
    "gives programs every field, however many chats there are and however slowly they are read",
    () =>
      Effect.gen(function*() {
        const { cwd, store } = yield* running
        const many = Array.from(
          { length: 4_000 },
          (_, n) => bound(`chat${n}`, RoomId.make(`!room${n}:example.org`), { archived: n === 0, createdAt: n })
        )
        yield* store.transaction(Effect.forEach(many, store.chats.put, { discard: true }))
        const { code, stdout } = yield* homing(["chats", "--json", "--archived"], { cwd })
        assert.strictEqual(code, 0)
        const chats = JSON.parse(stdout)
        assert.lengthOf(chats, 4_000)
        assert.deepStrictEqual(chats.at(-1), {
          id: "chat0",
          title: "Plans",
          owner: "@ada:example.org",
          ownerName: "Ada",
          room: "!room0:example.org",
          archived: true,
          detached: null,
          createdAt: 0,
          lastMessageAt: null
        })
      }),
    slow
  )

  it.effect("does not count what the bot itself announced as a message", () =>
    Effect.gen(function*() {
      const { cwd, store } = yield* running
      yield* store.chats.put(bound("office", roomA))
      yield* store.outbox.announce(reply("t-news"), { about: "news", sender: chat("x").owner })
      yield* store.outbox.announce(reply("t-news"), { about: "news", sender: chat("x").owner })
      assert.deepInclude(yield* store.outbox.counts, { pending: 1 })
      assert.match((yield* homing(["chats"], { cwd })).stdout, /open +-$/m)
      assert.match((yield* homing(["outbox"], { cwd })).stdout, /pending {2}t-news/)
    }), slow)
})
