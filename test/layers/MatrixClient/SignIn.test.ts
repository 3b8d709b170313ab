import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted } from "effect"
import { DeviceId, ServerName, UserId } from "../../../src/domain/Ids.ts"
import { AppConfig, type Settings } from "../../../src/layers/AppConfig.ts"
import { MatrixSession } from "../../../src/layers/MatrixClient.ts"
import * as HttpTransport from "../../../src/layers/MatrixClient/HttpTransport.ts"
import * as Session from "../../../src/layers/MatrixClient/Session.ts"
import { SignedIn } from "../../../src/layers/MatrixClient/SignedIn.ts"
import { Store } from "../../../src/layers/Store.ts"
import { type Asked, json, type Scripted, scriptedServer, versions } from "./ScriptedServer.ts"

const bot = UserId.make("@bot:hs.test")

const authenticate = (settings: Partial<Settings>) =>
  Effect.flatMap(MatrixSession, (_) => _.authenticate).pipe(
    Effect.provide(
      Session.layer.pipe(
        Layer.provide([SignedIn.layer, HttpTransport.layer]),
        Layer.provide(AppConfig.layerTest({
          userId: bot,
          password: Redacted.make("pass"),
          startPatience: Duration.millis(300),
          ...settings
        }))
      ),
      { local: true }
    )
  )

const at = (url: string, settings: Partial<Settings> = {}) => authenticate({ homeserverUrl: new URL(url), ...settings })
const withStore = Effect.provide(Store.layerMemory, { local: true })

const loggedIn = json({ user_id: bot, device_id: "NEW", access_token: "fresh" })

/** A homeserver whose sign-in and sessions answer as told. */
const homeserver = (answers: { readonly login?: Scripted; readonly whoami?: (asked: Asked) => Scripted }) =>
  scriptedServer((asked) => {
    if (asked.url === "/_matrix/client/versions") return versions
    if (asked.url.endsWith("/login")) return answers.login ?? loggedIn
    if (asked.url.endsWith("/whoami")) return answers.whoami?.(asked) ?? json({ user_id: bot, device_id: "DEV" })
    return json({ errcode: "M_UNRECOGNIZED" }, 404)
  })

const unknownToken = (softLogout?: boolean) =>
  json({ errcode: "M_UNKNOWN_TOKEN", error: "Token is not active", soft_logout: softLogout }, 401)

const storedSession = (homeserverUrl: string, token = "stored") =>
  Effect.flatMap(
    Store,
    (_) =>
      _.session.save({ userId: bot, deviceId: DeviceId.make("DEV"), homeserverUrl, accessToken: Redacted.make(token) })
  )

describe("finding the homeserver", () => {
  it.live("goes by the discovery file of the server name", () =>
    Effect.gen(function*() {
      const server = yield* homeserver({})
      const well = yield* scriptedServer(({ url }) =>
        url === "/.well-known/matrix/client"
          ? json({ "m.homeserver": { base_url: `${server.url}/` } })
          : { status: 404 }
      )
      const session = yield* authenticate({
        homeserverUrl: undefined,
        serverName: ServerName.make(new URL(well.url).host)
      })
      assert.strictEqual(session.homeserverUrl, server.url)
    }).pipe(Effect.scoped, withStore))

  it.live("names the setting that led to an address where nobody answers", () =>
    Effect.gen(function*() {
      const nobody = { homeserverUrl: undefined, userId: UserId.make("@bot:localhost:1") }
      const byUser = yield* Effect.flip(authenticate(nobody))
      assert.match(
        byUser.message,
        /^No homeserver answers at localhost:1: .*Check HOMING_USER_ID, or set HOMING_HOMESERVER_URL/
      )
      const byName = yield* Effect.flip(authenticate({ ...nobody, serverName: ServerName.make("localhost:2") }))
      assert.match(byName.message, /at localhost:2: .*Check HOMING_SERVER_NAME, or/)
    }).pipe(withStore))

  it.live("takes the server name for the address when there is no discovery file", () =>
    Effect.gen(function*() {
      const server = yield* homeserver({})
      const session = yield* authenticate({
        homeserverUrl: undefined,
        serverName: ServerName.make(new URL(server.url).host)
      })
      assert.strictEqual(session.homeserverUrl, server.url)
    }).pipe(Effect.scoped, withStore))

  it.live("does not believe a discovery file that names plain HTTP elsewhere, or nothing", () =>
    Effect.gen(function*() {
      for (
        const file of [{ "m.homeserver": { base_url: "http://example.org" } }, { "m.homeserver": {} }, [], "<html>"]
      ) {
        const well = yield* scriptedServer(() => json(file))
        const error = yield* authenticate({
          homeserverUrl: undefined,
          serverName: ServerName.make(new URL(well.url).host)
        }).pipe(Effect.flip)
        assert.strictEqual(error._tag, "HomeserverUnreachable")
        assert.include(error.message, ".well-known/matrix/client")
        assert.strictEqual(well.asked.length, 1)
      }
    }).pipe(Effect.scoped, withStore))

  it.live("says at once that a web server is no homeserver", () =>
    Effect.gen(function*() {
      for (const page of [{ status: 200, body: "<!doctype html>" }, { status: 404, body: "not found" }, json({})]) {
        const server = yield* scriptedServer(() => page)
        const error = yield* at(server.url, { startPatience: Duration.minutes(10) }).pipe(Effect.flip)
        assert.strictEqual(error._tag, "HomeserverUnreachable")
        assert.include(error.message, "no Matrix homeserver")
        assert.include(error.message, "HOMING_HOMESERVER_URL")
        assert.strictEqual(server.asked.length, 1)
      }
    }).pipe(Effect.scoped, withStore))

  it.live("waits for one that is not up yet, and gives up when the patience is over", () =>
    Effect.gen(function*() {
      const server = yield* scriptedServer(({ url }, count) => {
        if (count === 1) return { status: 503 }
        return url.endsWith("/versions") ? versions : loggedIn
      })
      yield* at(server.url, { startPatience: Duration.seconds(10) })
      const down = yield* scriptedServer(() => versions)
      yield* down.close
      const error = yield* at(down.url).pipe(Effect.flip)
      assert.strictEqual(error._tag, "HomeserverUnreachable")
      assert.include(error.message, "refused")
    }).pipe(Effect.scoped, withStore))
})

describe("signing in", () => {
  it.live("asks for the device that this data directory had before", () =>
    Effect.gen(function*() {
      const server = yield* homeserver({})
      yield* storedSession(server.url)
      yield* (yield* Store).session.forgetToken
      yield* at(server.url, { deviceName: "Kitchen" })
      const login: unknown = JSON.parse(server.asked.at(-1)?.body ?? "")
      assert.deepStrictEqual(login, {
        type: "m.login.password",
        identifier: { type: "m.id.user", user: bot },
        password: "pass",
        initial_device_display_name: "Kitchen",
        device_id: "DEV"
      })
    }).pipe(Effect.scoped, withStore))

  it.live("takes the configured token before the stored session, and keeps it", () =>
    Effect.gen(function*() {
      const server = yield* homeserver({})
      yield* storedSession(server.url)
      yield* at(server.url, { accessToken: Redacted.make("configured") })
      assert.strictEqual(server.asked.at(-1)?.headers.authorization, "Bearer configured")
      const kept = yield* (yield* Store).session.load
      assert.strictEqual(kept === undefined ? undefined : Redacted.value(kept.accessToken), "configured")
    }).pipe(Effect.scoped, withStore))

  it.live("signs the same device in again with the password after a soft logout", () =>
    Effect.gen(function*() {
      const server = yield* homeserver({ whoami: () => unknownToken(true) })
      yield* storedSession(server.url)
      yield* at(server.url)
      assert.include(server.asked.at(-1)?.body, "\"device_id\":\"DEV\"")
    }).pipe(Effect.scoped, withStore))

  it.live("tells what to do when the session is gone for good", () =>
    Effect.gen(function*() {
      const server = yield* homeserver({ whoami: () => unknownToken() })
      yield* storedSession(server.url)
      const withPassword = yield* at(server.url).pipe(Effect.flip)
      assert.strictEqual(withPassword._tag, "SessionEnded")
      assert.include(withPassword.message, "homing sign-out")
      const withToken = yield* at(server.url, { accessToken: Redacted.make("stored") }).pipe(Effect.flip)
      assert.strictEqual(withToken._tag, "SessionEnded")
      assert.include(withToken.message, "HOMING_ACCESS_TOKEN")
      // A token that never worked here ends no session: it was mistyped.
      const mistyped = yield* at(server.url, { accessToken: Redacted.make("mistyped-secret") }).pipe(Effect.flip)
      assert.strictEqual(mistyped._tag, "CredentialsRefused")
      assert.include(mistyped.message, "HOMING_ACCESS_TOKEN")
      assert.notInclude(mistyped.message, "mistyped-secret")
    }).pipe(Effect.scoped, withStore))

  it.live("names every setting that is missing, without asking any server", () =>
    Effect.gen(function*() {
      const server = yield* homeserver({})
      const none = yield* at(server.url, { password: undefined }).pipe(Effect.flip)
      assert.strictEqual(none._tag, "CredentialsRefused")
      for (const name of ["HOMING_ACCESS_TOKEN", "HOMING_USER_ID", "HOMING_PASSWORD"]) {
        assert.include(none.message, name)
      }
      const nowhere = yield* authenticate({ homeserverUrl: undefined, userId: undefined }).pipe(Effect.flip)
      assert.include(nowhere.message, "HOMING_HOMESERVER_URL")
      assert.strictEqual(server.asked.length, 0)
    }).pipe(Effect.scoped, withStore))

  it.live("does not take over the data directory of another account", () =>
    Effect.gen(function*() {
      const server = yield* homeserver({})
      yield* storedSession(server.url)
      const error = yield* at(server.url, { userId: UserId.make("@other:hs.test") }).pipe(Effect.flip)
      assert.strictEqual(error._tag, "CredentialsRefused")
      assert.include(error.message, "HOMING_USER_ID")
    }).pipe(Effect.scoped, withStore))

  it.live("waits out a limit within the patience, and says so when it is longer", () =>
    Effect.gen(function*() {
      const limited = (seconds: number) => ({
        ...json({ errcode: "M_LIMIT_EXCEEDED", error: "Too many" }, 429),
        headers: { "retry-after": String(seconds) }
      })
      const long = yield* homeserver({ login: limited(331) })
      const error = yield* at(long.url).pipe(Effect.flip)
      assert.strictEqual(error._tag, "HomeserverUnreachable")
      assert.include(error.message, "331 s")
      let logins = 0
      const server = yield* scriptedServer(({ url }) => {
        if (url.endsWith("/versions")) return versions
        return ++logins === 1 ? limited(1) : loggedIn
      })
      yield* at(server.url, { startPatience: Duration.seconds(5) })
      assert.strictEqual(logins, 2)
    }).pipe(Effect.scoped, withStore))

  it.live("says that a server without passwords wants a token", () =>
    Effect.gen(function*() {
      const server = yield* homeserver({ login: json({ errcode: "M_UNKNOWN", error: "Unknown login type" }, 400) })
      const error = yield* at(server.url).pipe(Effect.flip)
      assert.strictEqual(error._tag, "CredentialsRefused")
      assert.include(error.message, "HOMING_ACCESS_TOKEN")
    }).pipe(Effect.scoped, withStore))
})
