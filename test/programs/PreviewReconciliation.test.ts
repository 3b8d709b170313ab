import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import { markerType } from "../../src/domain/Marker.ts"
import { takeLease } from "../../src/layers/Store/Lease.ts"
import { openDataDir } from "../../src/layers/Store/Live.ts"
import { scratchDirectory } from "../layers/AppConfig/Scratch.ts"
import { botDirectory, commanded, rowsOf, startRealBot, stoppedBotWith, stopRealBot, worldOverHttp } from "./RealBot.ts"
import { botId } from "./World.ts"

/** Processes are slow to start on a machine that is busy with other tests. */
const slow = 90_000

const dryRun = ["reconcile", "--dry-run"]

/** All that a look may ask. */
const looks = new Set([
  "GET /_matrix/client/versions",
  "GET /_matrix/client/v3/account/whoami",
  "GET /_matrix/client/v3/sync"
])

describe("homing reconcile --dry-run", () => {
  it.effect(
    "tells what the next start finds, beside a bot, and changes not a row and nothing on the server",
    () =>
      Effect.gen(function*() {
        const { account, alice, cwd, rooms: [tea = "", coffee = "", cake = ""] } = yield* stoppedBotWith([
          "Tea",
          "Coffee",
          "Cake"
        ])
        const marker = yield* account.roomAccountData(tea, markerType)
        assert.isObject(marker)
        yield* account.setRoomAccountData(coffee, markerType, Object.assign({}, marker, { room_id: coffee }))
        yield* account.leave(cake)
        const silent = yield* alice.createRoom({ name: "Silent", invite: [botId] })
        yield* account.join(silent)

        const told = yield* Effect.scoped(Effect.gen(function*() {
          yield* takeLease(join(cwd, ".homing"))
          const before = rowsOf(join(cwd, ".homing/homing.db"))
          assert.lengthOf(before["chats"] ?? [], 3)
          const told = yield* commanded(dryRun, cwd)
          assert.deepStrictEqual(rowsOf(join(cwd, ".homing/homing.db")), before)
          return told
        }))
        assert.deepInclude(told, { code: 0, stderr: "" })
        assert.deepStrictEqual(told.asked.filter((request) => !looks.has(request)), [])
        assert.lengthOf(told.asked.filter((request) => request.endsWith("/sync")), 1)
        assert.include(
          told.stdout,
          "A start would find 4 rooms on the server and 3 chats here: 1 unchanged, 1 detached, 1 skipped, 1 conflict."
        )
        assert.match(
          told.stdout,
          new RegExp(`conflict +${coffee} .*\n +one_room_two_chats: .*\n +-> type !register in that`)
        )
        assert.match(told.stdout, new RegExp(`detached +${cake} .*\n +left: .*\n +-> invite the bot`))
        assert.match(
          told.stdout,
          new RegExp(`skipped +${silent}\n +no_marker: the room shows no chat\n +-> type !register`)
        )
        assert.include(told.stdout, "Nothing was changed.")

        const { outcomes, ...report } = JSON.parse((yield* commanded([...dryRun, "--json"], cwd)).stdout)
        assert.lengthOf(outcomes, 4)
        const bot = yield* startRealBot(cwd)
        const [start] = (yield* stopRealBot(bot)).filter(({ message }) => message === "matrix_reconcile_complete")
        assert.deepStrictEqual(report.reasons, start?.annotations.reasons, "and that is what the start does find")
      }).pipe(Effect.provide(worldOverHttp)),
    slow
  )

  it.effect("tells what comes back when the database was lost", () =>
    Effect.gen(function*() {
      const { cwd } = yield* stoppedBotWith(["Tea"])
      yield* Effect.scoped(Effect.flatMap(openDataDir(join(cwd, ".homing")), (store) => store.forget("session")))
      const { code, stdout } = yield* commanded(dryRun, cwd)
      assert.strictEqual(code, 0)
      assert.match(stdout, /1 room on the server and 0 chats here: 1 restored\.\n\nrestored .*\n +no_local_chat/)
    }).pipe(Effect.provide(worldOverHttp)), slow)

  it.effect("reads every room anew when the server does not know the cursor any more", () =>
    Effect.gen(function*() {
      const { cwd, server } = yield* stoppedBotWith(["Tea"])
      yield* server.forgetPositions
      const { code, stdout } = yield* commanded(dryRun, cwd)
      assert.strictEqual(code, 0)
      assert.include(stdout, "1 room on the server and 1 chat here: 1 unchanged.")
    }).pipe(Effect.provide(worldOverHttp)), slow)

  it.effect("says what is missing: a session, a homeserver, the flag", () =>
    Effect.gen(function*() {
      const { cwd, server } = yield* stoppedBotWith([])
      const real = yield* commanded(["reconcile"], cwd)
      assert.deepInclude(real, { code: 64, stdout: "", asked: [] })
      assert.include(real.stderr, "\"homing reconcile --dry-run\" shows what it would do")

      yield* server.signOut("bot")
      const ended = yield* commanded(dryRun, cwd)
      assert.deepInclude(ended, { code: 77, stdout: "" })
      assert.include(ended.stderr, "homing sign-out")

      yield* Effect.scoped(Effect.flatMap(openDataDir(join(cwd, ".homing")), (store) => store.session.forgetToken))
      const nobody = yield* commanded(dryRun, cwd)
      assert.deepInclude(nobody, { code: 77, stdout: "" })
      assert.include(nobody.stderr, "No session is stored")

      assert.deepInclude(yield* commanded(dryRun, yield* botDirectory), { code: 74, stdout: "" })
      const elsewhere = yield* scratchDirectory()
      assert.deepInclude(yield* commanded([...dryRun, "--data-dir", "none"], elsewhere), { code: 74, stdout: "" })
    }).pipe(Effect.provide(worldOverHttp)), slow)
})
