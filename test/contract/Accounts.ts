import { assert, layer } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { dig, list, text } from "../layers/Homeserver/Caller.ts"
import { type Account, asker, type Client, logIn, newClient, nextBatch, path, refusal, Server, sync } from "./Server.ts"

/** What proves that it is the user ("User-Interactive Authentication"). */
const proof = ({ localpart, password }: Account, session: string) => ({
  type: "m.login.password",
  identifier: { type: "m.id.user", user: localpart },
  password,
  session
})

const whoami = (client: Client) => client.ask("GET", "/account/whoami")

/** "Client Authentication", "Devices" and "Profiles". */
export const accountsContract = <E>(name: string, server: Layer.Layer<Server, E>) =>
  layer(server, { excludeTestServices: true })(`${name}: accounts`, (it) => {
    it.effect("tells its versions, and that it takes passwords, to anybody", () =>
      Effect.gen(function*() {
        const ask = asker((yield* Server).baseUrl)
        const versions = yield* ask("GET", "/_matrix/client/versions")
        assert.include(list(versions.body, "versions"), "v1.11")
        const flows = list((yield* ask("GET", "/login")).body, "flows")
        assert.include(flows.map((flow) => dig(flow, "type")), "m.login.password")
        assert.strictEqual(versions.headers.get("access-control-allow-origin"), "*")
      }))

    it.effect("signs in by localpart or user id, on the device that is asked for", () =>
      Effect.gen(function*() {
        const account = yield* (yield* Server).account("anna")
        const client = yield* logIn({ ...account, localpart: account.userId }, "PHONE")
        const who = yield* whoami(client)
        assert.deepInclude(who.body, { user_id: account.userId, device_id: "PHONE" })
      }))

    it.effect("refuses a wrong password, an unknown user and an unknown way", () =>
      Effect.gen(function*() {
        const { account, baseUrl } = yield* Server
        const { localpart } = yield* account("anna")
        const login = (user: string, type = "m.login.password") =>
          Effect.map(
            asker(baseUrl)("POST", "/login", {
              body: { type, identifier: { type: "m.id.user", user }, password: "wrong" }
            }),
            refusal
          )
        assert.deepStrictEqual(yield* login(localpart), [403, "M_FORBIDDEN"])
        assert.deepStrictEqual(yield* login("nobody-has-this-name"), [403, "M_FORBIDDEN"])
        assert.deepStrictEqual(yield* login(localpart, "m.login.guess"), [400, "M_UNKNOWN"])
      }))

    it.effect("tells a missing token from one that it does not know", () =>
      Effect.gen(function*() {
        const { baseUrl } = yield* Server
        assert.deepStrictEqual(refusal(yield* asker(baseUrl)("GET", "/account/whoami")), [401, "M_MISSING_TOKEN"])
        const unknown = yield* asker(baseUrl, "made-up")("GET", "/account/whoami")
        assert.deepStrictEqual([...refusal(unknown), dig(unknown.body, "soft_logout")], [401, "M_UNKNOWN_TOKEN", false])
      }))

    it.effect("ends a token with logout", () =>
      Effect.gen(function*() {
        const account = yield* (yield* Server).account("anna")
        const [one, other] = [yield* logIn(account), yield* logIn(account)]
        yield* one.ask("POST", "/logout")
        assert.deepStrictEqual(refusal(yield* whoami(one)), [401, "M_UNKNOWN_TOKEN"])
        assert.strictEqual((yield* whoami(other)).status, 200)
      }))

    it.effect("ends every session with logout/all", () =>
      Effect.gen(function*() {
        const account = yield* (yield* Server).account("anna")
        const [one, two] = [yield* logIn(account), yield* logIn(account)]
        yield* one.ask("POST", "/logout/all")
        assert.deepStrictEqual([(yield* whoami(one)).status, (yield* whoami(two)).status], [401, 401])
      }))

    it.effect("trades a refresh token for a new pair, once", () =>
      Effect.gen(function*() {
        const { account, baseUrl } = yield* Server
        const { localpart, password } = yield* account("anna")
        const login = yield* asker(baseUrl)("POST", "/login", {
          body: {
            type: "m.login.password",
            identifier: { type: "m.id.user", user: localpart },
            password,
            refresh_token: true
          }
        })
        assert.isNumber(dig(login.body, "expires_in_ms"))
        const refresh = (token: string) => asker(baseUrl)("POST", "/refresh", { body: { refresh_token: token } })
        const renewed = yield* refresh(text(login.body, "refresh_token"))
        const who = yield* asker(baseUrl, text(renewed.body, "access_token"))("GET", "/account/whoami")
        assert.strictEqual(dig(who.body, "device_id"), dig(login.body, "device_id"))
        const again = yield* refresh(text(login.body, "refresh_token"))
        assert.oneOf(again.status, [401, 403])
      }))

    it.effect("lists and renames devices, and deletes one only for who can prove to be the user", () =>
      Effect.gen(function*() {
        const account = yield* (yield* Server).account("anna")
        const client = yield* logIn(account, "LAPTOP")
        const other = yield* logIn(account, "PHONE")
        const since = yield* nextBatch(client)
        yield* client.ask("PUT", "/devices/PHONE", { body: { display_name: "My phone" } })
        const shown = yield* client.ask("GET", "/devices/PHONE")
        assert.deepInclude(shown.body, { device_id: "PHONE", display_name: "My phone" })
        assert.deepStrictEqual(refusal(yield* client.ask("GET", "/devices/NONE")), [404, "M_NOT_FOUND"])
        const challenge = yield* client.ask("DELETE", "/devices/PHONE")
        assert.strictEqual(challenge.status, 401)
        assert.deepInclude(list(challenge.body, "flows"), { stages: ["m.login.password"] })
        const session = text(challenge.body, "session")
        const wrong = yield* client.ask("DELETE", "/devices/PHONE", {
          body: { auth: proof({ ...account, password: "wrong" }, session) }
        })
        assert.deepStrictEqual(refusal(wrong), [401, "M_FORBIDDEN"])
        const done = yield* client.ask("DELETE", "/devices/PHONE", { body: { auth: proof(account, session) } })
        assert.strictEqual(done.status, 200)
        const left = list((yield* client.ask("GET", "/devices")).body, "devices")
        assert.deepStrictEqual(left.map((device) => dig(device, "device_id")), ["LAPTOP"])
        assert.strictEqual((yield* whoami(other)).status, 401)
        assert.include(list((yield* sync(client, { since })).body, "device_lists", "changed"), account.userId)
      }))

    it.effect("shows a profile to others, and lets nobody change that of somebody else", () =>
      Effect.gen(function*() {
        const [anna, ben] = [yield* newClient("anna"), yield* newClient("ben")]
        const profile = `/profile/${path(anna.userId)}`
        yield* anna.ask("PUT", `${profile}/displayname`, { body: { displayname: "Anna" } })
        yield* anna.ask("PUT", `${profile}/avatar_url`, { body: { avatar_url: "mxc://example.org/anna" } })
        const seen = yield* ben.ask("GET", profile)
        assert.deepInclude(seen.body, { displayname: "Anna", avatar_url: "mxc://example.org/anna" })
        const name = yield* ben.ask("GET", `${profile}/displayname`)
        assert.deepStrictEqual(name.body, { displayname: "Anna" })
        const forged = yield* ben.ask("PUT", `${profile}/displayname`, { body: { displayname: "Mallory" } })
        // Synapse says 400.
        assert.strictEqual(dig(forged.body, "errcode"), "M_FORBIDDEN")
        const nobody = yield* ben.ask("GET", `/profile/${path("@nobody-has-this-name:" + (yield* Server).serverName)}`)
        assert.strictEqual(nobody.status, 404)
      }))

    it.effect("keeps account data for its owner", () =>
      Effect.gen(function*() {
        const [anna, ben] = [yield* newClient("anna"), yield* newClient("ben")]
        const data = `/user/${path(anna.userId)}/account_data/org.example.note`
        assert.deepStrictEqual(refusal(yield* anna.ask("GET", data)), [404, "M_NOT_FOUND"])
        const since = yield* nextBatch(anna)
        yield* anna.ask("PUT", data, { body: { text: "mine" } })
        assert.deepStrictEqual((yield* anna.ask("GET", data)).body, { text: "mine" })
        assert.deepStrictEqual(refusal(yield* ben.ask("GET", data)), [403, "M_FORBIDDEN"])
        const news = list((yield* sync(anna, { since })).body, "account_data", "events")
        assert.deepInclude(news, { type: "org.example.note", content: { text: "mine" } })
      }))

    it.effect("has the predefined push rules, and tells what it can", () =>
      Effect.gen(function*() {
        const anna = yield* newClient("anna")
        const rules = yield* anna.ask("GET", "/pushrules/")
        const ids = (kind: string) => list(rules.body, "global", kind).map((rule) => dig(rule, "rule_id"))
        assert.includeMembers([...ids("override")], [".m.rule.master", ".m.rule.suppress_notices"])
        assert.includeMembers([...ids("underride")], [".m.rule.room_one_to_one", ".m.rule.encrypted"])
        const can = yield* anna.ask("GET", "/capabilities")
        assert.strictEqual(dig(can.body, "capabilities", "m.room_versions", "available", "11"), "stable")
      }))

    it.effect("does not know every path, nor every method", () =>
      Effect.gen(function*() {
        const anna = yield* newClient("anna")
        assert.deepStrictEqual(refusal(yield* anna.ask("GET", "/no/such/thing")), [404, "M_UNRECOGNIZED"])
        assert.deepStrictEqual(refusal(yield* anna.ask("POST", "/account/whoami")), [405, "M_UNRECOGNIZED"])
        const { baseUrl } = yield* Server
        const broken = yield* Effect.promise(() =>
          fetch(`${baseUrl}/_matrix/client/v3/createRoom`, {
            method: "POST",
            headers: { authorization: `Bearer ${anna.token}` },
            body: "{"
          })
        )
        const told: unknown = yield* Effect.promise(() => broken.json())
        assert.deepStrictEqual([broken.status, dig(told, "errcode")], [400, "M_NOT_JSON"])
      }))
  })
