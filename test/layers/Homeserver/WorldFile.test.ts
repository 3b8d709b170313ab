import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { Homeserver } from "../../../src/layers/Homeserver.ts"
import { bodies, caller, dig, text } from "./Caller.ts"

const v3 = "/_matrix/client/v3"

/** A file that is not there yet; its directory goes with the scope. */
const freshFile: Effect.Effect<string, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "homing-world-"))),
    (directory) => Effect.sync(() => Fs.rmSync(directory, { recursive: true }))
  ),
  (directory) => Path.join(directory, "world.json")
)

const everything = JSON.stringify({ room: { include_leave: true, timeline: { limit: 100 } } })

/** One run of a server on this file. */
const run = <A, E>(file: string, what: (homeserver: Homeserver["Service"]) => Effect.Effect<A, E>) =>
  Effect.flatMap(Homeserver, what).pipe(
    Effect.provide(Homeserver.layer({ file, users: [{ name: "bot", password: "pw" }] }), { local: true })
  )

const login = (homeserver: Homeserver["Service"]) =>
  Effect.map(
    caller(homeserver)("POST", "/login", {
      type: "m.login.password",
      identifier: { type: "m.id.user", user: "bot" },
      password: "pw",
      device_id: "HOMING"
    }),
    (answer) => text(answer.body, "access_token")
  )

/** An answer without what differs from one moment to the next. */
const timeless = (body: unknown): unknown =>
  JSON.parse(JSON.stringify(body, (key, value: unknown) => key === "age" ? 0 : value))

describe("a kept world", () => {
  it.effect("goes on where it was: tokens, rooms, history, positions, transaction ids, keys and account data", () =>
    Effect.gen(function*() {
      const file = yield* freshFile
      const before = yield* run(file, (homeserver) =>
        Effect.gen(function*() {
          const token = yield* login(homeserver)
          const bot = caller(homeserver, token)
          const alice = yield* homeserver.as("alice")
          const room = yield* alice.createRoom({ name: "Tea", invite: ["@bot:homing.test"] })
          const forgotten = yield* alice.createRoom({ invite: ["@bot:homing.test"] })
          yield* bot("POST", `/join/${room}`)
          yield* bot("POST", `/rooms/${forgotten}/leave`)
          yield* bot("POST", `/rooms/${forgotten}/forget`)
          // One room of which nothing is new but account data, and one of which nothing is but a receipt.
          const marked = yield* alice.createRoom({ invite: ["@bot:homing.test"] })
          const read = yield* alice.createRoom({ invite: ["@bot:homing.test"] })
          const last = yield* alice.say(read, "read me")
          for (const joined of [marked, read]) yield* bot("POST", `/join/${joined}`)
          yield* bot("POST", "/keys/upload", { one_time_keys: { "signed_curve25519:A": { key: "k" } } })
          const since = text((yield* bot("GET", "/sync")).body, "next_batch")
          const question = yield* alice.say(room, "ping")
          const secret = yield* alice.say(room, "a secret")
          yield* alice.redact(room, secret)
          yield* alice.setState(room, "m.room.topic", { topic: "Assam" })
          yield* bot("PUT", `/user/@bot:homing.test/rooms/${marked}/account_data/dev.homing.chat`, { n: 1 })
          yield* bot("POST", `/rooms/${read}/receipt/m.read/${encodeURIComponent(last)}`, {})
          const answer = yield* bot("PUT", `/rooms/${room}/send/m.room.message/t1`, {
            body: "pong",
            "m.relates_to": { rel_type: "m.thread", event_id: question }
          })
          const all = yield* bot("GET", "/sync", undefined, { filter: everything })
          return { token, room, forgotten, since, answer, all, news: yield* bot("GET", "/sync", undefined, { since }) }
        }))

      yield* run(file, (homeserver) =>
        Effect.gen(function*() {
          const bot = caller(homeserver, before.token)
          const news = yield* bot("GET", "/sync", undefined, { since: before.since })
          assert.strictEqual(Object.keys(Object(dig(news.body, "rooms", "join"))).length, 3)
          assert.deepStrictEqual(timeless(news.body), timeless(before.news.body))
          assert.deepStrictEqual(bodies(news.body, before.room), ["ping", "pong"])
          const all = yield* bot("GET", "/sync", undefined, { filter: everything })
          assert.deepStrictEqual(timeless(all.body), timeless(before.all.body))
          const again = yield* bot("PUT", `/rooms/${before.room}/send/m.room.message/t1`, { body: "pong" })
          assert.deepStrictEqual(again.body, before.answer.body)
          const fresh = yield* bot("PUT", `/rooms/${before.room}/send/m.room.message/t2`, { body: "pong" })
          assert.notDeepEqual(fresh.body, before.answer.body)
          const quiet = yield* bot("GET", "/sync", undefined, { since: text(news.body, "next_batch") })
          assert.deepStrictEqual(bodies(quiet.body, before.room), ["pong"])
        }))
    }))

  it.effect("is written half a second after a change, for its owner alone, and holds no token and no password", () =>
    Effect.gen(function*() {
      const file = yield* freshFile
      yield* run(file, (homeserver) =>
        Effect.gen(function*() {
          const token = yield* login(homeserver)
          yield* TestClock.adjust("499 millis")
          assert.isFalse(Fs.existsSync(file))
          yield* TestClock.adjust("1 millis")
          yield* written(file)
          const kept = Fs.readFileSync(file, "utf8")
          assert.include(kept, "HOMING")
          assert.notInclude(kept, token)
          assert.notInclude(kept, "\"pw\"")
          assert.strictEqual(Fs.statSync(file).mode & 0o777, 0o600)
          assert.deepStrictEqual(Fs.readdirSync(Path.dirname(file)), ["world.json"])
        }))
    }))

  it.effect("knows nobody by a token of another run on another file", () =>
    Effect.gen(function*() {
      const [one, other] = [yield* freshFile, yield* freshFile]
      const token = yield* run(one, login)
      const stranger = yield* run(other, (homeserver) =>
        Effect.andThen(login(homeserver), caller(homeserver, token)("GET", "/account/whoami")))
      assert.strictEqual(stranger.status, 401)
    }))

  it.effect("refuses a damaged file in plain words and leaves it alone", () =>
    Effect.gen(function*() {
      const file = yield* freshFile
      yield* run(file, (homeserver) => Effect.andThen(homeserver.as("alice"), (alice) => alice.createRoom()))
      const whole = Fs.readFileSync(file, "utf8")
      const cut = whole.slice(0, whole.indexOf("\n") + 1)
      for (const damage of [cut, whole.slice(0, -10), "{\"format\":1", "{}", ""]) {
        Fs.writeFileSync(file, damage)
        const refused = yield* Effect.flip(run(file, () => Effect.void))
        assert.strictEqual(
          refused.message,
          `The sandbox cannot go on from ${file}: it is damaged, or was written by another version of Homing. ` +
            "The file was left as it is. Move it away to begin with an empty sandbox."
        )
        assert.strictEqual(Fs.readFileSync(file, "utf8"), damage)
      }
    }))

  it.effect("refuses the file of another server, and one that cannot be read", () =>
    Effect.gen(function*() {
      const file = yield* freshFile
      yield* run(file, login)
      const other = yield* Effect.flip(
        Effect.provide(Effect.asVoid(Homeserver), Homeserver.layer({ file, serverName: "other.test" }))
      )
      assert.include(other.message, "it holds the sandbox of homing.test, not of other.test")
      const directory = yield* Effect.flip(run(Path.dirname(file), () => Effect.void))
      assert.include(directory.message, "it cannot be read (EISDIR")
    }))
})

/** Returns when the file is there. The write goes by the real clock. */
const written = (file: string): Effect.Effect<void> =>
  Effect.callback<boolean>((resume) => void setImmediate(() => resume(Effect.sync(() => Fs.existsSync(file))))).pipe(
    Effect.repeat({ until: (there) => there }),
    Effect.asVoid
  )

describe("the request log of a long run", () => {
  it.effect("remembers the last ten thousand requests, in their order", () =>
    Effect.gen(function*() {
      const homeserver = yield* Homeserver
      for (let n = 0; n < 10_050; n++) {
        yield* caller(homeserver)("GET", `${v3}/profile/@nobody:homing.test`, undefined, { n: String(n) })
      }
      const log = yield* homeserver.requests
      assert.strictEqual(log.length, 10_000)
      assert.deepStrictEqual([dig(log, 0, "query", "n"), dig(log, 9_999, "query", "n")], ["50", "10049"])
      assert.isTrue(log.every((entry, index) => entry.query["n"] === String(index + 50)))
    }).pipe(Effect.provide(Homeserver.layer())))
})
