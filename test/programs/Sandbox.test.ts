import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Schedule } from "effect"
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { dirname, join } from "node:path"
import { PassThrough } from "node:stream"
import { pathToFileURL } from "node:url"
import { endingOf } from "../../src/programs/ReportFailure.ts"
import { sandboxAt, type SandboxOptions } from "../../src/programs/Sandbox.ts"
import { complete } from "../../src/programs/Sandbox/Commands.ts"
import { Terminal } from "../../src/programs/Sandbox/Terminal.ts"
import { scratchDirectory } from "../layers/AppConfig/Scratch.ts"
import { homing, spawnScript } from "../Spawn.ts"
import { Screen } from "./SandboxScreen.ts"

/** Processes are slow to start on a machine that is busy with other tests. */
const slow = 60_000

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const untilGone = (processes: ReadonlyArray<number>) =>
  Effect.suspend(() => processes.some(isAlive) ? Effect.fail("alive") : Effect.void).pipe(
    Effect.retry(Schedule.spaced("20 millis")),
    Effect.timeout("10 seconds")
  )

/** The processes that bots ran as, as far as a session tells. */
const botsOf = (session: string): ReadonlyArray<number> =>
  Array.from(session.matchAll(/as process (\d+)/g), ([, pid]) => Number(pid))

/** A session without what comes before it, with times and processes left out. */
const talkOf = (session: string): ReadonlyArray<string> =>
  session.slice(session.indexOf("/quit ends it.")).split("\n").slice(1)
    .map((line) => line.replace(/after [\d.]+ s, as process \d+/, "after a while"))
    .filter((line) => line !== "" && !/the bot is starting|still starting/.test(line))

/** A sandbox in this process that reads `script` from a pipe, up to its end. `onPrint` may write more while it runs. */
const play = Effect.fn(function*(script: string, options: {
  readonly sandbox?: SandboxOptions
  readonly onPrint?: (session: string) => void
} = {}) {
  const input = new PassThrough()
  const output = new PassThrough()
  let session = ""
  output.on("data", (chunk) => {
    session += String(chunk)
    options.onPrint?.(session)
  })
  input.end(script)
  const exit = yield* Effect.exit(sandboxAt(options.sandbox ?? {})).pipe(
    Effect.provide(Layer.merge(
      Terminal.layerOn({ input, output, interactive: false, complete }),
      NodeServices.layer
    ))
  )
  return { exit, ending: endingOf(exit), session, talk: talkOf(session) }
})

const greeting = "bot: Hello! Write to me here and I will answer. Type `!help` to see what else I can do."

describe("the sandbox", () => {
  it.live(
    "answers the lines of a pipe one after another, and ends with them, leaving nothing behind",
    () =>
      Effect.gen(function*() {
        const { exit, session, talk } = yield* play("hello\n\n  //two \n")
        assert.deepStrictEqual(exit, Exit.void)
        assert.deepStrictEqual(talk, [
          "  · the bot is there after a while",
          greeting,
          "you: hello",
          "bot: hello",
          "you: /two",
          "bot: /two"
        ])
        assert.match(
          session,
          /^This is the Homing sandbox[^]*set HOMING_HOMESERVER_URL, HOMING_USER_ID and\nHOMING_PASSWORD/
        )
        assert.deepStrictEqual(botsOf(session).filter(isAlive), [])
        const directory = dirname(/^\/.*bot\.log$/m.exec(session)?.[0] ?? "")
        assert.throws(() => readdirSync(directory), /ENOENT/)
      }),
    slow
  )

  it.live("shows that the bot comes back, however it went", () =>
    Effect.gen(function*() {
      const { session, talk } = yield* play(
        "/new Garden\none\n/restart\ntwo\n/kill\nthree\n/lose-database\nfour\n/quit\nfive\n"
      )
      assert.deepStrictEqual(talk, [
        "  · the bot is there after a while",
        greeting,
        "you: /new Garden",
        "  · you make the room Garden and invite the bot",
        greeting,
        "you: one",
        "bot: one",
        "you: /restart",
        "  · the bot is asked to stop, and is started again on the same data",
        "  · the bot is back after a while: 2 rooms, 2 chats unchanged",
        "you: two",
        "bot: two",
        "you: /kill",
        "  · the bot is killed (kill -9), and is started again on the same data",
        "  · the bot is back after a while: 2 rooms, 2 chats unchanged",
        "you: three",
        "bot: three",
        "you: /lose-database",
        "  · the bot is killed, homing.db and crypto.db are deleted (recovery.key stays), and it is started again",
        "  · the bot is back after a while: 2 rooms, 2 chats restored",
        "you: four",
        "bot: four",
        "you: /quit"
      ])
      assert.strictEqual(new Set(botsOf(session)).size, 4)
      assert.deepStrictEqual(botsOf(session).filter(isAlive), [])
    }), slow)

  it.live("goes from room to room", () =>
    Effect.gen(function*() {
      const { talk } = yield* play(
        "/new\n/rooms\n/room 1\n!rename Kitchen\n/rooms\n/rooms 7\n!chats\n/rom\n/nonsense\n"
      )
      assert.deepStrictEqual(talk.slice(2, 19), [
        "you: /new",
        "  · you make the room Room 2 and invite the bot",
        greeting,
        "you: /rooms",
        "  1  Sandbox",
        "* 2  Room 2",
        "you: /room 1",
        "  · you are in Sandbox",
        "you: !rename Kitchen",
        "bot: This chat is now called `Kitchen`.",
        "you: /rooms",
        "* 1  Kitchen",
        "  2  Room 2",
        "you: /rooms 7",
        "  · there is no room 7; /rooms lists them",
        "you: !chats",
        "bot: Your chats:"
      ])
      assert.match(talk.slice(19, 21).toSorted().join("\n"), /- `Kitchen`.*\n.*- `Room 2`/)
      assert.deepStrictEqual(talk.slice(21), [
        "you: /rom",
        "  · there is no command /rom. Did you mean /room? /help lists them all.",
        "you: /nonsense",
        "  · there is no command /nonsense. /help lists them all."
      ])
    }), slow)

  it.live("lets you into the rooms that the bot makes for you", () =>
    Effect.gen(function*() {
      const { talk } = yield* play("!new Garden\n/rooms\n/room 2\nhow do you do?\n")
      const invited = "  · the bot let you into Garden; /room 2 goes there"
      assert.include(talk, invited)
      assert.deepStrictEqual(talk.slice(talk.indexOf("* 1  Sandbox")), [
        "* 1  Sandbox",
        "  2  Garden",
        "you: /room 2",
        "  · you are in Garden",
        "you: how do you do?",
        "bot: how do you do?"
      ])
    }), slow)

  it.live("goes on where it was when there is a directory to keep it in", () =>
    Effect.gen(function*() {
      const dataDir = join(yield* scratchDirectory(), "kept")
      yield* play("one\n/new Garden\n", { sandbox: { dataDir } })
      const again = yield* play("/rooms\n/room 2\ntwo\n", { sandbox: { dataDir } })
      assert.deepStrictEqual(again.talk, [
        "  · the bot is there after a while: 2 rooms, 2 chats unchanged",
        "  · you are in Sandbox again; /rooms lists all that there are",
        "you: /rooms",
        "* 1  Sandbox",
        "  2  Garden",
        "you: /room 2",
        "  · you are in Garden",
        "you: two",
        "bot: two"
      ])
      assert.include(again.session, `it is kept in\n${dataDir}\n`)
      const both = yield* Effect.all([1, 2].map(() => play("", { sandbox: { dataDir } })), { concurrency: 2 })
      assert.match(
        both.map(({ ending }) => ending.message ?? "").join(""),
        /^homing: .* another sandbox \(.*Stop that one/
      )
      writeFileSync(join(dataDir, "homeserver.json"), "garbage")
      const broken = yield* play("", { sandbox: { dataDir } })
      assert.strictEqual(broken.ending.code, 74)
      assert.match(broken.ending.message ?? "", /Move it away to begin with an empty sandbox/)
      const nowhere = yield* play("", { sandbox: { dataDir: join(dataDir, "homeserver.json", "x") } })
      assert.deepInclude(nowhere.ending, { code: 74 })
      assert.match(
        nowhere.ending.message ?? "",
        /is a file and no directory\. Give it a --data-dir that you may write to/
      )
      const takesNone = yield* play("", { sandbox: { dataDir: "/proc/x/y" } })
      assert.match(
        takesNone.ending.message ?? "",
        /\/proc\/x cannot be made, since \/proc takes none\. Give it a --data-dir/
      )
      // As a lock that this user may not open, whoever runs the test.
      const locked = join(yield* scratchDirectory(), "locked")
      mkdirSync(join(locked, "lease.db"), { recursive: true })
      const shut = yield* play("", { sandbox: { dataDir: locked } })
      assert.strictEqual(
        shut.ending.message,
        `homing: The sandbox cannot keep its state: this user may not write in ${locked}. Give it a --data-dir that you may write to.`
      )
    }).pipe(Effect.provide(NodeServices.layer)), slow)

  it.live("shows warnings, and fails a script that got no answer", () =>
    Effect.gen(function*() {
      // Of an archived chat the bot says so once in a while only.
      const { ending, talk } = yield* play("!archive\none\ntwo\n", { sandbox: { patience: "3 seconds" } })
      assert.match(talk.join("\n"), /· the bot warns: message_not_handled \(.*problem: Archived/)
      assert.strictEqual(talk.at(-1), "  · no answer within 3s in Sandbox, to \"two\"")
      assert.deepStrictEqual(ending, { code: 1, message: "homing: A line got no answer from the bot." })
    }), slow)

  it.live("ends as the bot does when that ends by itself, and says why", () =>
    Effect.gen(function*() {
      const { ending } = yield* play("one\n/kill\ntwo\n", {
        onPrint: (session) => {
          const log = /^\/.*bot\.log$/m.exec(session)?.[0]
          if (!session.endsWith("bot: one\n") || log === undefined) return
          const data = join(dirname(log), "bot")
          for (const name of readdirSync(data)) writeFileSync(join(data, name), "no database".repeat(1_000))
        }
      })
      assert.strictEqual(ending.code, 74)
      assert.match(
        ending.message ?? "",
        /^homing: The bot ended by itself with exit code 74, and the sandbox with it. It said:\n\S/
      )
    }), slow)

  it.live("ends when somebody else kills the bot", () =>
    Effect.gen(function*() {
      const { ending } = yield* play("one\n", {
        onPrint: (session) => {
          const [bot] = botsOf(session)
          if (session.endsWith("\n") && bot !== undefined && isAlive(bot)) process.kill(bot, "SIGKILL")
        }
      })
      assert.deepStrictEqual(ending, {
        code: 137,
        message: "homing: The bot was ended by SIGKILL, and the sandbox with it."
      })
    }), slow)

  it.live("ends when the person leaves, even while the bot starts", () =>
    Effect.gen(function*() {
      const input = new PassThrough()
      const output = new Screen(80)
      const playing = yield* Effect.forkChild(
        sandboxAt({}).pipe(
          Effect.provide(Layer.merge(
            Terminal.layerOn({ input, output, interactive: true, complete }),
            NodeServices.layer
          ))
        )
      )
      yield* output.shows(/bot is starting|bot is there/)
      input.write("\u0003")
      yield* Fiber.join(playing)
    }), slow)

  it.live("lets one try a bot of one's own", () =>
    Effect.gen(function*() {
      const { ending, talk } = yield* play("roll\n", { sandbox: { bot: "examples/dice.ts" } })
      assert.deepInclude(ending, { code: 0 })
      assert.match(talk.join("\n"), /bot: You rolled \*\*[1-6]\*\*/)
      const nowhere = yield* play("", { sandbox: { bot: "examples/nowhere.ts" } })
      assert.strictEqual(nowhere.ending.code, 64)
      assert.match(nowhere.ending.message ?? "", /There is no file .*nowhere\.ts\. Give --bot the file/)
    }), slow)

  it.live("takes the port that it is given, and says when that is taken", () =>
    Effect.gen(function*() {
      const server = createServer()
      yield* Effect.acquireRelease(
        Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
        () => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
      )
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const { ending } = yield* play("", { sandbox: { port } })
      assert.deepStrictEqual(ending, {
        code: 69,
        message:
          `homing: Port ${port} is taken by another program. Give the sandbox another --port, or none: it takes any free one.`
      })
    }), slow)
})

describe("homing sandbox", () => {
  it.live("is what start runs with nothing configured, for scripts too", () =>
    Effect.gen(function*() {
      const cwd = yield* scratchDirectory()
      const { ended, process: sandbox } = yield* spawnScript("bin/homing.mjs", ["start"], { cwd, env: { TMPDIR: cwd } })
      sandbox.stdin?.end("hello\n/kill\nagain\n")
      const { code, stderr, stdout } = yield* ended
      assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
      assert.deepStrictEqual(talkOf(stdout).slice(2), [
        "you: hello",
        "bot: hello",
        "you: /kill",
        "  · the bot is killed (kill -9), and is started again on the same data",
        "  · the bot is back after a while: 1 room, 1 chat unchanged",
        "you: again",
        "bot: again"
      ])
      assert.deepStrictEqual(readdirSync(cwd), [])
    }).pipe(Effect.provide(NodeServices.layer)), slow)

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"] as const) {
    it.live(`leaves no bot behind when it gets ${signal}`, () =>
      Effect.gen(function*() {
        const cwd = yield* scratchDirectory()
        const { ended, printed, process: sandbox } = yield* spawnScript("bin/homing.mjs", ["sandbox"], {
          cwd,
          env: { TMPDIR: cwd }
        })
        yield* printed("bot: Hello")
        sandbox.kill(signal)
        const { code, stderr, stdout } = yield* ended
        assert.deepStrictEqual({ code, stderr }, { code: signal === "SIGKILL" ? null : 0, stderr: "" })
        const bots = botsOf(stdout)
        assert.lengthOf(bots, 1)
        // A sandbox that was killed could wait for nothing.
        yield* untilGone(bots)
        if (signal !== "SIGKILL") assert.deepStrictEqual(readdirSync(cwd), [])
      }).pipe(Effect.provide(NodeServices.layer)), slow)
  }

  it.live(
    "loses the bot's databases and not the key with which its next device is verified",
    () =>
      Effect.gen(function*() {
        const cwd = yield* scratchDirectory()
        const { ended, printed, process: sandbox } = yield* spawnScript("bin/homing.mjs", [
          "sandbox",
          "--data-dir",
          "kept"
        ], {
          cwd
        })
        const recoveryKey = yield* Effect.try(() => readFileSync(join(cwd, "kept/bot/recovery.key"), "utf8")).pipe(
          Effect.retry(Schedule.spaced("20 millis"))
        )
        yield* printed("bot: Hello")
        sandbox.stdin?.write("/lose-database\n")
        yield* printed("1 room, 1 chat restored")
        assert.strictEqual(readFileSync(join(cwd, "kept/bot/recovery.key"), "utf8"), recoveryKey)
        sandbox.stdin?.end("again\n")
        const { code, stdout } = yield* ended
        assert.deepStrictEqual([code, stdout.includes("warns")], [0, false])
      }).pipe(Effect.provide(NodeServices.layer)),
    slow
  )

  it.live("leaves neither a bot nor a directory behind when it crashes", () =>
    Effect.gen(function*() {
      const cwd = yield* scratchDirectory({ "crash.mjs": `process.on("SIGUSR2", () => { throw new Error("a bug") })` })
      const { ended, printed, process: sandbox } = yield* spawnScript("bin/homing.mjs", ["sandbox"], {
        cwd,
        env: { TMPDIR: cwd, NODE_OPTIONS: `--import=${pathToFileURL(join(cwd, "crash.mjs")).href}` }
      })
      yield* printed("bot: Hello")
      sandbox.kill("SIGUSR2")
      const { code, stdout } = yield* ended
      assert.strictEqual(code, 70)
      assert.deepStrictEqual(readdirSync(cwd), ["crash.mjs"])
      yield* untilGone(botsOf(stdout))
    }).pipe(Effect.provide(NodeServices.layer)), slow)

  it.live("tells in one paragraph what keeps it from starting", () =>
    Effect.gen(function*() {
      const cwd = yield* scratchDirectory({ file: "" })
      const { code, stderr } = yield* homing(["sandbox"], { cwd, env: { TMPDIR: join(cwd, "file") } })
      assert.strictEqual(code, 74)
      assert.match(
        stderr,
        /^homing: The sandbox cannot keep its state: .*\/file, the directory for temporary files, .*\. Set TMPDIR to a directory that you may write to\.\n$/
      )
      const nowhere = yield* homing(["sandbox"], { cwd, env: { TMPDIR: join(cwd, "nowhere") } })
      assert.match(nowhere.stderr, /\/nowhere, the directory for temporary files, is not there\. Set TMPDIR/)
      assert.strictEqual((yield* homing(["sandbox", "--port", "70000"], { cwd })).code, 64)
    }).pipe(Effect.provide(NodeServices.layer)), slow)
})
