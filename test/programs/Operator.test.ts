import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { EventId, ReferenceCode, TransactionId } from "../../src/domain/Ids.ts"
import { answered, ignored } from "../../src/domain/Settlement.ts"
import { openDataDir } from "../../src/layers/Store/Live.ts"
import { becameOf } from "../../src/programs/Why.ts"
import { scratchDirectory } from "../layers/AppConfig/Scratch.ts"
import { ada, batch, message, reply, report, roomA, roomB } from "../layers/Store/Samples.ts"
import { homing } from "../Spawn.ts"

/** Processes are slow to start on a machine that is busy with other tests. */
const slow = 90_000

const t = (id: string) => TransactionId.make(id)

const aDirectory = scratchDirectory({
  "homing.toml": `homeserver_url = "https://matrix.example.org"\nuser_id = "@bot:example.org"\npassword = "hunter2"\n`
})

/** A bot that has answered, ignored, failed and given up: its store, open as it is while the bot runs. */
const running = Effect.fnUntraced(function*(cwd: string) {
  const store = yield* openDataDir(join(cwd, ".homing"))
  yield* store.inbox.ingest(batch(["$answered", "$edit", "$failed", "$dead"].map((id) => message(id)), {
    gaps: [{ roomId: roomB, from: "p1", to: "s1", events: 2000 }]
  }))
  yield* store.inbox.settle("$answered", answered([reply("t-sent"), reply("t-waits")]))
  yield* store.inbox.settle("$edit", ignored("edit"))
  const code = ReferenceCode.make("ABCDEFGH")
  yield* store.inbox.settle("$failed", { _tag: "Failed", code, problem: "it broke", replies: [] })
  yield* store.inbox.settle("$dead", answered([reply("t-dead")]))
  yield* store.outbox.sent(t("t-sent"), EventId.make("$sent"))
  yield* store.outbox.delayed(t("t-waits"), "RateLimited")
  yield* store.outbox.dead(t("t-dead"), "forbidden")
  yield* store.reports.append(report(0))
  return store
})

const aBot = Effect.gen(function*() {
  const cwd = yield* aDirectory
  return { cwd, store: yield* running(cwd) }
})

layer(NodeServices.layer)("beside a bot that runs, the operator", (it) => {
  it.effect("asks why by event, by reference code and by answer", () =>
    Effect.gen(function*() {
      const { cwd } = yield* aBot
      const why = (id: string) => homing(["why", id], { cwd })
      const known = yield* why("$answered")
      assert.deepInclude(known, { code: 0, stderr: "" })
      assert.match(
        known.stdout,
        /^\$answered of @ada:example\.org in !a:example\.org reached the bot at 1970-01-01T00:00:00Z \(reference code [0-9A-Z]{8}\)\.\n/
      )
      assert.include(known.stdout, "It was answered at 1970")
      assert.include(known.stdout, "transaction id t-sent stands in the room as $sent.")
      assert.include(known.stdout, "t-waits waits to be sent again, after 1 attempt (RateLimited).")
      assert.include(
        (yield* why("abcdefgh")).stdout,
        "It could not be answered at 1970-01-01T00:00:00Z: it broke."
      )
      assert.include((yield* why("$sent")).stdout, "$sent is what the bot said to $answered.")
      const unknown = yield* why("$nothing")
      assert.deepInclude(unknown, { code: 1, stdout: "" })
      assert.match(unknown.stderr, /^homing: Nothing is known of \$nothing\..*30 days/)
    }), slow)

  it.effect(
    "sees in the log what was not answered, not delivered and left out, also as JSON",
    () =>
      Effect.gen(function*() {
        const { cwd } = yield* aBot
        const log = yield* homing(["log"], { cwd })
        assert.deepInclude(log, { code: 0, stderr: "" })
        for (
          const line of [
            /^Reconciliations\n {2}1970-01-01T00:00:00Z {2}all rooms: 1 skipped$/m,
            /^ {2}1970-01-01T00:00:00Z {2}failed {2}ABCDEFGH {2}!a:example\.org {2}\$failed {2}it broke$/m,
            /^ {2}1970-01-01T00:00:00Z {2}ignored {2}[0-9A-Z]{8} {2}!a:example\.org {2}\$edit {2}edit$/m,
            /^ {2}t-dead {2}!a:example\.org {2}forbidden$/m,
            /^ {2}1970-01-01T00:00:00Z {2}!b:example\.org {2}what came before the last 2000 events$/m
          ]
        ) assert.match(log.stdout, line)
        assert.notInclude(log.stdout, "$answered")
        assert.match(
          (yield* homing(["log", "--all"], { cwd })).stdout,
          /answered {2}[0-9A-Z]{8} {2}!a:example\.org {2}\$answered$/m
        )
        const json = JSON.parse((yield* homing(["log", "--json", "--limit", "1"], { cwd })).stdout)
        assert.deepStrictEqual(Object.keys(json), ["reports", "messages", "undelivered", "gaps"])
        assert.lengthOf(json.messages, 1)
      }),
    slow
  )

  it.effect("lists the outbox, has a dead message sent again, and drops another", () =>
    Effect.gen(function*() {
      const { cwd, store } = yield* aBot
      const list = yield* homing(["outbox"], { cwd })
      assert.deepInclude(list, { code: 0, stderr: "" })
      assert.match(
        list.stdout,
        /^3 {2}dead {2}t-dead {2}!a:example\.org\n {4}forbidden \(attempts: 1\)\n {4}"t-dead"\n2 {2}pending {2}t-waits /
      )
      assert.notInclude(list.stdout, "t-sent")

      const retried = yield* homing(["outbox", "retry", "t-dead"], { cwd })
      assert.deepInclude(retried, { code: 0, stderr: "" })
      assert.include(retried.stdout, "within a minute")
      yield* store.outbox.sent(t("t-waits"), EventId.make("$w"))
      assert.deepInclude(yield* store.outbox.next(roomA), { message: reply("t-dead") })

      const dropped = yield* homing(["outbox", "drop", "t-dead"], { cwd })
      assert.include(dropped.stdout, "t-dead will not be sent.")
      assert.isUndefined(yield* store.outbox.next(roomA))
      assert.strictEqual((yield* homing(["outbox", "list"], { cwd })).stdout, "Everything was delivered.\n")

      const again = yield* homing(["outbox", "retry", "t-dead"], { cwd })
      assert.deepInclude(again, { code: 1, stdout: "" })
      assert.include(again.stderr, "There is no dead message t-dead.")
      assert.deepInclude(yield* homing(["outbox", "drop"], { cwd }), { code: 64 })
    }), slow)

  it.effect("makes a backup, and cannot restore it before the bot is stopped", () =>
    Effect.gen(function*() {
      const { cwd } = yield* aBot
      const made = yield* homing(["backup", "copy"], { cwd })
      assert.deepInclude(made, { code: 0, stderr: "" })
      assert.include(made.stdout, "Copied homing.db to copy.")
      assert.isTrue(existsSync(join(cwd, "copy", "homing.db")))
      const restored = yield* homing(["restore", "copy"], { cwd })
      assert.deepInclude(restored, { code: 75, stdout: "" })
      assert.include(restored.stderr, `process ${process.pid}`)
    }), slow)

  it.effect("restores a backup once the bot is stopped, and is told where the rest is", () =>
    Effect.gen(function*() {
      const cwd = yield* aDirectory
      yield* Effect.scoped(Effect.gen(function*() {
        const store = yield* running(cwd)
        assert.strictEqual((yield* homing(["backup", "copy"], { cwd })).code, 0)
        yield* store.inbox.ingest(batch([message("$later")]))
      }))
      const restored = yield* homing(["restore", "copy"], { cwd })
      assert.deepInclude(restored, { code: 0, stderr: "" })
      assert.match(restored.stdout, /The backup is whole\..*\nWhat was there before is in .*before-restore-/)
      assert.strictEqual((yield* homing(["why", "$later"], { cwd })).code, 1)
      assert.strictEqual((yield* homing(["why", "$edit"], { cwd })).code, 0)
    }), slow)

  it.effect("needs nothing but the data directory, and that only where it can be told", () =>
    Effect.gen(function*() {
      const { cwd } = yield* aBot
      const elsewhere = yield* scratchDirectory()
      const env = { HOMING_DATA_DIR: join(cwd, ".homing"), HOMING_LOG_LEVEL: "loud" }
      for (const args of [["why", "$edit"], ["log"], ["outbox"], ["outbox", "retry", "t-dead"], ["backup", "copy"]]) {
        assert.deepInclude(yield* homing(args, { cwd: elsewhere, env }), { code: 0, stderr: "" }, args.join(" "))
      }
      assert.strictEqual((yield* homing(["restore", "copy"], { cwd: elsewhere, env })).code, 75, "a bot runs on it")
      assert.strictEqual((yield* homing(["sign-out"], { cwd: elsewhere, env })).code, 75, "a bot runs on it")
      const unknown = yield* homing(["log", "--config", "nowhere.toml"], { cwd: elsewhere })
      assert.strictEqual(unknown.code, 78)
      assert.match(
        unknown.stderr,
        /^homing: The configuration has a problem:\n {2}config: .*nowhere\.toml does not exist/
      )
    }), slow)

  it.effect("signs out with what is stored, and makes no database to do so", () =>
    Effect.gen(function*() {
      const cwd = yield* scratchDirectory()
      const { code, stderr } = yield* homing(["sign-out"], { cwd })
      assert.strictEqual(code, 74)
      assert.include(stderr, "There is none: no bot has run there yet.")
      assert.isFalse(existsSync(join(cwd, ".homing")))
      yield* Effect.scoped(openDataDir(join(cwd, ".homing")))
      assert.deepInclude(yield* homing(["sign-out"], { cwd }), {
        code: 0,
        stdout: "There was no session to end.\n",
        stderr: ""
      })
    }), slow)

  it.effect("is told that no bot has run where there is no database", () =>
    Effect.gen(function*() {
      const cwd = yield* aDirectory
      for (const args of [["log"], ["outbox", "retry", "t1"], ["backup", "copy"]]) {
        const { code, stderr } = yield* homing(args, { cwd })
        assert.strictEqual(code, 74)
        assert.match(stderr, /^homing: The database .*homing\.db cannot be used: There is none/)
        const file = yield* homing(args, { cwd, env: { HOMING_DATA_DIR: "homing.toml" } })
        assert.strictEqual(file.code, 74)
        assert.match(
          file.stderr,
          /cannot be used: There is none: no bot has run there yet\. Set HOMING_DATA_DIR to the/
        )
      }
    }), slow)

  it.effect("is told every way in which a message can end", () =>
    Effect.sync(() => {
      const base = {
        key: "$1",
        roomId: roomA,
        sender: ada,
        state: "answered" as const,
        reason: undefined,
        code: undefined,
        receivedAt: 0,
        settledAt: 1000
      }
      assert.include(
        becameOf({ ...base, state: "pending", settledAt: undefined }, []).join(" "),
        "not been settled yet"
      )
      assert.include(
        becameOf({ ...base, reason: "answered_before" }, []).join(" "),
        "held an answer of the bot already"
      )
      assert.include(becameOf(base, []).join(" "), "There was nothing to say to it.")
      assert.include(
        becameOf({ ...base, state: "ignored", reason: "redacted" }, []).join(" "),
        "it was redacted before"
      )
      assert.include(becameOf({ ...base, state: "ignored", reason: "new_reason" }, []).join(" "), ": new_reason.")
    }))
})
