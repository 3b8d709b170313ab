import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { markerType } from "../../src/domain/Marker.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { FaultEffect } from "../../src/layers/Homeserver/Faults.ts"
import { takeLease } from "../../src/layers/Store/Lease.ts"
import { homing, spawnScript } from "../Spawn.ts"
import { joinedRooms } from "./Provisioned.ts"
import { commanded, rowsOf, startRealBot, stoppedBotWith, stopRealBot, worldOverHttp } from "./RealBot.ts"
import { botId } from "./World.ts"

/** Processes are slow to start on a machine that is busy with other tests. */
const slow = 90_000

const rowsIn = (cwd: string) => rowsOf(join(cwd, ".homing/homing.db"))
const backupIn = (cwd: string) => readdirSync(cwd).find((name) => name.startsWith(".homing-before-reset-")) ?? "none"

const reportOf = Effect.fnUntraced(function*(cwd: string) {
  const log = yield* stopRealBot(yield* startRealBot(cwd))
  return log.find(({ message }) => message === "matrix_reconcile_complete")?.annotations
})

describe("homing reset", () => {
  it.effect(
    "--local forgets all but who the bot is, and the next start finds every chat again",
    () =>
      Effect.gen(function*() {
        const { cwd, server } = yield* stoppedBotWith(["Tea", "Coffee"])
        new DatabaseSync(join(cwd, ".homing/crypto.db")).exec("CREATE TABLE keys (key TEXT)")
        const before = rowsIn(cwd)
        const done = yield* commanded(["reset", "--local", "--yes"], cwd)
        assert.deepInclude(done, { code: 0, stderr: "", asked: [] })
        assert.include(done.stdout, "forget 2 chats")
        assert.include(done.stdout, "The next start finds every chat again by the marker in its room.")
        const { account, sqlite_sequence: _, ...rest } = rowsIn(cwd)
        assert.deepStrictEqual(account, before["account"])
        assert.deepStrictEqual(Object.values(rest).flat(), [])
        assert.isTrue(existsSync(join(cwd, ".homing/crypto.db")), "the keys belong to the device, which is kept")
        assert.deepStrictEqual(rowsOf(join(cwd, backupIn(cwd), "homing.db"))["chats"], before["chats"])

        assert.include(yield* reportOf(cwd), { restored: 2, unchanged: 0, conflicts: 0 })
        const ids = (rows: Readonly<Record<string, ReadonlyArray<unknown>>>) =>
          JSON.stringify(rows["chats"]?.map((chat) => Object.assign({ id: "" }, chat).id).toSorted())
        assert.strictEqual(ids(rowsIn(cwd)), ids(before))
        const logins = (yield* server.requests).filter(({ path }) => path.endsWith("/login"))
        assert.lengthOf(logins.filter(({ method }) => method === "POST"), 1, "still the same device")
      }).pipe(Effect.provide(worldOverHttp)),
    slow
  )

  it.effect("--local --crypto forgets the device and its keys, too", () =>
    Effect.gen(function*() {
      const { cwd } = yield* stoppedBotWith([])
      for (const name of ["crypto.db", "crypto.db-wal", "crypto.key", "recovery.key"]) {
        writeFileSync(join(cwd, ".homing", name), "")
      }
      const done = yield* homing(["reset", "--local", "--crypto", "--yes"], { cwd })
      assert.deepInclude(done, { code: 0, stderr: "" })
      assert.deepStrictEqual(rowsIn(cwd)["account"], [])
      const left = readdirSync(join(cwd, ".homing"))
      assert.deepStrictEqual(
        left.filter((name) => /crypto|recovery/.test(name)),
        ["recovery.key"]
      )
      assert.includeMembers(readdirSync(join(cwd, backupIn(cwd))), ["crypto.db", "crypto.key", "homing.db"])
    }).pipe(Effect.provide(worldOverHttp)), slow)

  it.effect(
    "--server empties the markers, which a start writes again for the chats that it knows",
    () =>
      Effect.gen(function*() {
        const { account, cwd, rooms: [tea = ""] } = yield* stoppedBotWith(["Tea"])
        const marker = yield* account.roomAccountData(tea, markerType)
        const planned = yield* commanded(["reset", "--server", "--all-rooms", "--local", "--dry-run"], cwd)
        assert.deepInclude(planned, { code: 0, stderr: "" })
        assert.include(planned.stdout, "empty the marker of 1 room")
        assert.include(planned.stdout, `    ${tea}  Tea`)
        assert.deepStrictEqual(planned.asked.filter((request) => !request.startsWith("GET ")), [])
        assert.strictEqual(backupIn(cwd), "none")

        assert.include(yield* homing(["reset", "--server", "--yes"], { cwd }), { code: 0, stderr: "" })
        assert.deepStrictEqual(yield* account.roomAccountData(tea, markerType), {})
        const alice = yield* (yield* Homeserver).as("alice")
        const bot = yield* startRealBot(cwd)
        const question = yield* alice.say(tea, "still there?")
        yield* alice.waitFor(tea, ({ sender }) => sender === botId, { after: question })
        yield* stopRealBot(bot)
        assert.deepStrictEqual(yield* account.roomAccountData(tea, markerType), marker)
      }).pipe(Effect.provide(worldOverHttp)),
    slow
  )

  it.effect(
    "--rooms leaves and forgets the rooms and Spaces that the bot made, and stays in those of others",
    () =>
      Effect.gen(function*() {
        const { account, alice, cwd, rooms: [tea = ""] } = yield* stoppedBotWith(["Tea"])
        const bot = yield* startRealBot(cwd)
        const question = yield* alice.say(tea, "!new Plans")
        yield* alice.waitFor(tea, ({ sender }) => sender === botId, { after: question })
        yield* stopRealBot(bot)
        const before = yield* joinedRooms(account)
        assert.lengthOf(before, 3)

        const done = yield* commanded(["reset", "--rooms", "--yes"], cwd)
        assert.deepInclude(done, { code: 0, stderr: "" })
        assert.include(done.stdout, "leave and forget 2 rooms that the bot made")
        assert.include(done.stdout, "stay in 1 room that others made (--all-rooms leaves them, too)")
        assert.include(done.stdout, "Left and forgot 2 rooms.")
        assert.deepStrictEqual((yield* joinedRooms(account)).map(({ roomId }) => String(roomId)), [tea])
        const where = rowsIn(cwd)["chats"]?.map((chat) => Object.assign({ room_id: "", title: "" }, chat))
        assert.sameDeepMembers(where?.map(({ room_id, title }) => [title, room_id]) ?? [], [["Tea", tea], [
          "Plans",
          null
        ]])
      }).pipe(Effect.provide(worldOverHttp)),
    slow
  )

  it.effect("--all-rooms leaves and forgets every room, and keeps the chats without one", () =>
    Effect.gen(function*() {
      const { alice, cwd, rooms: [tea = ""], server } = yield* stoppedBotWith(["Tea"])
      const done = yield* commanded(["reset", "--all-rooms", "--yes"], cwd)
      assert.deepInclude(done, { code: 0, stderr: "" })
      assert.include(done.stdout, "Left and forgot 1 room.")
      assert.deepInclude(yield* alice.state(tea, "m.room.member", botId), { membership: "leave" })
      assert.isTrue((yield* server.requests).some(({ path, status }) => path.endsWith("/forget") && status === 200))
      assert.deepInclude(rowsIn(cwd)["chats"]?.[0], { room_id: null, detached: "left" })

      const bot = yield* startRealBot(cwd)
      yield* alice.invite(tea, botId)
      yield* alice.waitFor(tea, ({ content }) => String(content["body"]).includes("goes on where it stopped"))
      yield* stopRealBot(bot)
    }).pipe(Effect.provide(worldOverHttp)), slow)

  it.effect(
    "asks first, and does nothing without a yes, beside a bot, or without being told what",
    () =>
      Effect.gen(function*() {
        const { cwd } = yield* stoppedBotWith(["Tea"])
        const before = rowsIn(cwd)
        const answering = Effect.fnUntraced(function*(answer: string) {
          const asked = yield* spawnScript("bin/homing.mjs", ["reset", "--local"], { cwd })
          yield* asked.printed("Type \"yes\" to go on: ")
          asked.process.stdin?.end(answer)
          return yield* asked.ended
        })
        for (const answer of ["no\n", ""]) {
          const refused = yield* answering(answer)
          assert.strictEqual(refused.code, 1)
          assert.match(refused.stderr, /^homing: Nothing was changed\./)
        }
        yield* Effect.scoped(Effect.gen(function*() {
          yield* takeLease(join(cwd, ".homing"))
          assert.deepInclude(yield* homing(["reset", "--local", "--yes"], { cwd }), { code: 75, stdout: "" })
          const planned = yield* homing(["reset", "--local", "--dry-run"], { cwd })
          assert.include(planned.stdout, "A bot is running on it, and has to be stopped first.")
        }))
        for (const args of [["reset"], ["reset", "--crypto", "--yes"]]) {
          assert.deepInclude(yield* homing(args, { cwd }), { code: 64, stdout: "" })
        }
        assert.deepStrictEqual(rowsIn(cwd), before)
        assert.strictEqual(backupIn(cwd), "none")

        assert.strictEqual((yield* answering("yes\n")).code, 0)
        assert.deepStrictEqual(rowsIn(cwd)["chats"], [])
      }).pipe(Effect.provide(worldOverHttp)),
    slow
  )

  it.effect(
    "keeps what is remembered when a room cannot be reset, and does the rest the next time",
    () =>
      Effect.gen(function*() {
        const { account, cwd, rooms: [tea = "", coffee = ""], server } = yield* stoppedBotWith(["Tea", "Coffee"])
        yield* server.inject({
          method: "PUT",
          path: new RegExp(`${tea.slice(1).replace(/:.*/, "")}.*${markerType}$`),
          user: botId,
          effect: FaultEffect.Answer({ status: 403, body: { errcode: "M_FORBIDDEN", error: "Not now" } })
        })
        const first = yield* homing(["reset", "--server", "--local", "--yes"], { cwd })
        assert.strictEqual(first.code, 1)
        assert.include(first.stderr, `1 room could not be reset:\n  ${tea}: `)
        assert.lengthOf(rowsIn(cwd)["chats"] ?? [], 2)
        assert.deepStrictEqual(yield* account.roomAccountData(coffee, markerType), {})

        assert.strictEqual((yield* homing(["reset", "--server", "--local", "--yes"], { cwd })).code, 0)
        assert.include(yield* reportOf(cwd), { rooms: 2, restored: 0, skipped: 2 })
      }).pipe(Effect.provide(worldOverHttp)),
    slow
  )
})
