import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { DatabaseSync } from "node:sqlite"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Door } from "../../src/layers/Homeserver/Door.ts"
import { scratchDirectory } from "../layers/AppConfig/Scratch.ts"
import { homing, type Spawned, spawnScript } from "../Spawn.ts"
import { botId } from "./World.ts"

/** A homeserver behind its HTTP door, for bots and commands that are processes of their own. */
export const worldOverHttp = Door.layer().pipe(
  Layer.provideMerge(Homeserver.layer({ users: [{ name: "bot", password: "hunter2" }] })),
  Layer.provideMerge(NodeServices.layer)
)

/** A working directory whose bot lives on that homeserver. Its data are in `.homing`. */
export const botDirectory = Effect.gen(function*() {
  const { url } = yield* Door
  return yield* scratchDirectory({
    "homing.toml": `homeserver_url = "${url}"\nuser_id = "${botId}"\npassword = "hunter2"\n`
  })
})

export const startRealBot = Effect.fnUntraced(function*(cwd: string) {
  const bot = yield* spawnScript("bin/homing.mjs", ["run"], { cwd })
  yield* bot.printed("matrix_reconcile_complete")
  return bot
})

/** Ends it as an operator does, and gives its log. */
export const stopRealBot = Effect.fnUntraced(function*(bot: Spawned) {
  yield* Effect.sync(() => bot.process.kill("SIGTERM"))
  const ended = yield* bot.ended
  assert.deepInclude(ended, { code: 0, signal: null, stderr: "" })
  return ended.stdout.trim().split("\n").map((line) => JSON.parse(line))
})

/** A bot that has greeted in a room of each of these names, and was stopped. */
export const stoppedBotWith = Effect.fnUntraced(function*(names: ReadonlyArray<string>) {
  const server = yield* Homeserver
  const [alice, account] = [yield* server.as("alice"), yield* server.as("bot")]
  const cwd = yield* botDirectory
  const bot = yield* startRealBot(cwd)
  const rooms = yield* Effect.forEach(names, (name) => alice.createRoom({ name, invite: [botId] }))
  for (const room of rooms) {
    yield* alice.waitFor(room, ({ sender, type }) => sender === botId && type === "m.room.message")
  }
  yield* stopRealBot(bot)
  return { account, alice, cwd, rooms, server }
})

/** A command, and what it asked of the homeserver. */
export const commanded = Effect.fnUntraced(function*(args: ReadonlyArray<string>, cwd: string) {
  const { requests } = yield* Homeserver
  const before = (yield* requests).length
  const ended = yield* homing(args, { cwd })
  const asked = (yield* requests).slice(before).map(({ method, path }) => `${method} ${path}`)
  return { ...ended, asked }
})

/** Every row of every table of a database. */
export const rowsOf = (file: string): Readonly<Record<string, ReadonlyArray<unknown>>> => {
  const db = new DatabaseSync(file, { readOnly: true })
  const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all()
  const rows = tables.map(({ name }) => [String(name), db.prepare(`SELECT * FROM "${String(name)}"`).all()])
  db.close()
  return Object.fromEntries(rows)
}
