import { assert, layer } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { dig, list, text } from "../layers/Homeserver/Caller.ts"
import {
  type Client,
  getEvent,
  logIn,
  newClient,
  path,
  putState,
  refusal,
  roomWith,
  say,
  send,
  type Server,
  sync
} from "./Server.ts"

const couple = Effect.gen(function*() {
  const [anna, ben] = [yield* newClient("anna"), yield* newClient("ben")]
  return { anna, ben, room: yield* roomWith(anna, ben) }
})

const messages = (client: Client, room: string, query: Readonly<Record<string, string>>) =>
  client.ask("GET", `/rooms/${path(room)}/messages`, { query })

const bodiesOf = (events: ReadonlyArray<unknown>) =>
  events.map((event) => dig(event, "content", "body")).filter((body) => body !== undefined)

const relation = (type: string, event: string, more: object = {}) => ({
  "m.relates_to": { rel_type: type, event_id: event, ...more }
})

/** "Sending events to a room", "Getting events for a room", "Redactions" and "Forming relationships between events". */
export const eventsContract = <E>(name: string, server: Layer.Layer<Server, E>) =>
  layer(server, { excludeTestServices: true })(`${name}: events`, (it) => {
    it.effect("sends an event once for one transaction id, and tells it to the sending device alone", () =>
      Effect.gen(function*() {
        const { anna, ben, room } = yield* couple
        const put = (client: Client) =>
          client.ask("PUT", `/rooms/${path(room)}/send/m.room.message/once`, {
            body: { msgtype: "m.text", body: "hi" }
          })
        const first = yield* put(anna)
        assert.deepStrictEqual((yield* put(anna)).body, first.body)
        const later = yield* logIn(anna, anna.deviceId)
        assert.deepStrictEqual((yield* put(later)).body, first.body)
        const other = yield* put(yield* logIn(anna))
        assert.notDeepEqual(other.body, first.body)
        const event = text(first.body, "event_id")
        const own = yield* getEvent(later, room, event)
        assert.strictEqual(dig(own.body, "unsigned", "transaction_id"), "once")
        assert.isUndefined(dig((yield* getEvent(ben, room, event)).body, "unsigned", "transaction_id"))
        assert.deepInclude(own.body, {
          type: "m.room.message",
          sender: anna.userId,
          room_id: room,
          event_id: event,
          content: { msgtype: "m.text", body: "hi" }
        })
      }))

    it.effect("refuses an event that is too large, and one from outside", () =>
      Effect.gen(function*() {
        const { anna, room } = yield* couple
        const large = yield* send(anna, room, "m.room.message", { msgtype: "m.text", body: "x".repeat(70_000) })
        assert.deepStrictEqual(refusal(large), [413, "M_TOO_LARGE"])
        const stranger = yield* newClient("stranger")
        const event = yield* say(anna, room, "between us")
        assert.deepStrictEqual(refusal(yield* send(stranger, room, "m.room.message", { body: "x" })), [
          403,
          "M_FORBIDDEN"
        ])
        assert.oneOf((yield* getEvent(stranger, room, event)).status, [403, 404])
        assert.deepStrictEqual(refusal(yield* getEvent(anna, room, "$nothing")), [404, "M_NOT_FOUND"])
      }))

    it.effect("pages backwards to the beginning, and forwards to the end", () =>
      Effect.gen(function*() {
        const { anna, ben, room } = yield* couple
        for (let n = 1; n <= 5; n++) yield* say(anna, room, `m${n}`)
        const first = yield* messages(ben, room, { dir: "b", limit: "2" })
        assert.deepStrictEqual(bodiesOf(list(first.body, "chunk")), ["m5", "m4"])
        const second = yield* messages(ben, room, { dir: "b", limit: "2", from: text(first.body, "end") })
        assert.deepStrictEqual(bodiesOf(list(second.body, "chunk")), ["m3", "m2"])
        const all: Array<unknown> = []
        let from: string | undefined = text(second.body, "end")
        while (from !== undefined) {
          const page = yield* messages(ben, room, { dir: "b", limit: "50", from })
          all.push(...list(page.body, "chunk"))
          const end: unknown = dig(page.body, "end")
          from = typeof end === "string" ? end : undefined
        }
        assert.strictEqual(dig(all.at(-1), "type"), "m.room.create")
        const forwards = yield* messages(ben, room, { dir: "f", limit: "3", from: text(second.body, "end") })
        assert.deepStrictEqual(bodiesOf(list(forwards.body, "chunk")), ["m2", "m3", "m4"])
      }))

    it.effect("fills a gap: from prev_batch back to the position of an earlier sync", () =>
      Effect.gen(function*() {
        const { anna, ben, room } = yield* couple
        yield* say(anna, room, "known")
        const since = text((yield* sync(ben)).body, "next_batch")
        for (let n = 1; n <= 5; n++) yield* say(anna, room, `m${n}`)
        const filter = JSON.stringify({ room: { timeline: { limit: 2 } } })
        const { body } = yield* sync(ben, { since, filter })
        const timeline = dig(body, "rooms", "join", room, "timeline")
        assert.strictEqual(dig(timeline, "limited"), true)
        assert.deepStrictEqual(bodiesOf(list(timeline, "events")), ["m4", "m5"])
        const gap = yield* messages(ben, room, { dir: "b", from: text(timeline, "prev_batch"), to: since, limit: "50" })
        assert.deepStrictEqual(bodiesOf(list(gap.body, "chunk")), ["m3", "m2", "m1"])
      }))

    it.effect("filters by type, sender and url", () =>
      Effect.gen(function*() {
        const { anna, ben, room } = yield* couple
        yield* say(anna, room, "hers")
        yield* say(ben, room, "his")
        yield* send(anna, room, "m.room.message", { msgtype: "m.file", body: "file", url: "mxc://example.org/file" })
        const filtered = (filter: object) =>
          Effect.map(messages(ben, room, { dir: "f", limit: "50", filter: JSON.stringify(filter) }), ({ body }) =>
            bodiesOf(list(body, "chunk")))
        assert.deepStrictEqual(yield* filtered({ types: ["m.room.mess*"], senders: [ben.userId] }), ["his"])
        assert.deepStrictEqual(yield* filtered({ types: ["m.room.message"], not_senders: [ben.userId] }), [
          "hers",
          "file"
        ])
        assert.deepStrictEqual(yield* filtered({ types: ["m.room.message"], contains_url: true }), ["file"])
        assert.deepStrictEqual(yield* filtered({ not_types: ["m.room.message"] }), [])
      }))

    it.effect("gives the surroundings of an event", () =>
      Effect.gen(function*() {
        const { anna, room } = yield* couple
        yield* say(anna, room, "before")
        const event = yield* say(anna, room, "it")
        yield* say(anna, room, "after")
        const around = yield* anna.ask("GET", `/rooms/${path(room)}/context/${path(event)}`, { query: { limit: "4" } })
        assert.strictEqual(dig(around.body, "event", "event_id"), event)
        assert.strictEqual(bodiesOf(list(around.body, "events_before"))[0], "before")
        assert.deepStrictEqual(bodiesOf(list(around.body, "events_after")), ["after"])
        assert.isString(dig(around.body, "start"))
        assert.isString(dig(around.body, "end"))
        assert.isNotEmpty(list(around.body, "state"))
      }))

    it.effect("filters the surroundings of an event and the state, and not the event", () =>
      Effect.gen(function*() {
        const { anna, ben, room } = yield* couple
        yield* say(anna, room, "before")
        const event = yield* say(anna, room, "this")
        yield* say(ben, room, "after")
        yield* say(anna, room, "later")
        const around = yield* anna.ask("GET", `/rooms/${path(room)}/context/${path(event)}`, {
          query: { limit: "10", filter: JSON.stringify({ not_senders: [anna.userId], types: ["m.room.m*"] }) }
        })
        assert.strictEqual(dig(around.body, "event", "event_id"), event)
        assert.notInclude(bodiesOf(list(around.body, "events_before")), "before")
        assert.deepStrictEqual(bodiesOf(list(around.body, "events_after")), ["after"])
        const members = list(around.body, "state").map((state) => [dig(state, "type"), dig(state, "state_key")])
        assert.deepStrictEqual(members, [["m.room.member", ben.userId]])
      }))

    it.effect("redacts content and keeps the event, by who sent it or has the power", () =>
      Effect.gen(function*() {
        const { anna, ben, room } = yield* couple
        const redact = (client: Client, event: string, id: string) =>
          client.ask("PUT", `/rooms/${path(room)}/redact/${path(event)}/${id}`, { body: { reason: "typo" } })
        const hers = yield* say(anna, room, "hers")
        assert.deepStrictEqual(refusal(yield* redact(ben, hers, "r1")), [403, "M_FORBIDDEN"])
        const his = yield* say(ben, room, "his")
        const done = yield* redact(anna, his, "r2")
        const gone = yield* getEvent(ben, room, his)
        assert.deepStrictEqual(dig(gone.body, "content"), {})
        assert.strictEqual(dig(gone.body, "unsigned", "redacted_because", "event_id"), dig(done.body, "event_id"))
        assert.strictEqual(dig(gone.body, "unsigned", "redacted_because", "content", "reason"), "typo")
        const redaction = yield* getEvent(ben, room, text(done.body, "event_id"))
        assert.strictEqual(dig(redaction.body, "content", "redacts"), his)
      }))

    it.effect("bundles the latest edit of the sender, and of nobody else", () =>
      Effect.gen(function*() {
        const { anna, ben, room } = yield* couple
        const edit = (client: Client, event: string, body: string) =>
          say(client, room, `* ${body}`, {
            "m.new_content": { msgtype: "m.text", body },
            ...relation("m.replace", event)
          })
        const event = yield* say(anna, room, "frist")
        yield* edit(anna, event, "fist")
        const last = yield* edit(anna, event, "first")
        yield* edit(ben, event, "hijacked")
        const seen = yield* getEvent(ben, room, event)
        assert.strictEqual(dig(seen.body, "content", "body"), "frist")
        assert.strictEqual(dig(seen.body, "unsigned", "m.relations", "m.replace", "event_id"), last)
        const paged = yield* messages(ben, room, { dir: "b", limit: "4" })
        const original = list(paged.body, "chunk").find((one) => dig(one, "event_id") === event)
        assert.strictEqual(
          dig(original, "unsigned", "m.relations", "m.replace", "content", "m.new_content", "body"),
          "first"
        )
      }))

    it.effect("bundles threads and references, and reads them back", () =>
      Effect.gen(function*() {
        const { anna, ben, room } = yield* couple
        const root = yield* say(anna, room, "root")
        const one = yield* say(ben, room, "one", relation("m.thread", root))
        const two = yield* say(anna, room, "two", relation("m.thread", root))
        const reference = yield* send(ben, room, "org.example.note", relation("m.reference", root))
        const reaction = yield* send(ben, room, "m.reaction", relation("m.annotation", root, { key: "👍" }))
        const bundled = dig((yield* getEvent(ben, room, root)).body, "unsigned", "m.relations")
        assert.deepInclude(dig(bundled, "m.thread"), { count: 2, current_user_participated: true })
        assert.strictEqual(dig(bundled, "m.thread", "latest_event", "event_id"), two)
        assert.deepStrictEqual(dig(bundled, "m.reference", "chunk"), [{ event_id: dig(reference.body, "event_id") }])

        const relations = (rest: string, query: Readonly<Record<string, string>> = {}) =>
          Effect.map(
            ben.ask("GET", `/_matrix/client/v1/rooms/${path(room)}/relations/${path(root)}${rest}`, { query }),
            ({ body }) => list(body, "chunk").map((event) => dig(event, "event_id"))
          )
        assert.deepStrictEqual(yield* relations("/m.thread"), [two, one])
        assert.deepStrictEqual(yield* relations("/m.thread", { dir: "f" }), [one, two])
        assert.deepStrictEqual(yield* relations("/m.annotation/m.reaction"), [dig(reaction.body, "event_id")])
        assert.strictEqual((yield* relations("")).length, 4)
        const page = yield* ben.ask("GET", `/_matrix/client/v1/rooms/${path(room)}/relations/${path(root)}/m.thread`, {
          query: { limit: "1" }
        })
        assert.deepStrictEqual(yield* relations("/m.thread", { from: text(page.body, "next_batch") }), [one])

        const threads = yield* ben.ask("GET", `/_matrix/client/v1/rooms/${path(room)}/threads`)
        assert.deepStrictEqual(list(threads.body, "chunk").map((event) => dig(event, "event_id")), [root])
      }))

    it.effect("tells with a state event what it replaced, and makes no event of what is so already", () =>
      Effect.gen(function*() {
        const { anna, room } = yield* couple
        const before = yield* putState(anna, room, "m.room.topic", { topic: "old" })
        const after = yield* putState(anna, room, "m.room.topic", { topic: "new" })
        const { body } = yield* sync(anna)
        const seen = list(body, "rooms", "join", room, "timeline", "events").at(-1)
        assert.strictEqual(dig(seen, "unsigned", "replaces_state"), dig(before.body, "event_id"))
        assert.deepStrictEqual(dig(seen, "unsigned", "prev_content"), { topic: "old" })
        const again = yield* putState(anna, room, "m.room.topic", { topic: "new" })
        assert.deepStrictEqual(again.body, after.body)
      }))
  })
