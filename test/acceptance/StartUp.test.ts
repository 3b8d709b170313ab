import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { settings, startReadyBot } from "./Bot.ts"
import { logIn } from "./Homeserver.ts"
import { isLongPoll, isSync } from "./Proxy.ts"
import { openChat, scenario } from "./Scenario.ts"

describe("a start", () => {
  it.live("signs in, takes one full sync, reconciles, and only then asks for more", () =>
    Effect.gen(function*() {
      const { proxy, start } = yield* scenario()
      const bot = yield* start
      const poll = yield* proxy.asked(isLongPoll)
      const reconciled = yield* bot.logs("matrix_reconcile_complete")

      const [initial, ...later] = proxy.requests.filter(isSync)
      const signIn = proxy.requests.find(({ path }) => path === "/login")
      assert.isDefined(initial)
      assert.isDefined(signIn)
      assert.isBelow(proxy.requests.indexOf(signIn), proxy.requests.indexOf(initial))
      assert.strictEqual(initial.query.get("timeout"), "0")
      assert.strictEqual(initial.query.get("full_state"), "true")
      assert.isNull(initial.query.get("since"))

      assert.strictEqual(later[0], poll)
      assert.strictEqual(poll.query.get("timeout"), "30000")
      assert.isNotNull(poll.query.get("since"))
      assert.isNull(poll.query.get("full_state"))
      assert.isAtMost(initial.endedAt ?? Infinity, reconciled.at)
      assert.isAtLeast(poll.startedAt, reconciled.at)
    }))

  it.live("changes nothing on the server before it has reconciled", () =>
    Effect.gen(function*() {
      const { account, alice, proxy, start } = yield* scenario()
      const first = yield* start
      yield* openChat(alice, account.userId)
      yield* first.stop
      yield* proxy.forget

      const bot = yield* start
      yield* proxy.asked(isLongPoll)
      const reconciled = yield* bot.logs("matrix_reconcile_complete")
      // Storing a filter is how the client says what it wants to read; nobody else sees it.
      const early = proxy.requests.filter(({ method, path, startedAt }) =>
        method !== "GET" && !path.endsWith("/filter") && startedAt < reconciled.at
      )
      assert.deepStrictEqual(early.map(({ method, path }) => `${method} ${path}`), [])
    }))

  it.live("goes on from the cursor when it is not the first", () =>
    Effect.gen(function*() {
      const { account, alice, proxy, start } = yield* scenario()
      const first = yield* start
      yield* openChat(alice, account.userId)
      yield* first.stop
      yield* proxy.forget

      const second = yield* start
      yield* proxy.asked(isLongPoll)
      const initial = proxy.requests.find(isSync)
      assert.isNotNull(initial?.query.get("since") ?? null)
      assert.strictEqual(initial?.query.get("timeout"), "0")
      assert.strictEqual(initial?.query.get("full_state"), "true")
      assert.strictEqual(second.report["unchanged"], 1)
    }))

  it.live("keeps its device: the second one needs no password", () =>
    Effect.gen(function*() {
      const { account, dataDir, environment, proxy, start } = yield* scenario()
      const first = yield* start
      const signedIn = yield* first.logs("matrix_authenticated")
      yield* first.stop
      yield* proxy.forget

      const withoutPassword = settings({ account, dataDir, url: proxy.url, more: { HOMING_PASSWORD: undefined } })
      assert.notDeepEqual(withoutPassword, environment)
      const second = yield* startReadyBot(withoutPassword)
      const again = yield* second.logs("matrix_authenticated")
      assert.strictEqual(again.annotations["device"], signedIn.annotations["device"])
      assert.isFalse(proxy.requests.some(({ path }) => path === "/login"))
    }))

  it.live("takes an access token in place of a password, and uses its device", () =>
    Effect.gen(function*() {
      const { account, dataDir, proxy } = yield* scenario()
      const { deviceId, token } = yield* logIn(account)
      const more = { HOMING_PASSWORD: undefined, HOMING_USER_ID: undefined, HOMING_ACCESS_TOKEN: token }
      const bot = yield* startReadyBot(settings({ account, dataDir, url: proxy.url, more }))
      const { annotations } = yield* bot.logs("matrix_authenticated")
      assert.strictEqual(annotations["user"], account.userId)
      assert.strictEqual(annotations["device"], deviceId)
      assert.isFalse(bot.log.some((line) => JSON.stringify(line).includes(token)))
    }))

  it.live("reports what it found, in fields that stay", () =>
    Effect.gen(function*() {
      const { start } = yield* scenario()
      const { report } = yield* start
      for (
        const field of [
          "rooms",
          "chats",
          "unchanged",
          "restored",
          "updated",
          "moved",
          "detached",
          "skipped",
          "conflicts"
        ]
      ) {
        assert.strictEqual(report[field], 0, field)
      }
      assert.strictEqual(report["scope"], "all")
      assert.isNumber(report["durationMs"])
    }))
})
