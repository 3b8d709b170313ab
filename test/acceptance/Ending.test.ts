import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdirSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { type Exit, settings, startBot, temporaryDirectory } from "./Bot.ts"
import { logIn } from "./Homeserver.ts"
import { openChat, scenario } from "./Scenario.ts"

/** One paragraph for a person: what is wrong and what to do, and nothing of the insides. */
const assertPlain = ({ stderr }: Exit, ...words: ReadonlyArray<string | RegExp>) => {
  assert.match(stderr, /^homing: /)
  assert.notMatch(stderr, /^\s+at /m, "a stack trace")
  assert.notInclude(stderr.trim(), "\n\n", "one paragraph")
  assert.isBelow(stderr.length, 1_500)
  for (const word of words) {
    if (typeof word === "string") assert.include(stderr, word)
    else assert.match(stderr, word)
  }
}

const end = (environment: Readonly<Record<string, string>>) => Effect.flatMap(startBot(environment), (bot) => bot.exit)

describe("an end", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it.live(`by ${signal} comes within five seconds, with exit code 0`, () =>
      Effect.gen(function*() {
        const { account, alice, start } = yield* scenario()
        const bot = yield* start
        const room = yield* openChat(alice, account.userId)
        yield* alice.asks(room, "hello")
        const asked = performance.now()
        process.kill(bot.pid, signal)
        const exit = yield* bot.exit
        assert.isBelow(performance.now() - asked, 5_000)
        assert.strictEqual(exit.code, 0)
        assert.strictEqual(exit.stderr, "")
      }))
  }

  it.live("comes as fast while it still waits for a homeserver", () =>
    Effect.gen(function*() {
      const { environment, proxy } = yield* scenario()
      yield* proxy.refuse
      const bot = yield* startBot(environment)
      yield* bot.logs("homeserver_not_answering")
      const asked = performance.now()
      const exit = yield* bot.stop
      assert.isBelow(performance.now() - asked, 5_000)
      assert.strictEqual(exit.code, 0)
    }))
})

describe("a start that cannot succeed", () => {
  it.live("because another process runs on the data directory ends with 75, and the other runs on", () =>
    Effect.gen(function*() {
      const { account, alice, environment, start } = yield* scenario()
      const first = yield* start
      const exit = yield* end(environment)
      assert.strictEqual(exit.code, 75)
      assertPlain(exit, String(first.pid), "HOMING_DATA_DIR")
      const room = yield* openChat(alice, account.userId)
      assert.strictEqual(yield* alice.asks(room, "hello"), "hello")
    }))

  it.live("after a kill is no such case: the lease of a dead process is free", () =>
    Effect.gen(function*() {
      const { start } = yield* scenario()
      yield* (yield* start).kill
      yield* start
    }))

  it.live("because the token is wrong ends with 77", () =>
    Effect.gen(function*() {
      const { environment } = yield* scenario({ HOMING_PASSWORD: undefined, HOMING_ACCESS_TOKEN: "syt_wrong_token" })
      const exit = yield* end(environment)
      assert.strictEqual(exit.code, 77)
      assertPlain(exit, "HOMING_ACCESS_TOKEN")
      assert.notInclude(exit.stderr, "syt_wrong_token")
    }))

  it.live("because the password is wrong ends with 77", () =>
    Effect.gen(function*() {
      const { environment } = yield* scenario({ HOMING_PASSWORD: "not the password" })
      const exit = yield* end(environment)
      assert.strictEqual(exit.code, 77)
      assertPlain(exit, "HOMING_PASSWORD")
      assert.notInclude(exit.stderr, "not the password")
    }))

  it.live("because no homeserver answers ends with 69 when its patience does", () =>
    Effect.gen(function*() {
      const { environment, proxy } = yield* scenario({ HOMING_START_PATIENCE: "2 seconds" })
      yield* proxy.refuse
      const exit = yield* end(environment)
      assert.strictEqual(exit.code, 69)
      assert.isAtLeast(exit.lasted, 2_000)
      assert.isBelow(exit.lasted, 10_000)
      assertPlain(exit, proxy.url, "HOMING_HOMESERVER_URL")
    }))

  it.live("because what answers is a web page ends with 69", () =>
    Effect.gen(function*() {
      const page = yield* webPage
      const { environment } = yield* scenario({ HOMING_START_PATIENCE: "2 seconds", HOMING_HOMESERVER_URL: page })
      const exit = yield* end(environment)
      assert.strictEqual(exit.code, 69)
      assertPlain(exit, page, "HOMING_HOMESERVER_URL")
      assert.notInclude(exit.stderr, "<html>")
    }))

  it.live("because the data directory cannot be made ends with 74", () =>
    Effect.gen(function*() {
      const { account, proxy } = yield* scenario()
      // A file where the directory should be: it stops root too, which a mode would not.
      const file = join(yield* temporaryDirectory, "a-file")
      writeFileSync(file, "")
      const exit = yield* end(settings({ account, dataDir: join(file, "data"), url: proxy.url }))
      assert.strictEqual(exit.code, 74)
      assertPlain(exit, file)
    }))

  it.live("because the database is no database ends with 74, and leaves the file as it is", () =>
    Effect.gen(function*() {
      const { dataDir, environment } = yield* scenario()
      mkdirSync(dataDir, { recursive: true })
      writeFileSync(join(dataDir, "homing.db"), "this is not a database, and never was one. ".repeat(200))
      const exit = yield* end(environment)
      assert.strictEqual(exit.code, 74)
      assertPlain(exit, "homing.db")
    }))

  it.live("because a newer Homing has written the database ends with 74", () =>
    Effect.gen(function*() {
      const { dataDir, environment, start } = yield* scenario()
      yield* (yield* start).stop
      const database = new DatabaseSync(join(dataDir, "homing.db"))
      database.exec("PRAGMA user_version = 9999")
      database.close()
      const exit = yield* end(environment)
      assert.strictEqual(exit.code, 74)
      assertPlain(exit, "homing.db", /newer/)
    }))

  it.live("because the data directory belongs to another account ends with 77, and with 74 when a token says so", () =>
    Effect.gen(function*() {
      const { account, dataDir, start } = yield* scenario()
      yield* (yield* start).stop
      const other = yield* scenario()
      const byPassword = yield* end(settings({ account: other.account, dataDir, url: other.proxy.url }))
      assert.strictEqual(byPassword.code, 77)
      assertPlain(byPassword, account.userId, other.account.userId)

      const { token } = yield* logIn(other.account)
      const more = { HOMING_PASSWORD: undefined, HOMING_USER_ID: undefined, HOMING_ACCESS_TOKEN: token }
      const byToken = yield* end(settings({ account: other.account, dataDir, url: other.proxy.url, more }))
      assert.strictEqual(byToken.code, 74)
      assertPlain(byToken, account.userId, other.account.userId)
    }))

  it.live("because of the configuration ends with 78 and tells all that is wrong at once", () =>
    Effect.gen(function*() {
      const exit = yield* end({
        HOMING_HOMESERVER_URL: "not a url",
        HOMING_USER_ID: "homing",
        HOMING_PASSWORD: "secret-password",
        HOMING_SYNC_TIMEOUT: "soon",
        HOMING_STATUS_PORT: "http"
      })
      assert.strictEqual(exit.code, 78)
      assertPlain(exit, "HOMING_HOMESERVER_URL", "HOMING_USER_ID", "HOMING_SYNC_TIMEOUT", "HOMING_STATUS_PORT")
      assert.notInclude(exit.stderr, "secret-password")
    }))
})

/** A server that knows one answer: a web page. */
const webPage = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
    const server = createServer((_, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end("<html><body>It works!</body></html>")
    })
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const close = () => {
        server.close()
        server.closeAllConnections()
      }
      resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, close }))
    })
  }),
  ({ close }) => Effect.sync(close)
).pipe(Effect.map(({ url }) => url))
