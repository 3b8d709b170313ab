import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { createServer } from "node:net"
import { homing, spawnScript } from "../Spawn.ts"
import { botDirectory, startRealBot, stopRealBot, worldOverHttp } from "./RealBot.ts"

const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

layer(worldOverHttp, { excludeTestServices: true })("homing doctor", (it) => {
  it.effect("asks a running bot how it is, by its status port", () =>
    Effect.gen(function*() {
      const cwd = yield* botDirectory
      const env = { HOMING_STATUS_PORT: String(yield* freePort) }
      const bot = yield* spawnScript("bin/homing.mjs", ["run"], { cwd, env })
      yield* bot.printed("device_verified")
      const seen = yield* homing(["doctor"], { cwd, env })
      assert.strictEqual(seen.code, 0, seen.stdout)
      assert.match(
        seen.stdout,
        /running bot +It is ready; 0 encrypted messages read since the start, 0 that could not be/
      )
      yield* stopRealBot(bot)
      assert.notInclude((yield* homing(["doctor"], { cwd, env })).stdout, "running bot")
      const other = yield* startRealBot(cwd)
      assert.match((yield* homing(["doctor"], { cwd, env })).stdout, /running bot +Nothing answers on status port/)
      yield* stopRealBot(other)
    }), 40_000)
})
