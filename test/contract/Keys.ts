import { assert, layer } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { dig, list, text } from "../layers/Homeserver/Caller.ts"
import { type Client, logIn, newClient, nextBatch, path, refusal, roomWith, type Server, sync } from "./Server.ts"

/** Keys of the right shape; nobody checks their curve. */
const key = (letter: string): string => letter.repeat(43)

const deviceKeys = ({ deviceId, userId }: Client) => ({
  user_id: userId,
  device_id: deviceId,
  algorithms: ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
  keys: { [`curve25519:${deviceId}`]: key("a"), [`ed25519:${deviceId}`]: key("b") },
  signatures: { [userId]: { [`ed25519:${deviceId}`]: key("s") } }
})

const uploadDevice = (client: Client) =>
  client.ask("POST", "/keys/upload", { body: { device_keys: deviceKeys(client) } })

const crossSigningKey = ({ userId }: Client, usage: string, letter: string) => ({
  user_id: userId,
  usage: [usage],
  keys: { [`ed25519:${key(letter)}`]: key(letter) }
})

const query = (client: Client, ...users: ReadonlyArray<Client>) =>
  client.ask("POST", "/keys/query", {
    body: { device_keys: Object.fromEntries(users.map(({ userId }) => [userId, []])) }
  })

/** "End-to-End Encryption", "Send-to-Device messaging" and "Server-side key backups". */
export const keysContract = <E>(name: string, server: Layer.Layer<Server, E>) =>
  layer(server, { excludeTestServices: true })(`${name}: keys`, (it) => {
    it.effect("keeps the keys of devices, and tells those who share a room that they changed", () =>
      Effect.gen(function*() {
        const [anna, ben] = [yield* newClient("anna"), yield* newClient("ben")]
        yield* roomWith(anna, ben)
        const since = yield* nextBatch(ben)
        yield* uploadDevice(anna)
        const { body } = yield* sync(ben, { since })
        assert.include(list(body, "device_lists", "changed"), anna.userId)
        const found = yield* query(ben, anna)
        assert.deepInclude(dig(found.body, "device_keys", anna.userId, anna.deviceId), {
          keys: deviceKeys(anna).keys,
          device_id: anna.deviceId
        })
        const changes = yield* ben.ask("GET", "/keys/changes", {
          query: { from: since, to: text(body, "next_batch") }
        })
        assert.include(list(changes.body, "changed"), anna.userId)
      }))

    it.effect("hands out a one-time key once, and the fallback key when there are no more", () =>
      Effect.gen(function*() {
        const [anna, ben] = [yield* newClient("anna"), yield* newClient("ben")]
        yield* roomWith(anna, ben)
        yield* uploadDevice(anna)
        const uploaded = yield* anna.ask("POST", "/keys/upload", {
          body: {
            one_time_keys: { "signed_curve25519:AAAA": { key: key("1"), signatures: {} } },
            fallback_keys: { "signed_curve25519:FFFF": { key: key("f"), fallback: true, signatures: {} } }
          }
        })
        assert.deepStrictEqual(dig(uploaded.body, "one_time_key_counts", "signed_curve25519"), 1)
        const unused = yield* sync(anna)
        assert.deepStrictEqual(dig(unused.body, "device_unused_fallback_key_types"), ["signed_curve25519"])
        const claim = Effect.map(
          ben.ask("POST", "/keys/claim", {
            body: { one_time_keys: { [anna.userId]: { [anna.deviceId]: "signed_curve25519" } } }
          }),
          ({ body }) => Object.keys(Object(dig(body, "one_time_keys", anna.userId, anna.deviceId)))
        )
        assert.deepStrictEqual(yield* claim, ["signed_curve25519:AAAA"])
        assert.deepStrictEqual(yield* claim, ["signed_curve25519:FFFF"])
        assert.deepStrictEqual(yield* claim, ["signed_curve25519:FFFF"])
        const used = yield* sync(anna)
        assert.deepStrictEqual(dig(used.body, "device_unused_fallback_key_types"), [])
        assert.strictEqual(dig(used.body, "device_one_time_keys_count", "signed_curve25519"), 0)
      }))

    it.effect("takes a one-time key twice when it is the same, and no other under its name", () =>
      Effect.gen(function*() {
        const anna = yield* newClient("anna")
        const upload = (letter: string, signature: string) =>
          anna.ask("POST", "/keys/upload", {
            body: {
              one_time_keys: {
                "signed_curve25519:AAAA": { key: key(letter), signatures: { [anna.userId]: { x: signature } } }
              }
            }
          })
        assert.strictEqual((yield* upload("1", "once")).status, 200)
        assert.strictEqual((yield* upload("1", "twice")).status, 200)
        assert.strictEqual((yield* upload("2", "once")).status, 400)
      }))

    it.effect("brings messages to a device until it has acknowledged them", () =>
      Effect.gen(function*() {
        const [anna, ben] = [yield* newClient("anna"), yield* newClient("ben")]
        const other = yield* logIn(ben)
        const since = yield* nextBatch(ben)
        const put = (id: string, device: string, n: number) =>
          anna.ask("PUT", `/sendToDevice/org.example.ping/${id}`, {
            body: { messages: { [ben.userId]: { [device]: { n } } } }
          })
        yield* put("one", ben.deviceId, 1)
        yield* put("one", ben.deviceId, 1)
        yield* put("two", "*", 2)
        const read = (client: Client, from?: string) =>
          Effect.map(sync(client, from === undefined ? {} : { since: from }), ({ body }) => ({
            next: text(body, "next_batch"),
            messages: list(body, "to_device", "events").map((event) => dig(event, "content", "n"))
          }))
        const first = yield* read(ben, since)
        assert.deepStrictEqual(first.messages, [1, 2])
        assert.deepStrictEqual((yield* read(ben, since)).messages, [1, 2])
        assert.deepStrictEqual((yield* read(ben, first.next)).messages, [])
        assert.deepStrictEqual((yield* read(other)).messages, [2])
      }))

    it.effect("takes the first cross-signing keys on trust, and others from the user alone", () =>
      Effect.gen(function*() {
        const [anna, ben] = [yield* newClient("anna"), yield* newClient("ben")]
        yield* roomWith(anna, ben)
        const since = yield* nextBatch(ben)
        const upload = (letter: string, auth?: object) =>
          anna.ask("POST", "/keys/device_signing/upload", {
            body: {
              master_key: crossSigningKey(anna, "master", letter),
              ...(auth === undefined ? {} : { auth })
            }
          })
        assert.strictEqual((yield* upload("m")).status, 200)
        assert.include(list((yield* sync(ben, { since })).body, "device_lists", "changed"), anna.userId)
        const seen = yield* query(ben, anna)
        assert.deepStrictEqual(dig(seen.body, "master_keys", anna.userId, "keys"), {
          [`ed25519:${key("m")}`]: key("m")
        })
        const challenge = yield* upload("n")
        assert.strictEqual(challenge.status, 401)
        const replaced = yield* upload("n", {
          type: "m.login.password",
          identifier: { type: "m.id.user", user: anna.localpart },
          password: anna.password,
          session: text(challenge.body, "session")
        })
        assert.strictEqual(replaced.status, 200)
      }))

    it.effect("says which signatures it cannot place", () =>
      Effect.gen(function*() {
        const anna = yield* newClient("anna")
        const done = yield* anna.ask("POST", "/keys/signatures/upload", {
          body: { [anna.userId]: { NODEVICE: { ...deviceKeys(anna), device_id: "NODEVICE" } } }
        })
        assert.strictEqual(done.status, 200)
        assert.isString(dig(done.body, "failures", anna.userId, "NODEVICE", "errcode"))
      }))

    it.effect("backs up room keys: the better one stays, and only the latest version takes more", () =>
      Effect.gen(function*() {
        const anna = yield* newClient("anna")
        const none = yield* anna.ask("GET", "/room_keys/version")
        assert.deepStrictEqual(refusal(none), [404, "M_NOT_FOUND"])
        const backup = { algorithm: "m.megolm_backup.v1.curve25519-aes-sha2", auth_data: { public_key: key("p") } }
        const create = Effect.map(
          anna.ask("POST", "/room_keys/version", { body: backup }),
          ({ body }) => text(body, "version")
        )
        const old = yield* create
        const version = yield* create
        assert.notStrictEqual(version, old)
        const session = (index: number, is_verified = false) => ({
          first_message_index: index,
          forwarded_count: 0,
          is_verified,
          session_data: { index }
        })
        const at = `/room_keys/keys/${path("!room:example.org")}/session`
        const put = (index: number, of = version) =>
          anna.ask("PUT", at, { query: { version: of }, body: session(index) })
        const first = yield* put(5)
        assert.strictEqual(dig(first.body, "count"), 1)
        yield* put(9)
        const kept = yield* anna.ask("GET", at, { query: { version } })
        assert.strictEqual(dig(kept.body, "first_message_index"), 5)
        const better = yield* put(2)
        assert.notStrictEqual(dig(better.body, "etag"), dig(first.body, "etag"))
        const wrong = yield* put(1, old)
        assert.deepStrictEqual(refusal(wrong), [403, "M_WRONG_ROOM_KEYS_VERSION"])
        assert.deepStrictEqual(refusal(yield* put(1, "4711")), [404, "M_NOT_FOUND"])
        const all = yield* anna.ask("GET", "/room_keys/keys", { query: { version } })
        assert.deepStrictEqual(dig(all.body, "rooms", "!room:example.org", "sessions", "session", "session_data"), {
          index: 2
        })
        const current = yield* anna.ask("GET", "/room_keys/version")
        assert.deepInclude(current.body, { ...backup, version, count: 1 })
        yield* anna.ask("DELETE", "/room_keys/keys", { query: { version } })
        assert.strictEqual(dig((yield* anna.ask("GET", "/room_keys/version")).body, "count"), 0)
        yield* anna.ask("DELETE", `/room_keys/version/${version}`)
        assert.strictEqual(dig((yield* anna.ask("GET", "/room_keys/version")).body, "version"), old)
      }))
  })
