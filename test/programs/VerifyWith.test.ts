import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Queue, Ref, Schedule, Terminal } from "effect"
import { readConfig } from "../../src/layers/AppConfig.ts"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Door } from "../../src/layers/Homeserver/Door.ts"
import { verify } from "../../src/programs/Verify.ts"
import { homing } from "../Spawn.ts"
import { botDirectory, startRealBot, stopRealBot } from "./RealBot.ts"
import { sdkPerson } from "./SdkPerson.ts"
import { answerRequest, cryptoOf, newIdentity } from "./SdkVerifying.ts"
import { botId } from "./World.ts"

const users = [{ name: "bot", password: "hunter2" }, { name: "alice", password: "password" }]

/** A homeserver of its own for each test: who was verified stays so. */
const apart = Effect.provide(
  Door.layer().pipe(Layer.provideMerge(Homeserver.layer({ users })), Layer.provideMerge(NodeServices.layer)),
  { local: true }
)

const aliceId = "@alice:homing.test"

/** Somebody in an encrypted room with a bot that was stopped. */
const aPersonAndTheBot = Effect.gen(function*() {
  const cwd = yield* botDirectory
  const bot = yield* startRealBot(cwd)
  yield* bot.printed("device_verified")
  const alice = yield* sdkPerson("alice", "password")
  yield* newIdentity(alice.client, "alice", "password")
  yield* alice.greetingIn(yield* alice.createRoom("Tea", botId))
  yield* stopRealBot(bot)
  return { alice, cwd }
})

/** Somebody at a terminal who types these lines, and what was asked. */
const typing = Effect.fnUntraced(function*(lines: ReadonlyArray<string>) {
  const left = yield* Ref.make(lines)
  const asked: Array<string> = []
  const terminal = Terminal.make({
    columns: Effect.succeed(80),
    rows: Effect.succeed(24),
    size: Queue.bounded(1),
    readInput: Queue.bounded(1),
    readLine: Ref.modify(left, ([next, ...rest]) => [next, rest] as const).pipe(
      Effect.flatMap((next) => next === undefined ? Effect.fail(new Terminal.QuitError({})) : Effect.succeed(next))
    ),
    display: (text) => Effect.sync(() => void asked.push(text))
  })
  return { terminal, asked }
})

const verifyWith = Effect.fnUntraced(function*(cwd: string, terminal: Terminal.Terminal) {
  const report = yield* readConfig({}, { workingDirectory: cwd, isTerminal: true, environment: {} })
  const options = { recoveryKey: false, newRecoveryKey: false, with: aliceId, yes: false }
  return yield* verify(report, options).pipe(Effect.provideService(Terminal.Terminal, terminal))
})

describe("homing verify --with", () => {
  it.live("shows the emoji that the person sees, and both have verified each other", () =>
    Effect.gen(function*() {
      const { alice, cwd } = yield* aPersonAndTheBot
      const answering = yield* Effect.forkChild(answerRequest(alice.client, "confirm"))
      const ended = yield* homing(["verify", "--with", aliceId, "--yes"], { cwd })
      assert.strictEqual(ended.code, 0, ended.stderr)
      assert.include(ended.stdout, yield* Fiber.join(answering))
      assert.include(ended.stdout, `Verified: the bot and ${aliceId}`)
      yield* Effect.promise(() => cryptoOf(alice.client).getUserVerificationStatus(botId)).pipe(
        Effect.repeat({ until: (status) => status.isCrossSigningVerified(), schedule: Schedule.spaced("50 millis") })
      )
    }).pipe(Effect.scoped, apart), 60_000)

  it.live("asks until it is told yes or no, and verifies nobody when they do not match", () =>
    Effect.gen(function*() {
      const { alice, cwd } = yield* aPersonAndTheBot
      yield* Effect.forkChild(answerRequest(alice.client, "confirm"))
      const { asked, terminal } = yield* typing(["hm", "n"])
      const error = yield* Effect.flip(verifyWith(cwd, terminal))
      assert.deepStrictEqual(asked, ["Do they match? [y/n] ", "Do they match? [y/n] "])
      assert.strictEqual(error._tag, "NotVerified")
      assert.include(error.message, "did not match")
      const status = yield* Effect.promise(() => cryptoOf(alice.client).getUserVerificationStatus(botId))
      assert.isFalse(status.isCrossSigningVerified())
    }).pipe(Effect.scoped, apart), 60_000)

  it.live("verifies whoever the one at the terminal says matches", () =>
    Effect.gen(function*() {
      const { alice, cwd } = yield* aPersonAndTheBot
      yield* Effect.forkChild(answerRequest(alice.client, "confirm"))
      const { terminal } = yield* typing(["y"])
      yield* verifyWith(cwd, terminal)
    }).pipe(Effect.scoped, apart), 60_000)

  it.live("says so when the person declines, or ends it", () =>
    Effect.gen(function*() {
      const { alice, cwd } = yield* aPersonAndTheBot
      yield* Effect.forkChild(answerRequest(alice.client, "decline"))
      const declined = yield* homing(["verify", "--with", aliceId, "--yes"], { cwd })
      assert.strictEqual(declined.code, 1)
      assert.include(declined.stderr, `${aliceId} ended it. Nobody was verified.`)
      yield* Effect.forkChild(answerRequest(alice.client, "mismatch"))
      const ended = yield* homing(["verify", "--with", aliceId, "--yes"], { cwd })
      assert.strictEqual(ended.code, 1)
      assert.include(ended.stderr, "did not match")
      // What came meanwhile waits for the bot.
      const bot = yield* startRealBot(cwd)
      yield* stopRealBot(bot)
    }).pipe(Effect.scoped, apart), 60_000)

  it.live(
    "does nothing without a terminal, without a room of the two, or with options that do not go together",
    () =>
      Effect.gen(function*() {
        const { cwd } = yield* aPersonAndTheBot
        const blind = yield* homing(["verify", "--with", aliceId], { cwd })
        assert.strictEqual(blind.code, 64)
        assert.include(blind.stderr, "--yes")
        const stranger = yield* homing(["verify", "--with", "alice", "--yes"], { cwd })
        assert.strictEqual(stranger.code, 64)
        assert.include(stranger.stderr, "is not a user id")
        const both = yield* homing(["verify", "--recovery-key", "--new-recovery-key"], { cwd })
        assert.strictEqual(both.code, 64)
        const nobody = yield* homing(["verify", "--with", "@nobody:homing.test", "--yes"], { cwd })
        assert.strictEqual(nobody.code, 1)
        assert.include(nobody.stderr, "has no cross-signing identity")
      }).pipe(Effect.scoped, apart),
    60_000
  )
})
