import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import { ChatId } from "../../src/domain/Ids.ts"
import type { Outcome } from "../../src/domain/Reconciliation.ts"
import { openDataDir } from "../../src/layers/Store/Live.ts"
import { scratchDirectory } from "../layers/AppConfig/Scratch.ts"
import { bound, report, roomA, roomB } from "../layers/Store/Samples.ts"
import { homing } from "../Spawn.ts"

/** Processes are slow to start on a machine that is busy with other tests. */
const slow = 60_000

const chatId = ChatId.make("plans")
const findings: ReadonlyArray<Outcome> = [
  { _tag: "Skipped", roomId: roomA, reason: "no_marker" },
  { _tag: "Moved", chatId, fromRoomId: roomA, roomId: roomB, chat: bound("plans", roomB), reason: "room_upgraded" },
  { _tag: "Conflict", roomId: roomA, chatId, claimed: ChatId.make("other"), reason: "one_room_two_chats" },
  { _tag: "Conflict", roomId: roomB, chatId: null, claimed: chatId, reason: "owner_disagrees" }
]

layer(NodeServices.layer)("homing reports", (it) => {
  it.effect(
    "tells what was found, conflicts first, each with the command that settles it",
    () =>
      Effect.gen(function*() {
        const cwd = yield* scratchDirectory()
        const store = yield* openDataDir(join(cwd, ".homing"))
        assert.include((yield* homing(["reports"], { cwd })).stdout, "There are no reports yet")
        yield* store.reports.append(report(0))
        yield* store.reports.append({ ...report(60_000), moved: 1, conflicts: 2, findings })

        const env = { HOMING_COMMAND_PREFIX: "?" }
        const { code, stderr, stdout } = yield* homing(["reports", "--limit", "1"], { cwd, env })
        assert.deepStrictEqual([code, stderr], [0, ""])
        assert.deepStrictEqual(stdout.split("\n"), [
          "1970-01-01T00:01:00Z  all rooms: 1 moved, 1 skipped, 2 conflicts (1 room and 0 chats in 3 ms)",
          `  conflict   ${roomA}  shows chat plans  claims chat other`,
          "             one_room_two_chats: its marker names another chat than the one that it shows here",
          "             -> type ?register in that room: the marker is then written from the chat here",
          `  conflict   ${roomB}  claims chat plans`,
          "             owner_disagrees: its marker names another owner than the chat has here",
          "             -> type ?register in that room: it then shows a chat of its own",
          `  moved      ${roomA} -> ${roomB}  chat plans`,
          "             room_upgraded: the room was replaced by another, and the chat follows",
          `  skipped    ${roomA}`,
          "             no_marker: the room shows no chat",
          "             -> type ?register in that room",
          ""
        ])
        assert.include(
          (yield* homing(["reports"], { cwd })).stdout,
          "1970-01-01T00:00:00Z  all rooms: 1 skipped (1 room"
        )

        const [newest, oldest] = JSON.parse((yield* homing(["reports", "--json"], { cwd })).stdout)
        assert.strictEqual(oldest.startedAt, 0)
        assert.include(newest.findings[2], { _tag: "Conflict", roomId: roomA })
        assert.include(newest.findings[2].settledBy, "type !register")
        assert.deepInclude(yield* homing(["reports", "--limit", "0"], { cwd }), { code: 64, stdout: "" })
      }),
    slow
  )
})
